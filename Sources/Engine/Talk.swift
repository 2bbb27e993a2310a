import Reactor
import Script
import Sessions

/// A prompt: what its typed lines are sent to. The first one belongs to the run; others are attached to it.
package final class Seat {
    package var talk: Talk?
    /// Whether its user has been told how to leave talk mode.
    package var hasHintedTalk = false
    /// Who it is, for `list`.
    package let title: String
    package let since: Instant

    package init(title: String = "", since: Instant) {
        self.title = title
        self.since = since
    }
}

/// Talk mode at the prompt: every typed line is sent to the target sessions as it is, until a line ends the mode.
package struct Talk {
    /// Names and globs, as written.
    private let targets: [String]

    /// How to leave the mode, for those who did not ask for it.
    package static let hint = "each line is sent; ':' returns to the commands, ':quit' ends muxsh"

    package init(targets: [String]) {
        self.targets = targets
    }

    /// The target, if it is one name.
    package var onlyTarget: String? { targets.count == 1 && !isGlob(targets[0]) ? targets[0] : nil }

    /// The meaning of a typed line.
    package enum Line: Equatable {
        /// A statement: an arrow line for the text, or the text after a `:`.
        case statement(String)
        /// `:` alone: return to commands.
        case end
    }

    /// The talk with the targets that are still open: the same if none or all are.
    package func withOpenTargets(in world: World) -> Talk {
        let open = targets.filter { target in
            isGlob(target) || world.sessions[target].map { !$0.inputHasEnded } ?? false
        }
        return open.isEmpty ? self : Talk(targets: open)
    }

    /// Reads a typed line: `:command`, `::text` for a text that begins with `:`, `:` to return, or a text.
    package func read(_ line: String) -> Line {
        if line.hasPrefix(":"), line.dropFirst().allSatisfy({ $0 == " " || $0 == "\t" }) { return .end }
        if line.hasPrefix(":"), !line.hasPrefix("::") { return .statement(String(line.dropFirst())) }
        let text = line.hasPrefix("::") ? line.dropFirst() : line[...]
        return .statement("\(prefix)\(Escapes.escaped(String(text).losslessBytes))")
    }

    /// What a line to the targets begins with as a statement: `a,b> `.
    package var prefix: String { targets.joined(separator: ",") + "> " }

    /// Returns the entry of the history for a typed line: a statement that works in every mode.
    package func entry(for line: String) -> String {
        line.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            if case .statement(let statement) = read(String(line)) { return statement }
            return String(line)
        }.joined(separator: "\n")
    }

    /// Whether a target has sent the beginning of a line and waits: the next typed line may answer `Password: `.
    package func isAsked(in world: World) -> Bool {
        targets.contains { world.sessions.matching($0).contains(where: \.hasBegunLine) }
    }

    /// Whether a target asks for a password: what is typed is not shown.
    package func asksForPassword(in world: World) -> Bool {
        targets.contains { world.sessions.matching($0).contains(where: \.asksForPassword) }
    }

    /// Returns the prompt with the targets and their state: `a> `, `a,b 1/2> ` while answers are due, `a (closed)> `.
    ///
    /// - Parameters:
    ///   - width: the width of the screen in columns; a long list of names is replaced by the targets as written.
    ///   - countsOthers: whether what other sessions have sent is counted: not at attached prompts, which show them all.
    package func prompt(in world: World, width: Int, countsOthers: Bool = true) -> String {
        let sessions = sessions(in: world)
        var names = sessions.map(\.name).joined(separator: ",")
        if names.isEmpty || names.count > width / 3 { names = targets.joined(separator: ",") }
        let open = sessions.filter { !$0.inputHasEnded }
        guard !open.isEmpty else { return "\(names) (closed)> " }
        if open.count < sessions.count, targets.allSatisfy({ !isGlob($0) }) {
            names = open.map(\.name).joined(separator: ",")
        }
        let asked = open.filter(\.hasSent)
        let answered = asked.count(where: \.hasArrivedSinceSend)
        let others = countsOthers ? unseen(in: world, width: width) : ""
        guard open.count > 1, answered < asked.count else { return "\(names)\(others)> " }
        return "\(names) \(answered)/\(asked.count)\(others)> "
    }

    /// The names of the targets that are open, or the targets as written.
    package func targetText(in world: World) -> String {
        let open = sessions(in: world).filter { !$0.inputHasEnded }
        return (open.isEmpty ? targets : open.map(\.name)).joined(separator: ",")
    }

    private func sessions(in world: World) -> [Session] {
        var sessions: [Session] = []
        for target in targets {
            for session in world.sessions.matching(target)
            where !sessions.contains(where: { $0 === session }) {
                sessions.append(session)
            }
        }
        return sessions
    }

    /// What other sessions have sent meanwhile, and which of them have ended: ` [b 3, c closed]`, or ` [4 in 2, 1 closed]`
    /// where that is too wide; empty for nothing.
    private func unseen(in world: World, width: Int) -> String {
        let counts = world.transcript.unseenCounts
        let closed = world.sessions.all.filter { $0.inputHasEnded && !includes($0.name) }.map(\.name)
        guard !counts.isEmpty || !closed.isEmpty else { return "" }
        let all = counts.map { "\($0.name) \($0.count)" } + closed.map { "\($0) closed" }
        let text = all.joined(separator: ", ")
        if text.count <= width / 3 { return " [\(text)]" }
        let short =
            (counts.isEmpty ? [] : ["\(counts.reduce(0) { $0 + $1.count }) in \(counts.count)"])
            + (closed.isEmpty ? [] : ["\(closed.count) closed"])
        return " [\(short.joined(separator: ", "))]"
    }

    /// Whether a session is a target.
    package func includes(_ name: String) -> Bool {
        targets.contains { $0 == name || isGlob($0) && globMatches($0, name) }
    }
}
