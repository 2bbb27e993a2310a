import Engine
import Results
import Script
import Sessions
import Sockets
import VM
import Wire

/// `listen`: accepts connections.
struct ListenCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "listen", summary: "accept connections",
            forms: [Form(.parameter(Parameter("NAME", .newListener)), .parameter(.address))],
            options: [
                CommandOption("--eol", .lineEnding, "line ending to send: lf, crlf, cr, nul or none"),
                CommandOption("--frame", .framing, "framing, such as raw or u16; see 'help frames'"),
                CommandOption("--tls", "act as TLS server on each connection"),
                CommandOption("--ws", "accept WebSockets; with --tls, as at a wss:// address"),
                CommandOption("--telnet", "speak telnet"),
                CommandOption("--proxy-protocol", "expect a PROXY header (version 1 or 2) from each connection"),
                CommandOption("--shared", "make NAME one session that receives from every UDP peer"),
            ] + TLSCommandOptions.ofBothSides + WebSocketOptions.all,
            text: """
                Without a host it listens on 127.0.0.1. Port 0 picks a free port; ${NAME.port} and ${NAME.address} \
                hold the result. Connections become sessions NAME.1, NAME.2 and so on; 'accept' waits for the next \
                one and renames it. 'close NAME' stops listening.

                With --tls, or at a tls:// address, each connection starts with a TLS handshake using the \
                certificate of --cert. With --ca the clients must present a certificate from one of those \
                authorities. At a udp:// address each peer that sends a datagram is a connection.

                With --proxy-protocol each connection begins with the header of a proxy such as HAProxy; \
                ${NAME.1.source} is the client's address in it.

                With --ws, or at a ws:// or wss:// address, each connection starts with the handshake of a WebSocket. \
                A path in the address is the only one that is accepted; ${NAME.1.path} is what the client asked for, \
                and ${NAME.1.protocol} the sub-protocol: the first that the client offers and --protocol names.

                With --shared, NAME itself is a session that receives the datagrams of all peers. ${NAME.peer} is the \
                sender of the datagram read last, and data sent goes there.
                """,
            examples: [
                "listen fake :0", "listen fake unix:/run/fake.sock --eol crlf",
                "listen fake :0 --tls --cert server.pem --key server.key", "listen chat ws://:0/chat --protocol chat",
                "listen switch telnet://:0",
                "listen log udp://:0 --shared\nopen a udp://127.0.0.1:${log.port}\na> hello\nlog< hello",
            ],
            caveats: [
                "Without --shared NAME itself is not a session: send to NAME.1 or to the name given by accept."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let address = Value(address: try call.required("ADDRESS"))
        let instruction = ListenInstruction(
            name: Value(name: try call.required("NAME")), address: address,
            lineEnding: call.value(ofOption: "--eol").map { Value(lineEnding: $0) },
            framing: call.value(ofOption: "--frame").map { Value(framing: $0) },
            hasProxyHeader: call.has(option: "--proxy-protocol"), isShared: call.has(option: "--shared"),
            hasTLS: call.has(option: "--tls"), hasWebSocket: call.has(option: "--ws"),
            hasTelnet: call.has(option: "--telnet"), webSocket: WebSocketOptions(call), tls: TLSCommandOptions(call),
            hasCertificate: call.has(option: "--cert"), range: call.range)
        if let problem = address.constant.flatMap(instruction.problem) {
            throw ScriptError(address.argument.range, problem)
        }
        compiler.emit(instruction)
    }
}

