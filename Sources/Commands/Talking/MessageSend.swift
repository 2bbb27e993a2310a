import Engine
import Results
import Script
import Sessions
import VM
import Wire

/// Returns the problem with a telnet command, or nil.
func telnetProblem(_ bytes: [UInt8]) -> String? {
    TelnetCommand(bytes) == nil
        ? "'\(Escapes.visible(bytes))' is not a telnet command; write one of "
            + TelnetCommand.names.joined(separator: ", ") + ", or WILL, WONT, DO or DONT and an option" : nil
}

/// Sends a text or binary message (WebSocket).
struct SendMessageInstruction: Instruction {
    let target: Target
    let bytes: Value<[UInt8]>
    let kind: MessageKind
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let bytes = try bytes.evaluate(in: strand)
        let sessions = try strand.sessions(target, orFail: .connection)
        for session in sessions { try session.send(message: bytes, as: kind, line: range.line) }
        return SendWait.step(for: sessions, strand.world)
    }
}

/// Sends what belongs to the protocol of a session and not to its data.
struct ControlInstruction: Instruction {
    let target: Target
    let ping: Value<[UInt8]>?
    let command: Value<TelnetCommand>?
    let argument: Argument?
    let range: SourceRange

    init(_ target: Target, _ call: CommandCall) throws(ScriptError) {
        self.target = target
        range = call.range
        argument = call.value(ofOption: "--telnet")
        command = argument.map { argument in
            Value(argument, .checked(telnetProblem)) { TelnetCommand($0) }
        }
        ping = call.argument("TEXT").map { Value(text: $0) }
    }

    func execute(in strand: Strand) throws(Failure) -> Step {
        let control: LayerControl
        var options: String
        if let command = try command?.evaluate(in: strand) {
            control = .telnet(command)
            let text = try argument.map { argument throws(Failure) in try strand.text(argument.template) } ?? ""
            options = "--telnet \(quotedArgument(text))"
        } else {
            let data = try ping?.evaluate(in: strand) ?? []
            control = .ping(data)
            options = "--ping" + (data.isEmpty ? "" : " \(quotedArgument(String(lossless: data)))")
        }
        for session in try strand.sessions(target, orFail: .connection) {
            try session.send(control)
            strand.world.transcript.statement("send \(session.name) \(options)")
        }
        return .next
    }
}

/// Returns the problem with the names of keys, or nil.
func keysProblem(_ bytes: [UInt8]) -> String? {
    let names = keyNames(bytes)
    guard let wrong = names.first(where: { TerminalKey($0) == nil }) ?? (names.isEmpty ? "" : nil) else { return nil }
    return "'\(visible(wrong))' is not a key; write one of \(TerminalKey.allNames.prefix(15).joined(separator: ", ")), "
        + "F1 to F12, or a character, with C- (Control), M- (Alt) or S- (Shift) in front"
}

private func keyNames(_ bytes: [UInt8]) -> [String] {
    bytes.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
}

/// Presses keys on the terminal of a program.
struct KeysInstruction: Instruction {
    let target: Target
    let argument: Argument
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let text = try strand.text(argument.template)
        if let problem = keysProblem(Array(text.utf8)) { throw Failure(.expectation, problem, range: argument.range) }
        let keys = keyNames(Array(text.utf8)).compactMap { TerminalKey($0) }
        for session in try strand.sessions(target, orFail: .connection) {
            try session.press(keys)
            strand.world.transcript.statement("send \(session.name) --key \(quotedArgument(text))")
        }
        return .next
    }
}
