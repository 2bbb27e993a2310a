import Engine
import Results
import Script
import Sessions
import Sockets
import VM
import Wire

/// `open`: connects to a server and names the session.
struct OpenCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "open", summary: "connect to a server",
            forms: [
                Form(.parameter(Parameter("NAME", .newSession)), .parameter(.address)), Form(.parameter(.address)),
            ],
            options: [
                CommandOption(
                    "--retry", .duration,
                    "retry for up to D; --timeout limits each attempt"),
                CommandOption("--timeout", .duration, "time limit of an attempt (default: the timeout setting)"),
                CommandOption("--eol", .lineEnding, "line ending to send: lf, crlf, cr, nul or none"),
                CommandOption("--frame", .framing, "framing, such as raw or u16; see 'help frames'"),
                CommandOption(
                    "--bind", Parameter("ADDRESS", .checked(addressProblem)),
                    "local address and port; port 0 picks a free one"),
                CommandOption(
                    "--via", Parameter("PROXY", .checked(proxyProblem)),
                    "connect through a proxy; repeat for a chain", isRepeatable: true),
                CommandOption(
                    "--proxy-protocol", Parameter("VERSION", .choice(ProxyHeader.Version.allCases.map(\.rawValue))),
                    "first send a PROXY header with our address, as HAProxy does"),
                CommandOption(
                    "--resume", Parameter("OTHER", .session), "resume the TLS session of OTHER, which may be closed"),
            ] + TLSCommandOptions.ofBothSides + TLSCommandOptions.ofClients + WebSocketOptions.all
                + SerialOptions.all,
            optionHints: [
                "--tls": "write the address as tls://HOST:PORT, or use 'starttls' later",
                "--udp": "write the address as udp://HOST:PORT",
                "--ws": "write the address as ws://HOST:PORT/PATH",
                "--telnet": "write the address as telnet://HOST:PORT",
            ],
            text: """
                ADDRESS is host:port, :port (localhost), [::1]:port, tls://host:port, udp://host:port, \
                ws://host:port/path, wss://host:port/path, telnet://host:port, unix:/path, unix:@abstract or \
                serial:/dev/… . A port is a number or a service name. Without NAME the sessions are called s1, s2 \
                and so on.

                Over TLS (1.2 or newer) the certificate chain and the host name are verified against the system's \
                authorities, or those of --ca. --resume offers the last ticket of another session, as a client that \
                reconnects does; ${NAME.tls.resumed} is 1 if the server has accepted it.

                Over WebSocket each message is one line, and no line ending is sent. 'T>|' sends a close frame, \
                'T<|' expects one, and 'T<| 1000' one with that code. Over telnet only data is seen; the options \
                of the protocol are answered, and lines are sent with CR LF, or CR once BINARY is agreed on, unless \
                --eol is given.

                PROXY is socks5://host:port, socks4a://host:port or http://host:port (CONNECT), with user@ or \
                user:password@ before the host. The proxy gets a host name as it is and resolves it.
                """,
            examples: [
                "open a localhost:8080", "open redis localhost:6379 --eol crlf --retry 10s",
                "open db unix:/run/db.sock", "open web tls://localhost:8443 --ca ca.pem --eol crlf",
                "open dns udp://localhost:5353", "open modem serial:/dev/ttyUSB0 --baud 9600 --eol crlf",
                "open ws ws://localhost:8080/chat --protocol chat --header \"Origin: http://localhost\"",
                "open router telnet://localhost:2323",
            ],
            caveats: [
                """
                A name can be reused after its peer has ended; while the session is open, reusing its name is an \
                error.
                """,
                "--retry does not retry after a rejected certificate.",
                """
                Over UDP each datagram is one line, and no line ending is sent unless --eol is given. Use --frame \
                raw for protocols that are not text.
                """,
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let address = Value(address: try call.required("ADDRESS"))
        let instruction = OpenInstruction(
            name: call.argument("NAME").map { Value(name: $0) }, address: address,
            retry: call.value(ofOption: "--retry").map { Value(duration: $0) },
            retryArgument: call.value(ofOption: "--retry"),
            timeout: call.value(ofOption: "--timeout").map { Value(duration: $0) },
            lineEnding: call.value(ofOption: "--eol").map { Value(lineEnding: $0) },
            framing: call.value(ofOption: "--frame").map { Value(framing: $0) },
            proxies: call.values(ofOption: "--via").map { argument in
                Value(argument, .checked(proxyProblem)) { try? Proxy(parsing: $0) }
            },
            proxyHeader: call.value(ofOption: "--proxy-protocol").map { argument in
                Value(argument, .choice(ProxyHeader.Version.allCases.map(\.rawValue))) { bytes in
                    ProxyHeader.Version(rawValue: String(decoding: bytes, as: UTF8.self))
                }
            },
            bind: call.value(ofOption: "--bind").map { Value(address: $0) },
            resumed: call.value(ofOption: "--resume").map { Value(name: $0) },
            tls: TLSCommandOptions(call), webSocket: WebSocketOptions(call), serial: SerialOptions(call),
            range: call.range)
        if let problem = address.constant.flatMap(instruction.problem) {
            throw ScriptError(address.argument.range, problem)
        }
        compiler.emit(instruction)
    }
}