private struct ListenInstruction: Instruction {
    let name: Value<String>
    let address: Value<Address>
    let lineEnding: Value<LineEnding>?
    let framing: Value<Framing>?
    let hasProxyHeader: Bool
    let isShared: Bool
    let hasTLS: Bool
    let hasWebSocket: Bool
    let hasTelnet: Bool
    let webSocket: WebSocketOptions
    let tls: TLSCommandOptions
    let hasCertificate: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        let lineEnding = try lineEnding?.evaluate(in: strand)
        let framing = try framing?.evaluate(in: strand)
        let written = try address.evaluate(in: strand)
        if let problem = problem(with: written) {
            throw Failure(.expectation, problem, range: self.address.argument.range)
        }
        let address = spoken(at: written)
        let options = try tls.evaluate(in: strand)
        let settings = try webSocket.evaluate(in: strand)
        if isShared {
            try world.share(name, at: address, lineEnding, framing, in: strand)
            return .next
        }
        let listener = try world.listener(name, at: address)
        let reception = Reception(
            name: name, listener: listener, scheme: address.scheme, path: address.path,
            steps: try steps(for: name, at: address, options, settings, world),
            asksForCertificate: options.authorities != nil, lineEnding: lineEnding, framing: framing, world)
        world.sessions.add(reception, named: name)
        strand.holdings?.open(reception)
        let parts =
            ["listen", name, quotedArgument(reception.location)]
            + world.settings.options(lineEnding, framing, of: address.kind) + options.arguments + settings.arguments
            + (hasTLS && address.scheme == nil ? ["--tls"] : []) + (hasProxyHeader ? ["--proxy-protocol"] : [])
        world.transcript.statement(parts.joined(separator: " "))
        world.transcript.note("\(name): listening on \(reception.location)")
        return .next
    }

    /// Returns what precedes the data of each connection.
    private func steps(
        for name: String, at address: Address, _ options: TLSOptions, _ settings: WebSocketSettings, _ world: World
    ) throws(Failure) -> [HandshakeList.Step] {
        var steps: [HandshakeList.Step] = hasProxyHeader ? [.readProxyHeader] : []
        if hasTLS || address.isTLS {
            steps.append(.tls(try options.context(.server, for: name), host: "", ticket: nil))
        }
        if address.isWebSocket {
            let role = WebSocketUpgrade.Role.server(path: address.path, settings)
            steps.append(.webSocket(role, limit: world.settings.inboxLimit))
        }
        if address.scheme == .telnet { steps.append(.telnet) }
        return steps
    }

    /// Returns the address with what the options ask to speak there.
    private func spoken(at address: Address) -> Address {
        switch address.scheme {
        case .tcp where hasTelnet: address.with(.telnet)
        case .tcp where hasWebSocket: address.with(hasTLS ? .wss : .ws)
        case .tls where hasWebSocket: address.with(.wss)
        case .ws where hasTLS: address.with(.wss)
        case .tcp where hasTLS: address.with(.tls)
        default: address
        }
    }

    /// Returns the conflict between the options and this kind of address, or nil.
    func problem(with address: Address) -> String? {
        if address.isUDP, let problem = datagramProblem(framing) { return problem }
        if isShared, !address.isUDP {
            return "--shared is for UDP: write udp://\(address.host ?? ""):PORT; each connection has its own session"
        }
        if hasProxyHeader, address.isUDP { return "--proxy-protocol does not apply to UDP" }
        if hasWebSocket || hasTelnet, let problem = layerProblem(with: address) { return problem }
        if let option = webSocket.first, !hasWebSocket, !address.isWebSocket {
            return "\(option) is for a WebSocket: add --ws"
        }
        if framing != nil, hasWebSocket || address.isWebSocket {
            return "over WebSocket each message is one line: no --frame applies"
        }
        if hasTLS, address.scheme == .telnet { return "--tls and telnet cannot be combined" }
        let isTLS = hasTLS || address.isTLS
        if hasTLS, address.isUDP { return "--tls does not apply to UDP" }
        if isTLS, !hasCertificate { return "a TLS server needs a certificate: give --cert FILE and --key FILE" }
        return tls.first.flatMap { isTLS ? nil : "\($0) applies to TLS only: add --tls" }
    }
}

extension ListenInstruction {
    /// Returns the conflict between --ws or --telnet and the rest, or nil.
    fileprivate func layerProblem(with address: Address) -> String? {
        let option = hasWebSocket ? "--ws" : "--telnet"
        if hasWebSocket && hasTelnet { return "--ws and --telnet cannot be combined" }
        if hasTelnet && (hasTLS || address.isTLS) { return "--tls and telnet cannot be combined" }
        if address.scheme == nil || address.isUDP { return "\(option) is for host:port" }
        let isOther = hasWebSocket ? address.scheme == .telnet : address.isWebSocket
        return isOther ? "\(option) contradicts \(address.description)" : nil
    }
}

/// Returns the problem with an option --frame for datagrams, or nil.
func datagramProblem(_ framing: Value<Framing>?) -> String? {
    guard let framing, framing.constant.map({ $0 != .raw }) ?? false else { return nil }
    return "over UDP each datagram is one line: the only --frame allowed is raw"
}

extension World {
    /// Opens a session that shares one datagram socket among all peers that send to it.
    fileprivate func share(
        _ name: String, at address: Address, _ lineEnding: LineEnding?, _ framing: Framing?, in strand: Strand
    ) throws(Failure) {
        try sessions.requireFree(name)
        let transport: SharedDatagramTransport
        do throws(ListenError) {
            transport = try DatagramListener.shared(at: address)
        } catch {
            throw Failure(.connection, "\(name): \(error.message)")
        }
        let location = "udp://\(transport.address.description)"
        let session = adopt(
            transport, name: name, address: location, peer: location, lineEnding: lineEnding, framing: framing)
        strand.holdings?.open(session)
        let options = settings.options(lineEnding, framing, of: .udp)
        transcript.statement((["listen", name, location, "--shared"] + options).joined(separator: " "))
        transcript.note("\(name): listening on \(location)")
    }

