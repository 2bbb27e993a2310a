import Engine
import Results
import Script
import Sessions
import Sockets
import VM
import Wire

/// `serve`: starts a built-in service in the same loop.
struct ServeCommand: Command {
    static var description: CommandDescription {
        let mode = Parameter("MODE", .choice(EchoService.Mode.allCases.map(\.rawValue)))
        return CommandDescription(
            name: "serve", summary: "start a built-in echo service",
            forms: [
                Form(
                    .parameter(Parameter("NAME", .newSession)), .parameter(.address), .optional([.parameter(mode)]))
            ],
            text: """
                The service answers each client with the data it sends: upper-cased (MODE upper, the default), \
                unchanged (echo), or not at all (discard). Without a host it listens on 127.0.0.1. Port 0 picks a \
                free port; ${NAME.port} and ${NAME.address} hold the result. It runs until the script ends or 'close \
                NAME'.
                """,
            examples: ["serve echo :0", "open a localhost:${echo.port}"],
            caveats: [
                "NAME is not a session: open one to talk to the service."
            ])
    }

    fileprivate static let problem = "'serve' is for plain TCP and Unix sockets; use 'listen' and 'on'"

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let modeArgument = call.argument("MODE")
        let address = Value(address: try call.required("ADDRESS"))
        if let constant = address.constant, !constant.isPlainStream {
            throw ScriptError(address.argument.range, Self.problem)
        }
        compiler.emit(
            ServeInstruction(
                name: Value(name: try call.required("NAME")), address: address,
                mode: modeArgument.map { argument in
                    Value(argument, .choice(EchoService.Mode.allCases.map(\.rawValue))) {
                        EchoService.Mode(rawValue: String(decoding: $0, as: UTF8.self))
                    }
                }, range: call.range))
    }
}

private struct ServeInstruction: Instruction {
    let name: Value<String>
    let address: Value<Address>
    let mode: Value<EchoService.Mode>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        let mode = try mode?.evaluate(in: strand) ?? .upper
        let address = try address.evaluate(in: strand)
        guard address.isPlainStream, let listener = try world.listener(name, at: address) as? Listener else {
            throw Failure(
                .expectation, ServeCommand.problem,
                range: self.address.argument.range)
        }
        let service = BuiltInService(
            name: name, EchoService(listener: listener, mode: mode, on: world.loop), in: world)
        world.sessions.add(service, named: name)
        strand.holdings?.open(service)
        let bound = listener.address.description
        world.transcript.statement("serve \(name) \(quotedArgument(bound)) \(mode.rawValue)")
        world.transcript.note("\(name): listening on \(bound)")
        return .next
    }
}

/// An echo service started by a script.
private final class BuiltInService: Service, Resource {
    let kind = "service"
    private let name: String
    private let service: EchoService
    private unowned let world: World

    init(name: String, _ service: EchoService, in world: World) {
        self.name = name
        self.service = service
        self.world = world
    }

    var location: String { service.address.description }
    var isOpen: Bool { world.sessions.service(named: name) === self }

    func close() { world.close(self, named: name) }

    func stop() { service.close() }
}
