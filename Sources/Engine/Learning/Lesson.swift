import Results
import Script

/// What arrived for one expected line, run by run.
package struct LineRuns {
    package let arrow: ArrowLine
    /// For each run of the script, what arrived each time the line ran.
    private(set) var runs: [[[UInt8]]] = []
    private(set) var differs = false

    package init(_ arrow: ArrowLine) { self.arrow = arrow }

    package mutating func add(_ arrival: Blessing.Arrival) {
        runs.append(arrival.arrived)
        differs = differs || arrival.differs
    }
}

/// The changes that make a recorded script hold, from what arrived in several runs.
package struct Lesson {
    /// The lines to change, each with its old and its new form.
    package private(set) var edits: [(line: Int, old: [UInt8], new: [UInt8])] = []
    /// Lines that stay as they are although they differ, with the reasons.
    package private(set) var problems: [String] = []
    /// Whether lines have arrived in another order: no pattern is right then.
    package private(set) var hasChangedOrder = false

    private let source: SourceText
    private let script: LearnedScript
    private let arrivals: [Int: LineRuns]
    private let secrets: Redactor
    /// The captures whose values have changed.
    private let active: Set<String>
    /// Numbers that are lengths of lines which change, by the line that they are in.
    private var lengths: [Int: Set<Int>] = [:]

    /// A length is at most this many lines before the data.
    private static let headLines = 60

    package init(source: SourceText, script: LearnedScript, arrivals: [Int: LineRuns], secrets: Redactor) {
        self.source = source
        self.script = script
        self.arrivals = arrivals
        self.secrets = secrets
        active = Set(
            script.captures.filter { capture in
                let all = arrivals[capture.line]?.runs.joined() ?? [].joined()
                return all.contains { arrived in
                    capture.range(in: arrived).map { Array(arrived[$0]) } != capture.value
                }
            }.map(\.name))
        findChangedOrder()
        findLengths()
        for number in source.lines.indices.map({ $0 + 1 }) {
            let new = changed(number)
            if new != source.lines[number - 1] { edits.append((number, source.lines[number - 1], new)) }
        }
    }

    /// Returns the new form of a line, or the line as it is.
    private mutating func changed(_ number: Int) -> [UInt8] {
        let line = script.line(number, with: active)
        guard let runs = arrivals[number] else { return line }
        let captures = script.captures.filter { $0.line == number && active.contains($0.name) }
        guard case .line(_, let hasEnding) = runs.arrow.action else { return line }
        guard let expected = script.recorded[number], line == source.lines[number - 1] else {
            if runs.differs { leave(runs, "it contains variables") }
            return line
        }
        let variants = variants(expected, runs)
        let lengths = lengths[number] ?? []
        guard variants.count > 1 || !captures.isEmpty || !lengths.isEmpty else { return line }
        guard !variants.dropFirst().contains(where: secrets.occur) else {
            leave(runs, "a secret is in what arrived")
            return source.lines[number - 1]
        }
        let pattern = LineVariants(variants, captures: captures, lengths: lengths).pattern
        return hasEnding ? patternLine(runs.arrow, pattern) : expectation(runs.arrow, pattern)
    }

    /// Returns the recorded line and what else has arrived for it.
    private func variants(_ expected: [UInt8], _ runs: LineRuns) -> [[UInt8]] {
        [expected] + Set(runs.runs.joined()).filter { $0 != expected }.sorted(by: isBefore)
    }

    /// Looks for lengths of lines that may change, such as those of Content-Length, in the lines before them.
    private mutating func findLengths() {
        let numbers = arrivals.keys.sorted()
        for (index, number) in numbers.enumerated() {
            guard let expected = script.recorded[number], let runs = arrivals[number], !expected.isEmpty else {
                continue
            }
            let variants = variants(expected, runs)
            guard variants.count > 1, LineVariants(variants, captures: []).mayChangeLength else { continue }
            for other in numbers[..<index].reversed().prefix(Self.headLines) {
                if script.sending.contains(where: { (other..<number).contains($0) }) { break }
                guard let text = script.recorded[other], let former = arrivals[other],
                    former.arrow.target.items.map(\.template.glob) == runs.arrow.target.items.map(\.template.glob),
                    LineVariants.hasNumber(expected.count, in: text)
                else { continue }
                lengths[other, default: []].insert(expected.count)
                break
            }
        }
    }

    private mutating func leave(_ runs: LineRuns, _ reason: String) {
        problems.append("\(source.name):\(runs.arrow.range.line): left as it is: \(reason)")
    }

    private func isBefore(_ left: [UInt8], _ right: [UInt8]) -> Bool { left.lexicographicallyPrecedes(right) }

    /// Returns `T<~ ^pattern$`.
    private func patternLine(_ arrow: ArrowLine, _ pattern: [UInt8]) -> [UInt8] {
        beginning(of: arrow) + Array("<~ ^".utf8) + pattern + [UInt8(ascii: "$")]
    }

    /// Returns `expect T /pattern/`, for a part of a line.
    private func expectation(_ arrow: ArrowLine, _ pattern: [UInt8]) -> [UInt8] {
        let start = beginning(of: arrow)
        let indent = start.prefix { $0 == 0x20 || $0 == 0x09 }
        let slashed = pattern.flatMap { $0 == UInt8(ascii: "/") ? [UInt8(ascii: "\\"), $0] : [$0] }
        return indent + Array("expect ".utf8) + start.dropFirst(indent.count) + Array(" /".utf8) + slashed
            + [UInt8(ascii: "/")]
    }

    /// The line up to its arrow: indentation and target.
    private func beginning(of arrow: ArrowLine) -> [UInt8] {
        let line = source.lines[arrow.range.line - 1]
        let rest = line[arrow.range.columns.lowerBound...]
        return Array(line[..<(rest.firstIndex(of: UInt8(ascii: "<")) ?? line.endIndex)])
    }

    /// Looks for a line that arrived in place of another one that also arrived in the same run.
    private mutating func findChangedOrder() {
        let numbers = arrivals.keys.sorted()
        for (index, number) in numbers.enumerated() {
            guard let expected = script.recorded[number], let runs = arrivals[number] else { continue }
            for other in numbers[(index + 1)...].prefix(50) {
                guard let second = script.recorded[other], second != expected, let others = arrivals[other],
                    others.arrow.target.items.map(\.template.glob) == runs.arrow.target.items.map(\.template.glob)
                else { continue }
                let isSwapped = zip(runs.runs, others.runs).contains { $0.contains(second) && $1.contains(expected) }
                guard isSwapped else { continue }
                hasChangedOrder = true
                problems.append(
                    "\(source.name):\(number): the order of this line and line \(other) changes between runs")
            }
        }
    }
}
