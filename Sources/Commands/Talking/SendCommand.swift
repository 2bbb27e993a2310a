import Engine
import Glibc
import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// `send`: sends a text, bytes or a file.
struct SendCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "send", summary: "send text, bytes or a file",
            forms: [Form(.parameter(.target), .parameter(Parameter("TEXT", .text))), Form(.parameter(.target))],
            options: [
                CommandOption("--raw", "add no line ending"),
                CommandOption("--hex", Parameter("HEX", .hex), "bytes in hexadecimal, without a line ending"),
                CommandOption(
                    "--base64", Parameter("BASE64", .checked(base64Problem)), "bytes in base64, without a line ending"),
                CommandOption(
                    "--file", Parameter("PATH", .path), "the bytes of a file, read while sending"),
                CommandOption("--pace", .duration, "pause between bytes, for peers that lose what comes too fast"),
                CommandOption("--text", "send a text message (WebSocket)"),
                CommandOption("--binary", "send a binary message (WebSocket)"),
                CommandOption("--ping", "send a ping, with TEXT if it is given (WebSocket)"),
                CommandOption(
                    "--telnet", Parameter("COMMAND", .checked(telnetProblem)),
                    "send a telnet command, such as IP, AYT or \"WILL ECHO\""),
                CommandOption(
                    "--key", Parameter("KEYS", .checked(keysProblem), suggestions: TerminalKey.allNames),
                    "press keys of a terminal, such as Up, F5, C-c or \"Down Enter\" (spawn --pty)"),
                CommandOption("--wait", "wait until the kernel has accepted everything"),
            ],
            text: """
                Like 'T> TEXT', with TEXT as one argument: the session's line ending is added. A heredoc (<<END) is \
                sent line by line, each with the session's line ending; with --raw it is sent unchanged.

                Over WebSocket everything sent is one message, without a line ending: a text if it is UTF-8, else \
                binary. --hex, --base64 and --file send binary messages.
                """,
            examples: [
                "send a \"hello\"", "send a,b --raw \"no newline\"", "send a --hex \"de ad be ef\"",
                "send a --file request.bin --wait", "send a <<END\nfirst line\nsecond line\nEND",
                "send a --binary \"hello\"", "send a --telnet IP",
                "send a --key C-c",
            ],
            caveats: [
                "Quote a text that begins with --."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let target = try call.target()
        if let kind = try messageKind(call) {
            guard let text = call.argument("TEXT") else { throw ScriptError(call.range, "send needs TEXT here") }
            return compiler.emit(
                SendMessageInstruction(target: target, bytes: Value(text: text), kind: kind, range: call.range))
        }
        if let keys = call.value(ofOption: "--key") {
            return compiler.emit(KeysInstruction(target: target, argument: keys, range: call.range))
        }
        if call.has(option: "--ping") || call.has(option: "--telnet") {
            return compiler.emit(try ControlInstruction(target, call))
        }
        let sources = ["--hex", "--base64", "--file"].filter { call.has(option: $0) }
        let count = sources.count + (call.argument("TEXT") == nil ? 0 : 1)
        guard count == 1 else {
            throw ScriptError(
                count == 0 ? call.range.shifted(by: call.range.columns.count, count: 0) : call.range,
                count == 0 ? "send needs TEXT here" : "send takes one of TEXT, --hex, --base64 and --file",
                hint: count == 0 ? "write send T TEXT, or one of --hex, --base64 and --file" : nil)
        }
        if let pace = call.value(ofOption: "--pace") {
            if let path = call.value(ofOption: "--file") {
                throw ScriptError(path.range, "--pace and --file cannot be combined")
            }
            if let text = call.argument("TEXT"), text.isHeredoc, !call.has(option: "--raw") {
                throw ScriptError(text.range, "--pace takes a heredoc only with --raw")
            }
            let text = call.argument("TEXT")
            let bytes: Value<[UInt8]>
            if let text { bytes = Value(text: text) } else { bytes = try Self.bytes(call) }
            compiler.emit(
                PacedSendInstruction(
                    target: target, bytes: bytes, pace: Value(duration: pace),
                    hasEnding: text != nil && !call.has(option: "--raw"), range: call.range))
        } else if let path = call.value(ofOption: "--file") {
            compiler.emit(SendFileInstruction(target: target, path: Value(path: path), range: call.range))
        } else if let text = call.argument("TEXT") {
            compiler.emit(instruction(target, text, isRaw: call.has(option: "--raw"), call.range))
        } else {
            compiler.emit(SendBytesInstruction(target: target, bytes: try bytes(call), range: call.range))
        }
        if call.has(option: "--wait") { compiler.emit(FlushInstruction(target: target, range: call.range)) }
    }

    /// Returns the kind of message that is asked for, or nil; throws if another option excludes it.
    private static func messageKind(_ call: CommandCall) throws(ScriptError) -> MessageKind? {
        let kinds = ["--text", "--binary", "--ping", "--telnet", "--key"].filter { call.has(option: $0) }
        guard let kind = kinds.first else { return nil }
        let sources = ["--raw", "--hex", "--base64", "--file", "--pace"].filter { call.has(option: $0) }
        if let other = (kinds.dropFirst() + sources).first {
            throw ScriptError(call.range, "\(kind) and \(other) cannot be combined")
        }
        if kind == "--telnet" || kind == "--key", let text = call.argument("TEXT") {
            let example = kind == "--key" ? "Down Enter" : "WILL ECHO"
            throw ScriptError(text.range, "\(kind) takes no TEXT", hint: "quote several words: \(kind) \"\(example)\"")
        }
        return kind == "--text" ? .text : kind == "--binary" ? .binary : nil
    }

    private static func instruction(
        _ target: Target, _ text: Argument, isRaw: Bool, _ range: SourceRange
    ) -> any Instruction {
        if text.isHeredoc && !isRaw { return SendLinesInstruction(target: target, text: text.template, range: range) }
        return SendInstruction(target: target, text: text.template, hasEnding: !isRaw, range: range)
    }

    private static func bytes(_ call: CommandCall) throws(ScriptError) -> Value<[UInt8]> {
        if let argument = call.value(ofOption: "--hex") { return Value(hex: argument) }
        guard let argument = call.value(ofOption: "--base64") else {
            throw ScriptError(call.range, "send needs TEXT here")
        }
        return Value(argument, .checked(base64Problem)) { Literals.base64($0) }
    }
}