    /// Returns a new listener of that name; throws if the name or the address is taken.
    func listener(_ name: String, at address: Address) throws(Failure) -> any Acceptor {
        try sessions.requireFree(name)
        do throws(ListenError) {
            return address.isUDP ? try DatagramListener(at: address, on: loop) : try Listener(at: address, on: loop)
        } catch {
            throw Failure(.connection, "\(name): \(error.message)")
        }
    }
}

extension Parameter {
    /// What the kinds of frames are, for lists of choices.
    static let frameSummaries = [
        "line": "lines that end in \\n, the default", "raw": "no frames: a stream of bytes",
        "u8": "a length of 1 byte first", "u16": "a length of 2 bytes first, high byte first",
        "u32": "a length of 4 bytes first, high byte first", "u64": "a length of 8 bytes first, high byte first",
        "u16le": "a length of 2 bytes first, low byte first", "u32le": "a length of 4 bytes first, low byte first",
        "u64le": "a length of 8 bytes first, low byte first", "varint": "a length as in Protocol Buffers first",
        "cr": "frames that end in \\r", "nul": "frames that end in \\0", "until:": "frames that end in a text",
    ]

    static var framing: Parameter {
        let kind = Kind.checked { bytes in
            Framing(bytes) == nil
                ? "'\(Escapes.visible(bytes))' is not a framing; write line, raw, u8 to u64le, varint, cr, nul, until:TEXT, or such as u32@4"
                : nil
        }
        return Parameter("F", kind, suggestions: Framing.plainNames + ["until:"], summaries: Parameter.frameSummaries)
    }
}

extension Value where Result == Framing {
    package convenience init(framing argument: Argument) {
        self.init(argument, Parameter.framing.kind) { Framing($0) }
    }
}

/// `accept`: waits for a connection and names it.
struct AcceptCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "accept", summary: "wait for a connection and name it",
            forms: [
                Form(.parameter(Parameter("NAME", .session)), .parameter(Parameter("AS", .newSession)), .within)
            ],
            text: """
                Take the oldest connection of listener NAME that has not been accepted yet, or wait for one, and \
                name it AS. Its former name, such as NAME.1, still works.
                """,
            examples: ["listen fake :0\naccept fake client within 2s"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.accept(from: try call.required("NAME"), as: try call.required("AS"))
        compiler.emit(
            AcceptInstruction(
                listener: Value(name: try call.required("NAME")), name: Value(name: try call.required("AS")),
                limit: call.within, range: call.range))
    }
}

private struct AcceptInstruction: Instruction {
    let listener: Value<String>
    let name: Value<String>
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let listener = try listener.evaluate(in: strand)
        let name = try name.evaluate(in: strand)
        guard let reception = world.sessions.service(named: listener) as? Reception else {
            throw Failure(.connection, "'\(listener)' is not a listener; create one: listen \(listener) :0")
        }
        try world.sessions.requireFree(name)
        let limit = try limit?.evaluate(in: strand) ?? world.settings.timeout
        return .wait(AcceptWait(reception, name: name, limit: world.settings.scaled(limit), world))
    }
}

private final class AcceptWait: Wait {
    var limit: Duration?
    private let reception: Reception
    private let name: String
    private var strand: Strand?
    private unowned let world: World

    init(_ reception: Reception, name: String, limit: Duration, _ world: World) {
        self.reception = reception
        self.name = name
        self.limit = limit
        self.world = world
    }

    var wanted: String { "a connection to \(reception.name)" }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        self.strand = strand
        if let session = reception.take(for: strand) {
            // Another strand may have taken the name in the meantime.
            if !session.isNamed(name) { try world.sessions.requireFree(name) }
            world.sessions.rename(session, to: name)
            world.triggers.update(session)
            strand.holdings?.open(session)
            world.transcript.statement("accept \(reception.name) \(name)")
            return true
        }
        guard world.sessions.service(named: reception.name) === reception else {
            throw Failure(.connection, "\(reception.name): closed while waiting for a connection")
        }
        guard isLate else { return false }
        throw Failure(
            .connection, "\(reception.name): timed out after \(shown(limit ?? .zero)) waiting for a connection",
            details: reception.lastProblem.map { ["last: \($0)"] } ?? [])
    }

    func cancel() {
        if let strand { reception.forget(strand) }
    }
}
