import Reactor
import Script

/// `show`: all about one session or service.
struct ShowCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "show", summary: "show all about a session",
            forms: [Form(.parameter(Parameter("NAME", .session)))],
            text: "Address, state of both directions, options, what was sent and received and what is unread.",
            examples: ["show a"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(ShowInstruction(target: try call.target("NAME"), range: call.range))
    }
}

private struct ShowInstruction: Instruction {
    let target: Target
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        if let item = target.items.first,
            let service = interpreter.sessions.service(named: try strand.text(item.template))
        {
            show(
                [(service.kind, try strand.text(item.template)), ("address", service.location)], interpreter)
            return .next
        }
        for conversation in try strand.conversations(target, orFail: .expectation) {
            show(facts(of: conversation, interpreter), interpreter)
        }
        return .next
    }

    private func facts(of conversation: Conversation, _ interpreter: Interpreter) -> [(String, String)] {
        let session = conversation.session
        let limit = interpreter.defaultLimit(for: [conversation])
        return [
            ("session", conversation.name),
            ("kind", session.kind.rawValue),
            ("address", "\(conversation.address) (\(session.peer))"),
            ("open for", shown(interpreter.loop.readClock() - conversation.openedAt)),
            ("peer's side", conversation.inputState),
            ("our side", conversation.outputState),
            ("sent", "\(shown(bytes: session.bytesSent)), \(conversation.linesSent) lines"),
            ("received", "\(shown(bytes: session.bytesReceived)), \(conversation.linesReceived) lines"),
            ("waiting to be sent", shown(bytes: session.bytesWaiting)),
            ("unread", "\(shown(bytes: session.inbox.count)) of at most \(shown(bytes: session.inbox.limit))"),
            ("eol", conversation.lineEnding.rawValue),
            ("frame", conversation.framing.rawValue),
            ("timeout", shown(limit)),
        ] + (session.tls?.facts ?? [])
    }

    private func show(_ facts: [(String, String)], _ interpreter: Interpreter) {
        for (name, value) in facts {
            let padding = String(repeating: " ", count: max(1, 20 - name.count))
            interpreter.page(name + padding + value.replacing("\n", with: " "))
        }
    }
}
