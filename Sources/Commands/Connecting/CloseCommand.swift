import Engine
import Results
import Script
import VM

/// `close`: sends what waits and ends sessions, or ends a service.
struct CloseCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "close", summary: "end sessions, or a service",
            forms: [Form(.parameter(.target))],
            options: [
                CommandOption("--reset", "cut the connection: the peer sees a reset, and what waits is not sent")
            ],
            text: """
                What was sent goes out first; what the peer still says is not waited for. The name is free afterwards. \
                'T>|' ends only our side.
                """,
            examples: ["close a", "close replica*", "close a --reset"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let instruction = CloseInstruction(
            target: try call.target(), isReset: call.has(option: "--reset"), range: call.range)
        if !instruction.isReset { compiler.emit(FlushInstruction(target: instruction.target, range: call.range)) }
        compiler.emit(instruction)
    }
}

private struct CloseInstruction: Instruction {
    let target: Target
    let isReset: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        var names: [String] = []
        var losses: [String] = []
        if let service = try strand.service(target, world) {
            world.sessions.removeService(service)
            names = [service]
        } else {
            for session in try strand.sessions(target, orFail: .connection) {
                session.voice.showRest()
                if !isReset, let loss = session.takeLoss() { losses.append("\(session.name): \(loss)") }
                world.sessions.remove(session.name, reset: isReset)
                names.append(session.name)
            }
        }
        for name in names { world.transcript.statement("close \(name)" + (isReset ? " --reset" : "")) }
        if let loss = losses.first {
            throw Failure(.connection, loss, details: Array(losses.dropFirst()), range: range)
        }
        return .next
    }
}

extension Strand {
    /// The name of the service that a target of one name is, or nil.
    func service(_ target: Target, _ world: World) throws(Failure) -> String? {
        guard target.items.count == 1, let item = target.items.first else { return nil }
        let name = try text(item.template)
        return world.sessions.service(named: name) == nil ? nil : name
    }
}
