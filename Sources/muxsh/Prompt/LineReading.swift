import Engine
import Script
import Sessions

/// What typed lines mean at a prompt: statements, text to send while talking, names of sessions.
struct LineReading {
    private let world: World
    private let seat: Seat
    private let commands: CommandTable

    init(_ world: World, _ seat: Seat, _ commands: CommandTable) {
        self.world = world
        self.seat = seat
        self.commands = commands
    }

    /// Returns the statement that a line represents: the line itself, or in talk mode the result of `Talk`. Returns nil
    /// when it has ended the talk.
    ///
    /// - Parameter isInside: whether the line continues a statement.
    func statement(of line: String, isInside: Bool) -> String? {
        guard let talk = seat.talk, !isInside else { return switching(withoutPrompt(line)) }
        if line.isEmpty, let name = talk.onlyTarget, world.openings[name] != nil,
            world.sessions[name]?.inputHasEnded ?? true
        {
            return "reopen \(name)"
        }
        switch talk.withOpenTargets(in: world).read(line) {
        case .statement(let statement): return statement
        case .end:
            if seat === world.seat { world.talk = nil } else { seat.talk = nil }
            return nil
        }
    }

    /// Returns the password that a hidden line is; nil if it is a command.
    func password(in line: String) -> String? {
        guard seat.talk != nil, !line.isEmpty else { return nil }
        guard line.hasPrefix(":") else { return line }
        let text = String(line.dropFirst())
        if text.hasPrefix(":") { return text }
        let word = String(text.prefix { $0 != " " })
        let isCommand =
            word.isEmpty || commands[word] != nil || world.definitions[word] != nil
            || world.sessions[String(word.prefix { $0 != ">" && $0 != "<" })] != nil
        // A mistyped command is not told from a password: it must not be shown.
        return isCommand ? nil : line
    }

    /// Returns the statement that sends a password.
    func statement(ofPassword password: String) -> String {
        (seat.talk?.withOpenTargets(in: world).prefix ?? "") + Escapes.escaped(password.losslessBytes)
    }

    /// Returns a line, or what it means if it is the name of a session: to talk to that.
    private func switching(_ line: String) -> String {
        // Typed by those who are used to talk mode.
        if line.hasPrefix(":"), !line.hasPrefix("::") { return switching(String(line.dropFirst())) }
        let name = line.split(separator: " ").joined(separator: " ")
        guard world.sessions[name] != nil, commands[name] == nil, world.definitions[name] == nil else { return line }
        return "talk \(name)"
    }

    /// Returns a line without the prompt that a copy of the screen has in front of it.
    private func withoutPrompt(_ line: String) -> String {
        if line.hasPrefix(".....> ") { return String(line.dropFirst(7)) }
        // It could also be a line to send to a session of that name.
        guard line.hasPrefix("muxsh> "), world.sessions["muxsh"] == nil else { return line }
        return String(line.dropFirst(7))
    }
}

/// Forgets, once in an entry, what was already shown of the sessions that it sends to: an answer that is expected then
/// is the answer to what was sent.
struct ShownData {
    private var forgotten: Set<ObjectIdentifier> = []

    mutating func forget(for statements: [Statement], in world: World) {
        for target in statements.flatMap(\.withAllInside).compactMap(\.sendTarget) {
            for name in target.items.compactMap(\.template.literalText) {
                for session in world.sessions.matching(name)
                where forgotten.insert(ObjectIdentifier(session)).inserted { session.feed.drain() }
            }
        }
    }
}

/// The typed passwords, which become secrets.
final class Passwords {
    private var count = 0

    func keep(_ password: String, in world: World) {
        count += 1
        let name = count == 1 ? "password" : "password\(count)"
        world.secrets.add(name: name, value: password.losslessBytes)
        world.transcript.recording?.add(secret: name)
    }
}

extension Statement {
    /// The target of an arrow line or a command that sends, or nil.
    fileprivate var sendTarget: Target? {
        switch self {
        case .arrow(let arrow):
            if case .send = arrow.action { return arrow.target }
            return nil
        case .command(let call) where call.description.name == "send":
            return call.argument("T").flatMap { try? Target($0.template, range: $0.range) }
        default: return nil
        }
    }
}
