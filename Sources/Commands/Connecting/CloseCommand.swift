import Engine
import Results
import Script
import Sessions
import VM
import Wire

/// `close`: sends queued data and ends sessions, or ends a service.
struct CloseCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "close", summary: "close sessions or services",
            forms: [Form(.parameter(.target))],
            options: [
                CommandOption("--reset", "reset the connection; unsent data is discarded"),
                CommandOption(
                    "--code", Parameter("N", .checked(codeProblem)), "close code of a WebSocket: 1000 to 4999 (1000)"),
                CommandOption(
                    "--reason", Parameter("TEXT", .checked(reasonProblem)),
                    "reason of a WebSocket's close; needs --code"),
            ],
            text: "Data already queued is sent first. Nothing more is received. The name can be reused afterwards.",
            examples: ["close a", "close replica*", "close a --reset", "close a --code 1001 --reason \"going away\""],
            caveats: [
                """
                'close' does not wait for an answer. To end only the sending side write 'T>|', then expect what is \
                still to come.
                """
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let instruction = CloseInstruction(
            target: try call.target(), isReset: call.has(option: "--reset"),
            code: call.value(ofOption: "--code").map { argument in
                Value(argument, .checked(codeProblem)) { UInt16(String(decoding: $0, as: UTF8.self)) }
            },
            reason: call.value(ofOption: "--reason").map { argument in
                Value(argument, .checked(reasonProblem)) { reasonProblem($0) == nil ? $0 : nil }
            }, range: call.range)
        if instruction.isReset, instruction.code != nil {
            throw ScriptError(call.range, "--reset sends no close code: leave one of them out")
        }
        if instruction.reason != nil, instruction.code == nil {
            throw ScriptError(call.range, "--reason needs --code")
        }
        if !instruction.isReset { compiler.emit(FlushInstruction(target: instruction.target, range: call.range)) }
        compiler.emit(instruction)
    }
}

/// Returns the problem with a close code, or nil (RFC 6455, section 7.4).
private func codeProblem(_ bytes: [UInt8]) -> String? {
    guard let code = UInt16(String(decoding: bytes, as: UTF8.self)), (1000...4999).contains(code) else {
        return "'\(Escapes.visible(bytes))' is not a close code; write a number from 1000 to 4999"
    }
    return [1004, 1005, 1006, 1015].contains(code) ? "close code \(code) is never sent (RFC 6455, 7.4.1)" : nil
}

/// Returns the problem with the reason of a close, or nil (RFC 6455, section 5.5.1).
private func reasonProblem(_ bytes: [UInt8]) -> String? {
    if bytes.count > 123 { return "a reason has at most 123 bytes, not \(bytes.count)" }
    return String(validating: bytes, as: UTF8.self) == nil ? "the reason is not UTF-8" : nil
}

private struct CloseInstruction: Instruction {
    let target: Target
    let isReset: Bool
    let code: Value<UInt16>?
    let reason: Value<[UInt8]>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        var names: [String] = []
        var losses: [String] = []
        var options = isReset ? " --reset" : ""
        let closing = try closing(in: strand)
        if case .close(let code, let reason)? = closing {
            let text = reason.isEmpty ? "" : " --reason \(quotedArgument(String(lossless: reason)))"
            options = " --code \(code)\(text)"
        }
        if let name = try strand.name(target), case (let tunnel, _?)? = world.tunnel(named: name) {
            _ = tunnel.closeConnection(named: name, reset: isReset)
            names = [name]
        } else if let service = try strand.service(target, world) {
            world.sessions.removeService(service)
            names = [service]
        } else {
            for session in try strand.sessions(target, orFail: .connection) {
                session.voice.showRest()
                if let closing { try session.send(closing) }
                if !isReset, let loss = session.takeLoss() { losses.append("\(session.name): \(loss)") }
                world.sessions.remove(session.name, reset: isReset)
                names.append(session.name)
            }
        }
        for name in names { world.transcript.statement("close \(name)\(options)") }
        if let loss = losses.first {
            throw Failure(.connection, loss, details: Array(losses.dropFirst()), range: range)
        }
        return .next
    }

    /// Returns the close frame to send, or nil.
    private func closing(in strand: Strand) throws(Failure) -> LayerControl? {
        guard let code = try code?.evaluate(in: strand) else { return nil }
        return .close(code: code, reason: try reason?.evaluate(in: strand) ?? [])
    }
}

extension Strand {
    /// Returns the name that a target of one item is; nil for other targets.
    fileprivate func name(_ target: Target) throws(Failure) -> String? {
        guard target.items.count == 1, let item = target.items.first else { return nil }
        return try text(item.template)
    }

    /// Returns the name of the service that a target of one name refers to, or nil.
    func service(_ target: Target, _ world: World) throws(Failure) -> String? {
        guard target.items.count == 1, let item = target.items.first else { return nil }
        let name = try text(item.template)
        return world.sessions.service(named: name) == nil ? nil : name
    }
}
