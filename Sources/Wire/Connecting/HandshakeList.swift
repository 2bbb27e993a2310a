import Reactor
import Sockets

/// The handshakes of one new connection, one after the other; each may put a layer on the connection.
package final class HandshakeList {
    package enum Step {
        /// Ask proxies to connect to an address, the nearest first.
        case proxies([Proxy], to: Address)
        /// Send a PROXY header, or read one.
        case sendProxyHeader(ProxyHeader.Version)
        case readProxyHeader
        /// TLS; as a client `host` is verified, and the session of the ticket resumed.
        case tls(TLSContext, host: String, ticket: TLSTicket?)
        /// Open a WebSocket; longer messages than `limit` bytes are not received.
        case webSocket(WebSocketUpgrade.Role, limit: Int)
        /// Speak telnet; nothing has to be agreed on before data.
        case telnet
    }

    /// An established connection.
    package struct Outcome {
        package var transport: any Transport
        /// The TLS ticket, if there is TLS.
        package var ticket: TLSTicket?
        /// The client's address that a proxy has reported, or nil.
        package var source: String?

        package init(transport: any Transport) { self.transport = transport }
    }

    private var rest: ArraySlice<Step>
    private var outcome: Outcome
    private let loop: EventLoop
    private let completion: (Result<Outcome, HandshakeError>) -> Void
    private var current: (any Handshake)?

    /// Takes over a transport that nothing watches.
    package init(
        _ steps: [Step], over transport: any Transport, on loop: EventLoop,
        completion: @escaping (Result<Outcome, HandshakeError>) -> Void
    ) {
        rest = steps[...]
        outcome = Outcome(transport: transport)
        self.loop = loop
        self.completion = completion
    }

    /// Starts; the completion may be called before this returns.
    package func start() { next() }

    /// Stops; the completion is not called any more.
    package func cancel() {
        current?.cancel()
        current = nil
    }

    /// Completes a handshake that only waits for the server's first message; returns false otherwise.
    package func settle() -> Bool { current?.settle() ?? false }

    /// What it is waiting for, for messages; nil if nothing.
    package var phase: String? { current?.phase }
    /// What the current or last handshake is, for messages such as `TLS handshake with PEER failed`.
    package private(set) var title = "handshake with"

    private func next() {
        current = nil
        guard let step = rest.popFirst() else { return completion(.success(outcome)) }
        do throws(HandshakeError) {
            try begin(step)
        } catch {
            fail(error)
        }
    }

    private func fail(_ error: HandshakeError) {
        current = nil
        completion(.failure(error))
    }

    private func begin(_ step: Step) throws(HandshakeError) {
        switch step {
        case .proxies(let proxies, let address):
            run(
                ProxyHandshake(over: try socket, through: proxies, to: address, on: loop) { [unowned self] result in
                    advance(result) { _, _ in }
                })
        case .sendProxyHeader(let version):
            if let problem = try socket.sendProxyHeader(version) { throw HandshakeError(message: problem) }
            next()
        case .readProxyHeader:
            run(
                ProxyHeaderReader(try socket, on: loop) { [unowned self] result in
                    advance(result) { $0.source = $1 }
                })
        case .tls(let context, let host, let ticket):
            let transport = try TLSTransport(over: try socket, context, host: host, resuming: ticket)
            run(
                TLSHandshake(transport, on: loop) { [unowned self] result in
                    advance(result) {
                        $0.transport = $1
                        $0.ticket = $1.ticket
                    }
                })
        case .webSocket(let role, let limit): open(role, limit: limit)
        case .telnet:
            outcome.transport = LayeredTransport(TelnetLayer(), over: outcome.transport)
            next()
        }
    }

    private func open(_ role: WebSocketUpgrade.Role, limit: Int) {
        run(
            WebSocketHandshake(role, over: outcome.transport, limit: limit, on: loop) { [unowned self] result in
                advance(result) { $0.transport = $1 }
            })
    }

    private func run(_ handshake: any Handshake) {
        current = handshake
        title = handshake.title
        handshake.start()
    }

    private func advance<Value>(_ result: Result<Value, HandshakeError>, _ note: (inout Outcome, Value) -> Void) {
        switch result {
        case .success(let value):
            note(&outcome, value)
            next()
        case .failure(let error): fail(error)
        }
    }

    /// The connection itself; only the first steps work on it.
    private var socket: SocketTransport {
        get throws(HandshakeError) {
            guard let socket = outcome.transport as? SocketTransport else {
                throw HandshakeError(message: "only a TCP or Unix socket can be secured or pass through a proxy")
            }
            return socket
        }
    }
}
