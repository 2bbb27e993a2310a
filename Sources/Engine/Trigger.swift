import CPlatform
import Reactor
import Results
import Script
import Sessions
import VM

/// A trigger set by `on`: whenever a line of a session matches, a block runs alongside the script.
package final class Trigger: Resource {
    /// What a line must contain.
    package enum Pattern {
        case text([UInt8])
        case regex(Regex)
        /// An event instead of a line.
        case event(Event)
    }

    /// An event of a session.
    package enum Event: String, CaseIterable {
        /// A listener has accepted it.
        case connect
        /// The peer has ended its side, and all lines before that have been judged.
        case eof
        /// The connection was reset.
        case reset
    }

    package let range: SourceRange
    /// The title of its strands in failures.
    package let title: String
    /// Names and globs of sessions, including sessions that open later.
    package let targets: [String]
    package let program: Program
    package let environment: Strand.Environment
    /// The triggers it belongs to while it is set.
    package weak var owner: Triggers?
    /// The strand of `parallel` that has set it, which it ends with; nil for the others.
    package let strand: ObjectIdentifier?
    private var excluded: [String] = []
    /// How often its block was started, and when last.
    private(set) var count = 0
    private var lastAt: Instant?
    private let pattern: Pattern
    /// Whether it looks at the beginning of a line whose end has not arrived, instead of at whole lines.
    let isPrompt: Bool

    package init(
        targets: [String], pattern: Pattern, isPrompt: Bool = false, program: Program,
        environment: Strand.Environment, strand: ObjectIdentifier? = nil, range: SourceRange
    ) {
        self.range = range
        title = "on " + targets.joined(separator: ",")
        self.targets = targets
        self.pattern = pattern
        self.isPrompt = isPrompt
        self.strand = strand
        self.program = program
        self.environment = environment
    }

    package var isOpen: Bool { owner != nil }

    /// Notes that its block starts.
    func noteStart(at time: Instant) {
        count += 1
        lastAt = time
    }

    /// The line that has set it, and how often and when it matched, for people.
    func description(at now: Instant) -> (line: String, use: String) {
        let text = String(lossless: Array(range.lineText[range.columns.lowerBound...])).split(separator: " ")
        let line = text.last == "{" ? text.dropLast() : text[...]
        let last = lastAt.map { ", last \(shown(now - $0)) ago" } ?? ""
        return (line.joined(separator: " "), (count == 1 ? "once" : "\(count) times") + last)
    }

    /// The event that starts its block; nil if lines do.
    var event: Event? { if case .event(let event) = pattern { event } else { nil } }

    package func close() { owner?.remove(self) }

    func applies(to session: Session) -> Bool {
        session.isMeant(by: targets) && !session.isMeant(by: excluded)
    }

    /// Stops applying to sessions with these names and globs.
    func exclude(_ targets: [String]) {
        excluded += targets
    }

    /// Returns the match in a whole line, or nil; throws if the pattern is too complex.
    package func match(_ line: UnsafeRawBufferPointer) throws(Failure) -> Match? {
        isPrompt ? nil : try search(line)
    }

    /// Returns the match in a line whose end has not arrived, or nil; it consumes at least one byte.
    func match(prompt part: UnsafeRawBufferPointer) throws(Failure) -> Match? {
        guard isPrompt, let match = try search(part), match.end > 0 else { return nil }
        return match
    }

    private func search(_ line: UnsafeRawBufferPointer) throws(Failure) -> Match? {
        switch pattern {
        case .text(let text):
            return line.position(of: text).map { Match(start: $0, end: $0 + text.count, captures: [text]) }
        case .regex(let regex):
            switch regex.search(line, from: 0, isWhole: true, beginsLine: true) {
            case .match(let groups):
                let values = groups.map { $0.map { Array(line[$0]) } }
                let whole = groups.first.flatMap { $0 } ?? 0..<0
                // A carriage return inside a line does not begin another one, which `mayMatch` could not foresee.
                guard whole.lowerBound == 0 || !regex.matchesAtLineStartOnly else { return nil }
                return Match(start: whole.lowerBound, end: whole.upperBound, captures: values, groups: regex.groups)
            case .none, .partial, .paused: return nil
            case .limit(let why): throw Failure(.expectation, "pattern too complex: \(why)", range: range)
            }
        case .event: return nil
        }
    }

    /// Whether a whole line matches or cannot be judged.
    func concerns(_ line: UnsafeRawBufferPointer) -> Bool {
        do throws(Failure) {
            return try match(line) != nil
        } catch {
            return true
        }
    }

    /// Whether a line that begins with `part` may match.
    func mayMatch(_ part: UnsafeRawBufferPointer) -> Bool {
        guard event == nil else { return false }
        guard !isPrompt else { return true }
        guard case .regex(let regex) = pattern, regex.matchesAtLineStartOnly else { return true }
        return regex.search(part, from: 0, isWhole: false, beginsLine: true) != .none
    }

    /// Whether its block, or a command that the block calls, may read from `session`.
    func mayRead(_ session: Session, _ definitions: Definitions) -> Bool {
        var pending = [program.reach]
        var seen: Set<String> = []
        while let reach = pending.popLast() {
            if reach.readsOwnSession || session.isMeant(by: reach.targets) || session.isMeant(by: reach.drained) {
                return true
            }
            for name in reach.calls where seen.insert(name).inserted {
                if let definition = definitions[name] { pending.append(definition.program.reach) }
            }
        }
        return false
    }
}

extension Session {
    /// Whether one of these names and globs matches the session.
    func isMeant(by targets: some Sequence<String>) -> Bool {
        targets.contains { target in
            isGlob(target)
                ? globMatches(target, name) || formerName.map { globMatches(target, $0) } == true : isNamed(target)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Returns where `text` begins, or nil.
    fileprivate func position(of text: [UInt8]) -> Int? {
        guard let base = baseAddress, count >= text.count else { return text.isEmpty ? 0 : nil }
        return text.withUnsafeBytes { c_memmem(base, count, $0.baseAddress, $0.count) }.map { $0 - base }
    }
}
