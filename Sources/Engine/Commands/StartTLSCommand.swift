import Reactor
import Script
import Wire

/// `starttls`: goes on with TLS on a session that began without.
struct StartTLSCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "starttls", summary: "go on with TLS on open sessions",
            forms: [Form(.parameter(.target), .within)],
            options: TLSWords.ofBothSides + TLSWords.ofClients,
            text: """
                Begins the TLS handshake on sessions that have agreed on it in their protocol's own words. On a \
                connection that a listener has accepted we are the server, with the certificate of --cert; otherwise the \
                client, who verifies the server's certificate as 'open' does. The rest of a line that was read in part \
                is passed over. Any other bytes that are unread would have come before the handshake, from whoever: the \
                session then refuses (CVE-2011-0411). So expect the whole answer first; 'drain' forgets what may be \
                forgotten.
                """,
            examples: [
                "open mail localhost:25 --eol crlf\nexpect mail /^220 /\nmail> STARTTLS\nexpect mail /^220 /\nstarttls mail --ca ca.pem"
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let target = try call.target()
        compiler.emit(FlushInstruction(target: target, range: call.range))
        compiler.emit(
            StartTLSInstruction(target: target, tls: TLSWords(call), limit: call.within, range: call.range))
    }
}

private struct StartTLSInstruction: Instruction {
    let target: Target
    let tls: TLSWords
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let options = try tls.evaluate(in: strand)
        let conversations = try strand.conversations(target, orFail: .connection)
        let given = try limit?.evaluate(in: strand)
        for conversation in conversations { try prepare(conversation, options, interpreter) }
        return .wait(
            StartTLSWait(
                conversations, options,
                limit: given.map(interpreter.settings.scaled) ?? interpreter.defaultLimit(for: conversations),
                interpreter))
    }

    private func prepare(
        _ conversation: Conversation, _ options: TLSOptions, _ interpreter: Interpreter
    ) throws(Failure) {
        let name = conversation.name
        let session = conversation.session
        guard session.kind == .tcp || session.kind == .unix else {
            let what = session.kind == .tls ? "TLS has begun already" : "TLS needs a stream over TCP or a Unix socket"
            throw Failure(.connection, "\(name): cannot start TLS: \(what)")
        }
        guard session.input == .open, session.output == .open else {
            let state = session.input == .open ? conversation.outputState : conversation.inputState
            throw Failure(.connection, "\(name): cannot start TLS: \(state)")
        }
        if interpreter.isTypedLine { conversation.drain() } else { conversation.passOverRestOfLine() }
        guard session.inbox.held == 0 else {
            throw Failure(
                .connection,
                "\(name): cannot start TLS: \(shown(bytes: session.inbox.held)) arrived before the handshake and were not read",
                details: FailureReport(conversation, interpreter.redactor).arrived
                    + ["anybody on the way could have sent them; expect the whole answer first, or: drain \(name)"])
        }
        let host = options.serverName ?? (try? Address(parsing: conversation.address))?.host
        guard conversation.isServer || host != nil || options.isInsecure else {
            throw Failure(
                .connection, "\(name): cannot start TLS: a Unix socket has no host's name to verify",
                details: ["give the name: --servername NAME"])
        }
    }
}

extension Conversation {
    /// Whether our side is the server: a listener has accepted it.
    fileprivate var isServer: Bool { listener != nil }

    /// Consumes what is left of a line that was read in part.
    fileprivate func passOverRestOfLine() {
        guard framing == .line, !frontBeginsLine, let end = session.inbox.nextLineEnd() else { return }
        consume(through: end.next)
    }
}

/// Shakes hands on several sessions at the same time.
private final class StartTLSWait: Wait {
    let conversations: [Conversation]
    var limit: Duration?
    let wanted = "the TLS handshake"
    private let options: TLSOptions
    private unowned let interpreter: Interpreter
    private var hasBegun = false
    private var handshakes: [(conversation: Conversation, handshake: TLSHandshake)] = []
    private var problem: (conversation: Conversation, error: TLSError)?

    init(_ conversations: [Conversation], _ options: TLSOptions, limit: Duration, _ interpreter: Interpreter) {
        self.conversations = conversations
        self.options = options
        self.limit = limit
        self.interpreter = interpreter
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !hasBegun {
            hasBegun = true
            for conversation in conversations { try begin(conversation, strand) }
        }
        if let (conversation, error) = problem {
            cancel()
            throw Failure(
                .connection, "\(conversation.name): cannot start TLS: \(error.message)",
                details: error.hints)
        }
        guard isLate, let conversation = handshakes.first?.conversation else { return handshakes.isEmpty }
        cancel()
        throw Failure(
            .connection, "\(conversation.name): timed out after \(shown(limit ?? .zero)) in the TLS handshake")
    }

    func cancel() {
        for (conversation, handshake) in handshakes {
            handshake.cancel()
            // Nobody can say what comes next on such a connection.
            conversation.hasToldEnd = true
            conversation.session.fail(.tls("the TLS handshake was not finished"))
        }
        handshakes = []
    }

    private func begin(_ conversation: Conversation, _ strand: Strand) throws(Failure) {
        let words = ["starttls", conversation.name] + options.words
        interpreter.transcript.statement(words.joined(separator: " "))
        let role = conversation.isServer ? TLSContext.Role.server : .client
        let context = try options.context(role, for: conversation.name)
        guard let socket = conversation.session.suspend() as? SocketTransport else { return }
        let host = (try? Address(parsing: conversation.address))?.host ?? ""
        do throws(TLSError) {
            let transport = try TLSTransport(over: socket, context, host: host)
            let handshake = TLSHandshake(transport, on: interpreter.loop) { [unowned self] result in
                ended(conversation, result)
                interpreter.wake(strand)
            }
            handshakes.append((conversation, handshake))
            handshake.start()
        } catch {
            ended(conversation, .failure(error))
        }
    }

    private func ended(_ conversation: Conversation, _ result: Result<TLSTransport, TLSError>) {
        handshakes.removeAll { $0.conversation === conversation }
        switch result {
        case .success(let transport):
            conversation.session.resume(with: transport)
            if let details = transport.details {
                let summary = details.summary(isInsecure: options.isInsecure)
                interpreter.transcript.note("\(conversation.name): \(summary)")
            }
        case .failure(let error):
            problem = problem ?? (conversation, error)
            conversation.hasToldEnd = true
            conversation.session.fail(.tls(error.message))
        }
    }
}