/// Returns the problem with an address, or nil. A local address may omit the port.
func addressProblem(_ bytes: [UInt8]) -> String? {
    do throws(AddressError) {
        _ = try Address(parsing: bytes)
        return nil
    } catch {
        return error.message
    }
}

/// Returns the problem with a proxy, or nil.
private func proxyProblem(_ bytes: [UInt8]) -> String? {
    do throws(Proxy.ParseError) {
        _ = try Proxy(parsing: bytes)
        return nil
    } catch {
        return error.message
    }
}

extension Parameter {
    static var address: Parameter { Parameter("ADDRESS", .checked(addressProblem)) }
}

extension Value where Result == Address {
    convenience init(address argument: Argument) {
        self.init(argument, .checked(addressProblem)) { try? Address(parsing: $0) }
    }
}

extension Value where Result == LineEnding {
    convenience init(lineEnding argument: Argument) {
        self.init(argument, Parameter.lineEnding.kind) { LineEnding(rawValue: String(decoding: $0, as: UTF8.self)) }
    }
}

private struct OpenInstruction: Instruction {
    let name: Value<String>?
    let address: Value<Address>
    let retry: Value<Duration>?
    let retryArgument: Argument?
    let timeout: Value<Duration>?
    let lineEnding: Value<LineEnding>?
    let framing: Value<Framing>?
    let proxies: [Value<Proxy>]
    let proxyHeader: Value<ProxyHeader.Version>?
    let bind: Value<Address>?
    let resumed: Value<String>?
    let tls: TLSCommandOptions
    let webSocket: WebSocketOptions
    let serial: SerialOptions
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name?.evaluate(in: strand) ?? world.sessions.nextNumberedName()
        try world.sessions.requireFree(name)
        let address = try address.evaluate(in: strand)
        let framing = try framing?.evaluate(in: strand)
        if let problem = problem(with: address) {
            throw Failure(.expectation, problem, range: self.address.argument.range)
        }
        let retry = try self.retry?.evaluate(in: strand)
        let timeout = try self.timeout?.evaluate(in: strand)
        let request = OpeningRequest(
            name: name, address: address, bind: try bind?.evaluate(in: strand),
            resumed: try resumed?.evaluate(in: strand),
            proxies: try proxies.map { proxy throws(Failure) in try proxy.evaluate(in: strand) },
            proxyHeader: try proxyHeader?.evaluate(in: strand),
            lineEnding: try lineEnding?.evaluate(in: strand), framing: framing, tls: try tls.evaluate(in: strand),
            webSocket: try webSocket.evaluate(in: strand), serial: try serial.evaluate(in: strand),
            retry: try retryArgument.map { argument throws(Failure) in try strand.text(argument.template) },
            limit: world.settings.scaled(retry ?? timeout ?? world.settings.timeout),
            attemptLimit: world.settings.scaled(timeout ?? world.settings.timeout))
        return .wait(try Opening(request, world))
    }

    /// Returns the conflict between the options and this kind of address, or nil.
    func problem(with address: Address) -> String? {
        let isSerial = if case .serial = address { true } else { false }
        if let option = serial.first, !isSerial { return "\(option) is for a serial line: write serial:/dev/ttyUSB0" }
        if bind != nil, isSerial { return "--bind does not apply to a serial line" }
        if let option = tls.first, !address.isTLS {
            return "\(option) applies to TLS only: write tls://\(address.host ?? "host"):PORT, or use 'starttls' later"
        }
        if resumed != nil, !address.isTLS {
            return "--resume applies to TLS only: write tls://\(address.host ?? "host"):PORT"
        }
        if let option = webSocket.first, !address.isWebSocket {
            return "\(option) is for a WebSocket: write ws://\(address.host ?? "host"):PORT/PATH"
        }
        if framing != nil, address.isWebSocket { return "over WebSocket each message is one line: no --frame applies" }
        if proxyHeader != nil, address.isUDP { return "--proxy-protocol does not apply to UDP" }
        if !proxies.isEmpty, address.host == nil || address.isUDP {
            return "--via is for host:port, tls://, ws://, wss:// and telnet://"
        }
        return address.isUDP ? datagramProblem(framing) : nil
    }
}
