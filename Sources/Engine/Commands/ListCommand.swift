import Reactor
import Script

/// `list`: the sessions and services as a table.
struct ListCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "list", summary: "show the sessions and services",
            forms: [Form()],
            text: "A line for each: name, kind, address, state, bytes and lines sent and received, unread bytes, age.",
            examples: ["list"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(ListInstruction(range: call.range))
    }
}

private struct ListInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let sessions = interpreter.sessions.all.map { conversation in
            [
                conversation.name, conversation.session.kind.rawValue, conversation.session.peer, conversation.state,
                "\(conversation.session.bytesSent)/\(conversation.linesSent)",
                "\(conversation.session.bytesReceived)/\(conversation.linesReceived)",
                "\(conversation.session.inbox.count)", shown(interpreter.loop.readClock() - conversation.openedAt),
            ]
        }
        let services = interpreter.sessions.allServices.map { name, service in
            [name, service.kind, service.location, "listening", "-", "-", "-", "-"]
        }
        guard !(sessions + services).isEmpty else {
            interpreter.print(Array("no sessions; open one: open NAME ADDRESS".utf8))
            return .next
        }
        let heading = ["NAME", "KIND", "ADDRESS", "STATE", "SENT B/L", "RECEIVED B/L", "UNREAD", "AGE"]
        for line in table([heading] + sessions + services) { interpreter.print(Array(line.utf8)) }
        return .next
    }

    /// The rows with their columns aligned, two blanks between.
    private func table(_ rows: [[String]]) -> [String] {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            return line
        }
    }
}

extension Conversation {
    /// The state of both directions in a word or two.
    var state: String {
        switch (session.input, session.output) {
        case (.open, .open): "open"
        case (.open, _): "half-closed by us"
        case (.ended, .open), (.ended, .ending): "half-closed by peer"
        case (.reset, _): "reset"
        case (.cut, _): "cut"
        default: "closed"
        }
    }
}
