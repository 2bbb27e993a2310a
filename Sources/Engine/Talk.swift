import Script
import Sessions

/// Talking from the prompt: every line goes to some sessions as it is, until a line says otherwise.
package struct Talk {
    /// Names and globs, as they were written.
    private let targets: [String]

    package init(targets: [String]) {
        self.targets = targets
    }

    /// What a typed line is.
    package enum Line: Equatable {
        /// A statement: an arrow line for the text, or what stood behind a `:`.
        case statement(String)
        /// `:` alone: back to commands.
        case end
    }

    /// Reads a typed line: `:command`, `::text` for a text that begins with `:`, `:` to go back, or a text.
    package func read(_ line: String) -> Line {
        if line.hasPrefix(":"), line.dropFirst().allSatisfy({ $0 == " " || $0 == "\t" }) { return .end }
        if line.hasPrefix(":"), !line.hasPrefix("::") { return .statement(String(line.dropFirst())) }
        let text = line.hasPrefix("::") ? line.dropFirst() : line[...]
        return .statement("\(targets.joined(separator: ","))> \(Escapes.escaped(String(text).losslessBytes))")
    }

    /// Whether one of them has begun to say something and waits: a line may then be the answer to `Password: `.
    package func isAsked(in world: World) -> Bool {
        targets.contains { world.sessions.matching($0).contains(where: \.hasBegunLine) }
    }

    /// Who is talked to, and how it stands: `a> `, `a,b 1/2> ` while answers are due, `a (closed)> `.
    ///
    /// - Parameter width: the columns of the screen; a long list of names gives way to what was written.
    package func prompt(in world: World, width: Int) -> String {
        var sessions: [Session] = []
        for target in targets {
            for session in world.sessions.matching(target)
            where !sessions.contains(where: { $0 === session }) {
                sessions.append(session)
            }
        }
        var names = sessions.map(\.name).joined(separator: ",")
        if names.isEmpty || names.count > width / 3 { names = targets.joined(separator: ",") }
        let open = sessions.filter { !$0.inputHasEnded }
        guard !open.isEmpty else { return "\(names) (closed)> " }
        let asked = open.filter(\.hasSent)
        let answered = asked.count(where: \.hasArrivedSinceSend)
        guard sessions.count > 1, answered < asked.count else { return "\(names)> " }
        return "\(names) \(answered)/\(asked.count)> "
    }
}
