import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// `list`: shows the sessions and services as a table.
struct ListCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "list", summary: "list the sessions and services",
            forms: [Form()],
            text: """
                One line each: name, kind, address, state, bytes and lines sent and received, unread bytes and age. \
                At the prompt, columns that do not fit the screen are left out. The triggers follow, with how often \
                and when they matched.
                """,
            examples: ["list"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(ListInstruction(range: call.range))
    }
}

private struct ListInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let sessions = world.sessions.all.map { session in
            [
                session.name, session.channel.kind.rawValue, session.channel.peer,
                session.state + (world.transcript.isMuted(session.name) ? ", muted" : ""),
                "\(session.channel.bytesSent)/\(session.linesSent)",
                "\(session.channel.bytesReceived)/\(session.linesReceived)",
                "\(session.unreadCount)", shown(world.loop.readClock() - session.openedAt),
            ]
        }
        let services = world.sessions.allServices.map { name, service in
            [name, service.kind, service.location, "listening", "-", "-", "-", "-"]
        }
        let relayed = world.sessions.allServices.compactMap { $0.service as? Tunnel }.flatMap(\.rows).map { row in
            [
                row.name, "relayed", row.peer, row.faults.isEmpty ? "open" : row.faults, "\(row.up)", "\(row.down)",
                "-", "-",
            ]
        }
        let now = world.loop.readClock()
        let guests = world.guests.map { "attached: \($0.title), \(shown(now - $0.since))" }
        guard !(sessions + services).isEmpty else {
            world.print(Array("no sessions; open one: open NAME ADDRESS".utf8))
            for line in guests { world.page(line) }
            return .next
        }
        let heading = ["NAME", "KIND", "ADDRESS", "STATE", "SENT B/L", "RECEIVED B/L", "UNREAD", "AGE"]
        let table = TextTable(
            [heading] + sessions + services + relayed, leastImportant: [7, 4, 5, 6, 1, 2], cuttable: 2)
        for line in table.lines(width: world.output.width) { world.page(line) }
        for (line, use) in world.triggers.rows() { world.page("\(line)  (\(use))") }
        for line in guests { world.page(line) }
        return .next
    }
}

extension Session {
    /// A short description of the state of both directions.
    var state: String {
        if let ending = child?.ending, inputHasEnded { return ending.description }
        return switch (channel.input, channel.output) {
        case (.open, .open): "open"
        case (.open, _): "half-closed by us"
        case (.ended, .open), (.ended, .ending): "half-closed by peer"
        case (.reset, _): "reset"
        case (.cut, _): "cut"
        default: "closed"
        }
    }
}
