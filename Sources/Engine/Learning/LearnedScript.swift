import Script

/// A recorded script with captures for the values that the server gave and the script sends back.
package struct LearnedScript {
    /// The lines of the file.
    private let lines: [[UInt8]]
    package let captures: [LearnedCapture]
    /// The text that each expected line has in the file; none for those with variables.
    let recorded: [Int: [UInt8]]
    /// The lines that send.
    let sending: Set<Int>
    /// Where captured values are sent or expected again: by line, the ranges and the names, from left to right.
    private let uses: [Int: [(range: Range<Int>, name: String)]]

    /// - Parameters:
    ///   - lines: the lines of the file.
    ///   - statements: its statements.
    ///   - names: the names that variables have in it.
    package init(lines: [[UInt8]], statements: [Statement], source: SourceText, names: Set<String>) {
        self.lines = lines
        let arrows = statements.flatMap(\.withAllInside).compactMap { statement -> ArrowLine? in
            guard case .arrow(let arrow) = statement, arrow.range.source === source else { return nil }
            return arrow
        }
        let all = statements.flatMap(\.withAllInside)
        let starts = all.map(\.range).filter { $0.source === source }.map(\.line).sorted()
        let sends = all.compactMap { statement -> ClosedRange<Int>? in
            guard statement.range.source === source, statement.sendsText else { return nil }
            let first = statement.range.line
            // A heredoc extends to the next statement.
            let last = (starts.first { $0 > first } ?? lines.count + 1) - 1
            return first...(statement.isSingleArrow ? first : last)
        }
        var finder = Finder(lines: lines, names: names)
        var recorded: [Int: [UInt8]] = [:]
        for arrow in arrows {
            guard case .line(let template, _) = arrow.action, let text = template.literal else { continue }
            recorded[arrow.range.line] = text
            finder.find(in: text, at: arrow.range.line, sends: sends, arrows: arrows)
        }
        self.recorded = recorded
        sending = Set(sends.map(\.lowerBound))
        captures = finder.captures
        uses = finder.uses.mapValues { $0.sorted { $0.range.lowerBound < $1.range.lowerBound } }
    }

    /// Whether a date is in an expected line: within a second it may be the same in all runs.
    package var hasDates: Bool {
        let dates = DateShape()
        return recorded.values.contains(where: dates.occurs)
    }

    /// Returns the text with `${NAME}` for the values of these captures.
    package func text(with active: Set<String>) -> [[UInt8]] {
        lines.indices.map { line($0 + 1, with: active) }
    }

    /// Returns a line, numbered from 1, with `${NAME}` for the values of these captures.
    package func line(_ number: Int, with active: Set<String>) -> [UInt8] {
        var line = lines[number - 1]
        for (range, name) in (uses[number] ?? []).reversed() where active.contains(name) {
            line.replaceSubrange(range, with: Array("${\(name)}".utf8))
        }
        return line
    }

    /// Looks for values that are received first and sent later.
    private struct Finder {
        let lines: [[UInt8]]
        var names: Set<String>
        var captures: [LearnedCapture] = []
        var uses: [Int: [(range: Range<Int>, name: String)]] = [:]
        private var taken: Set<[UInt8]> = []

        init(lines: [[UInt8]], names: Set<String>) {
            self.lines = lines
            self.names = names
        }

        mutating func find(in text: [UInt8], at line: Int, sends: [ClosedRange<Int>], arrows: [ArrowLine]) {
            var covered: [Range<Int>] = []
            for range in Token.values(in: text).sorted(by: { $0.count > $1.count }) {
                let value = Array(text[range])
                guard !taken.contains(value), !covered.contains(where: { $0.overlaps(range) }) else { continue }
                let places = sends.flatMap { lines in lines.filter { occurs(value, inLine: $0) } }
                guard let first = places.min(), first > line else { continue }
                taken.insert(value)
                covered.append(range)
                let name = name(before: range, in: text)
                captures.append(LearnedCapture(name: name, line: line, text: text, range: range))
                let expected = arrows.filter { $0.expectsLine && $0.range.line > line }.map(\.range.line)
                for place in Set(places + expected) { use(value, name, inLine: place) }
            }
        }

        private func occurs(_ value: [UInt8], inLine line: Int) -> Bool {
            !Token.occurrences(of: value, in: lines[line - 1]).isEmpty
        }

        private mutating func use(_ value: [UInt8], _ name: String, inLine line: Int) {
            for range in Token.occurrences(of: value, in: lines[line - 1])
            where uses[line]?.contains(where: { $0.range.overlaps(range) }) != true {
                uses[line, default: []].append((range, name))
            }
        }

        /// Returns a new name for a value: the word before it.
        private mutating func name(before range: Range<Int>, in text: [UInt8]) -> String {
            var end = range.lowerBound
            while end > 0, !Token.isWord(text[end - 1]) { end -= 1 }
            var start = end
            while start > 0, Token.isWord(text[start - 1]) { start -= 1 }
            var base = String(decoding: text[start..<end], as: UTF8.self).lowercased()
            let isName = base.unicodeScalars.first.map { ("a"..."z").contains($0) } == true && base.utf8.count <= 24
            if !isName || Checker.hasMeaning(base) { base = "value" }
            var name = base
            var number = 1
            while names.contains(name) {
                number += 1
                name = "\(base)\(number)"
            }
            names.insert(name)
            return name
        }
    }
}

extension ArrowLine {
    fileprivate var expectsLine: Bool { if case .line = action { true } else { false } }
}

extension Statement {
    fileprivate var isSingleArrow: Bool { if case .arrow = self { true } else { false } }

    /// Whether it sends text in which variables are expanded.
    fileprivate var sendsText: Bool {
        switch self {
        case .arrow(let arrow): if case .send = arrow.action { true } else { false }
        case .command(let call):
            call.description.name == "send" && !call.has(option: "--hex") && !call.has(option: "--base64")
                && !call.has(option: "--file") && !call.range.lineText.contains(UInt8(ascii: "'"))
        case .invocation: false
        }
    }
}
