import Engine
import Results
import Script
import VM

/// `close`: sends queued data and ends sessions, or ends a service.
struct CloseCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "close", summary: "close sessions or services",
            forms: [Form(.parameter(.target))],
            options: [
                CommandOption("--reset", "reset the connection; unsent data is discarded")
            ],
            text: "Data already queued is sent first. Nothing more is received. The name can be reused afterwards.",
            examples: ["close a", "close replica*", "close a --reset"],
            caveats: [
                """
                'close' does not wait for an answer. To end only the sending side write 'T>|', then expect what is \
                still to come.
                """
            ])
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
        if let name = try strand.name(target), case (let tunnel, _?)? = world.tunnel(named: name) {
            _ = tunnel.closeConnection(named: name, reset: isReset)
            names = [name]
        } else if let service = try strand.service(target, world) {
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
