import Engine
import Results
import Script
import Sockets
import VM
import Wire

/// `tunnel`: relays connections to a server, beside the script.
struct TunnelCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "tunnel", summary: "relay connections to a server, with faults on command",
            forms: [
                Form(
                    .parameter(Parameter("NAME", .newListener)), .parameter(.address), .keyword("to"),
                    .parameter(Parameter("SERVER", Parameter.address.kind)))
            ],
            options: [CommandOption("--tls", "act as TLS server for the clients")] + TLSCommandOptions.ofBothSides
                + TLSCommandOptions.ofClients,
            text: """
                It accepts connections at ADDRESS, connects to SERVER for each, and relays both directions unchanged, \
                beside the script, until 'close NAME'. Port 0 picks a free port, ${NAME.port}. 'fault' makes the \
                network bad. Its connections are NAME.1, NAME.2 and so on; they are not sessions: 'list' and 'show' \
                show them, 'close NAME.1' ends one, and 'expect NAME connections N' waits for their number.

                --cert and --key are for the clients (--tls), the other TLS options for a tls:// SERVER. With udp:// \
                on both sides it relays datagrams.
                """,
            examples: [
                "tunnel t :0 to localhost:6379\nopen a localhost:${t.port}\nfault t down delay 200ms"
            ],
            caveats: [
                "If nothing listens at SERVER, the client's connection is reset, and a note gives the reason."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let ends = [try call.required("ADDRESS"), try call.required("SERVER")].map { Value(address: $0) }
        for end in ends {
            if let problem = end.constant.flatMap(tunnelProblem) { throw ScriptError(end.argument.range, problem) }
        }
        compiler.emit(
            TunnelInstruction(
                name: Value(name: try call.required("NAME")), address: ends[0], server: ends[1],
                hasTLS: call.has(option: "--tls"),
                tls: TLSCommandOptions(call), range: call.range))
    }
}

private struct TunnelInstruction: Instruction {
    let name: Value<String>
    let address: Value<Address>
    let server: Value<Address>
    let hasTLS: Bool
    let tls: TLSCommandOptions
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        let address = try address.evaluate(in: strand)
        let server = try server.evaluate(in: strand)
        guard address.isUDP == server.isUDP else {
            throw Failure(.expectation, "both addresses of a tunnel are udp://, or none", range: range)
        }
        for (address, argument) in [(address, self.address.argument), (server, self.server.argument)] {
            if let problem = tunnelProblem(address) { throw Failure(.expectation, problem, range: argument.range) }
        }
        var options = try tls.evaluate(in: strand)
        let shown = options.arguments
        let serverContext = hasTLS || address.isTLS ? try context(of: &options, for: name) : nil
        let clientContext = server.isTLS ? try options.context(.client, for: name) : nil
        let listener = try world.listener(name, at: address)
        let tunnel = Tunnel(
            name: name, listener: listener, to: server, serverContext: serverContext, clientContext: clientContext,
            world)
        world.sessions.add(tunnel, named: name)
        strand.holdings?.open(tunnel)
        let parts = ["tunnel", name, quotedArgument(tunnel.location), "to", quotedArgument(server.description)] + shown
        world.transcript.statement(parts.joined(separator: " "))
        world.transcript.note("\(name): listening on \(tunnel.location)")
        return .next
    }

    /// Returns the context for the clients, and removes its certificate from the options for the server.
    private func context(of options: inout TLSOptions, for name: String) throws(Failure) -> TLSContext {
        var own = TLSOptions()
        (own.certificate, own.key, own.keyPassword) = (options.certificate, options.key, options.keyPassword)
        (options.certificate, options.key, options.keyPassword) = (nil, nil, nil)
        return try own.context(.server, for: name)
    }
}

/// Returns why an address cannot be an end of a tunnel, or nil.
private func tunnelProblem(_ address: Address) -> String? {
    switch address.scheme {
    case .ws, .wss, .telnet: "a tunnel relays bytes as they are: write \(address.isTLS ? "tls://" : "")HOST:PORT"
    case .tcp, .tls, .udp, nil: nil
    }
}