private func base64Problem(_ bytes: [UInt8]) -> String? {
    Literals.base64(bytes) == nil ? "the value is not valid base64" : nil
}

private struct SendBytesInstruction: Instruction {
    let target: Target
    let bytes: Value<[UInt8]>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let bytes = try bytes.evaluate(in: strand)
        let sessions = try strand.sessions(target, orFail: .connection)
        for session in sessions {
            if session.framing == .message {
                try session.send(message: bytes, as: .binary, line: range.line)
            } else {
                try session.send(bytes, line: range.line)
            }
        }
        return SendWait.step(for: sessions, world)
    }
}

/// Sends the lines of a text, each with the session's line ending.
private struct SendLinesInstruction: Instruction {
    let target: Target
    let text: Template
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let lines = SourceText.lines(of: try strand.expand(text))
        let sessions = try strand.sessions(target, orFail: .connection)
        return try LinesWait.step(lines, to: sessions, at: range.line, world)
    }
}

/// Waits until the kernel has accepted all sent data.
struct FlushInstruction: Instruction {
    let target: Target
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        if try strand.service(target, world) != nil { return .next }
        if target.items.count == 1, let item = target.items.first,
            world.tunnel(named: try strand.text(item.template)) != nil
        {
            return .next
        }
        let waiting = try strand.sessions(target, orFail: .connection).filter { $0.channel.bytesWaiting > 0 }
        guard !waiting.isEmpty else { return .next }
        return .wait(SendWait(waiting, maximum: 0, limit: world.defaultLimit(for: waiting)))
    }
}
