import Engine
import Reactor
import Results
import Script
import Sessions
import Sockets
import VM
import Wire

/// `starttls`: switches a session that began without TLS to TLS.
struct StartTLSCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "starttls", summary: "start TLS on an open session",
            forms: [Form(.parameter(.target), .within)],
            options: TLSCommandOptions.ofBothSides + TLSCommandOptions.ofClients,
            text: """
                Perform the TLS handshake on sessions whose protocol has agreed to it. On a connection accepted by a \
                listener muxsh is the server and uses the certificate of --cert; otherwise it is the client and \
                verifies the server's certificate as 'open' does.
                """,
            examples: [
                "open mail localhost:25 --eol crlf\nexpect mail /^220 /\nmail> STARTTLS\nexpect mail /^220 /\nstarttls mail --ca ca.pem"
            ],
            caveats: [
                """
                Expect the whole answer to STARTTLS first. Unread data could have been injected before the \
                handshake, so starttls fails (CVE-2011-0411); 'drain' discards it. The rest of a partly read line is \
                skipped.
                """
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let target = try call.target()
        compiler.emit(FlushInstruction(target: target, range: call.range))
        compiler.emit(
            StartTLSInstruction(target: target, tls: TLSCommandOptions(call), limit: call.within, range: call.range))
    }
}

private struct StartTLSInstruction: Instruction {
    let target: Target
    let tls: TLSCommandOptions
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let options = try tls.evaluate(in: strand)
        let sessions = try strand.sessions(target, orFail: .connection)
        let given = try limit?.evaluate(in: strand)
        for session in sessions { try prepare(world.feed(of: session, for: strand), options, world) }
        return .wait(
            StartTLSWait(
                sessions, options,
                limit: given.map(world.settings.scaled) ?? world.defaultLimit(for: sessions),
                world))
    }

    private func prepare(
        _ feed: Feed, _ options: TLSOptions, _ world: World
    ) throws(Failure) {
        let session = feed.session
        let name = session.name
        let channel = session.channel
        guard channel.kind.canStartTLS else {
            let what =
                channel.tls != nil
                ? "TLS is already active"
                : channel.kind == .ws
                    ? "write wss:// to have TLS below the WebSocket" : "TLS needs a TCP or Unix socket connection"
            throw Failure(.connection, "\(name): cannot start TLS: \(what)")
        }
        guard channel.input == .open, channel.output == .open else {
            let state = channel.input == .open ? session.outputState : session.inputState
            throw Failure(.connection, "\(name): cannot start TLS: \(state)")
        }
        if world.isTyped { feed.drain() } else { feed.skipRestOfLine() }
        guard channel.held == 0 else {
            var failure = Failure(
                .connection,
                "\(name): cannot start TLS: \(shown(bytes: channel.held)) of unread data arrived before the handshake"
            )
            failure.details = [
                .excerpt(session.excerpt()),
                .text(
                    "it could have been injected (CVE-2011-0411); expect the whole answer first, or discard it: drain \(name)"
                ),
            ]
            throw failure
        }
        let host = options.serverName ?? (try? Address(parsing: session.address))?.host
        guard session.isServer || host != nil || options.isInsecure else {
            throw Failure(
                .connection, "\(name): cannot start TLS: a Unix socket has no host name to verify",
                details: ["give the name: --servername NAME"])
        }
    }
}

extension Session {
    /// Whether our side is the server: a listener accepted the session.
    fileprivate var isServer: Bool { listener != nil }
}

extension Feed {
    /// Consumes the rest of a partly read line.
    fileprivate func skipRestOfLine() {
        guard framing == .line, !frontBeginsLine, let end = inbox.nextLineEnd() else { return }
        consume(through: end.next)
    }
}

/// Performs the TLS handshake on several sessions simultaneously.
private final class StartTLSWait: Wait {
    private let sessions: [Session]
    var queues: [WaitQueue] { sessions.map(\.waiters) }
    var limit: Duration?
    let wanted = "the TLS handshake"
    private let options: TLSOptions
    private unowned let world: World
    private var hasStarted = false
    private var handshakes: [(session: Session, list: HandshakeList)] = []
    private var problem: (session: Session, error: HandshakeError)?

    init(_ sessions: [Session], _ options: TLSOptions, limit: Duration, _ world: World) {
        self.sessions = sessions
        self.options = options
        self.limit = limit
        self.world = world
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !hasStarted {
            hasStarted = true
            for session in sessions { try begin(session, strand) }
        }
        if let (session, error) = problem {
            cancel()
            throw Failure(
                .connection, "\(session.name): cannot start TLS: \(error.message)",
                details: error.hints)
        }
        guard isLate, let session = handshakes.first?.session else { return handshakes.isEmpty }
        cancel()
        throw Failure(
            .connection, "\(session.name): timed out after \(shown(limit ?? .zero)) in the TLS handshake")
    }

    func cancel() {
        for (session, list) in handshakes {
            list.cancel()
            // After an incomplete handshake, further data on the connection cannot be interpreted.
            session.hasReportedEnd = true
            session.channel.fail(.tls("the TLS handshake was not completed"))
        }
        handshakes = []
    }

    private func begin(_ session: Session, _ strand: Strand) throws(Failure) {
        let parts = ["starttls", session.name] + options.arguments
        world.transcript.statement(parts.joined(separator: " "))
        let role = session.isServer ? TLSContext.Role.server : .client
        let context = try options.context(role, for: session.name)
        guard let transport = session.channel.suspend() else { return }
        let host = (try? Address(parsing: session.address))?.host ?? ""
        let list = HandshakeList(
            [.tls(context, host: host, ticket: nil)], over: transport, on: world.loop
        ) { [unowned self] result in
            ended(session, result)
            strand.wake()
        }
        handshakes.append((session, list))
        list.start()
    }

    private func ended(_ session: Session, _ result: Result<HandshakeList.Outcome, HandshakeError>) {
        handshakes.removeAll { $0.session === session }
        switch result {
        case .success(let outcome):
            session.channel.resume(with: outcome.transport)
            if let ticket = outcome.ticket { world.tickets[session.name] = ticket }
            if let details = outcome.transport.details {
                let summary = details.summary(isInsecure: options.isInsecure)
                world.transcript.note("\(session.name): \(summary)")
            }
        case .failure(let error):
            problem = problem ?? (session, error)
            session.hasReportedEnd = true
            session.channel.fail(.tls(error.message))
        }
    }
}
