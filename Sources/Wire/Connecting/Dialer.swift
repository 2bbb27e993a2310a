import Reactor
import Sockets

/// Resolves an address, connects to it or to the first proxy on the way, and performs the handshakes of the route.
package final class Dialer {
    /// The way to a server.
    package struct Route {
        package var address: Address
        /// The local address, or nil for any.
        package var bind: Address?
        /// The proxies on the way, the nearest first.
        package var proxies: [Proxy] = []
        /// The version of the PROXY header to send, or nil.
        package var proxyHeader: ProxyHeader.Version?
        /// For an address with TLS.
        package var context: TLSContext?
        /// The ticket of the TLS session to resume, or nil.
        package var ticket: TLSTicket?
        /// For a WebSocket: what the handshake says, and the longest message to receive, in bytes.
        package var webSocket = WebSocketSettings()
        package var messageLimit = 16 << 20

        package init(to address: Address, context: TLSContext? = nil) {
            self.address = address
            self.context = context
        }
    }

    private let route: Route
    private let loop: EventLoop
    private let completion: (Result<Connection, HandshakeError>) -> Void
    private var resolver: Resolver?
    private var connector: Connector?
    private var handshakes: HandshakeList?

    package init(
        _ route: Route, on loop: EventLoop, completion: @escaping (Result<Connection, HandshakeError>) -> Void
    ) {
        self.route = route
        self.loop = loop
        self.completion = completion
    }

    /// Starts; the completion may be called before this returns.
    package func start() {
        resolver = Resolver.resolve(nearest, on: loop) { [unowned self] answer in
            resolver = nil
            switch answer {
            case .success(let addresses): connect(to: addresses)
            case .failure(let error): completion(.failure(HandshakeError(message: error.message)))
            }
        }
    }

    /// Stops; the completion is not called any more.
    package func cancel() {
        resolver?.cancel()
        connector?.cancel()
        handshakes?.cancel()
    }

    /// Completes a TLS handshake that only waits for the server's first message; returns false otherwise.
    package func settle() -> Bool { handshakes?.settle() ?? false }

    /// What it is waiting for after the connection, for messages: begins with a blank, or is empty.
    package var phase: String { handshakes?.phase.map { " " + $0 } ?? "" }

    /// The address to connect to: that of the first proxy, or the server's.
    private var nearest: Address { route.proxies.first?.address ?? route.address }

    private func connect(to addresses: [SocketAddress]) {
        var local: SocketAddress?
        if let bind = route.bind {
            _ = Resolver.resolve(bind, on: loop) { answer in local = (try? answer.get())?.first }
        }
        let connector = Connector(
            addresses: addresses, localAddress: local, isDatagram: route.address.isUDP, on: loop
        ) { [unowned self] result in
            self.connector = nil
            switch result {
            case .success(let connection): connected(connection)
            case .failure(let failure):
                completion(.failure(HandshakeError(message: failure.message(for: nearest.description))))
            }
        }
        self.connector = connector
        connector.start()
    }

    private func connected(_ connection: Connection) {
        let steps = steps
        guard !steps.isEmpty else { return finish(connection, HandshakeList.Outcome(transport: connection.transport)) }
        let list = HandshakeList(steps, over: connection.transport, on: loop) { [unowned self] result in
            self.handshakes = nil
            switch result {
            case .success(let outcome): finish(connection, outcome)
            case .failure(let error): completion(.failure(error))
            }
        }
        handshakes = list
        list.start()
    }

    private func finish(_ connection: Connection, _ outcome: HandshakeList.Outcome) {
        completion(
            .success(
                Connection(transport: outcome.transport, address: connection.address, ticket: outcome.ticket)))
    }

    /// What has to be done over a connection to the nearest address.
    private var steps: [HandshakeList.Step] {
        var steps: [HandshakeList.Step] = []
        if !route.proxies.isEmpty { steps.append(.proxies(route.proxies, to: route.address)) }
        if let version = route.proxyHeader { steps.append(.sendProxyHeader(version)) }
        if let context = route.context {
            steps.append(.tls(context, host: route.address.host ?? "", ticket: route.ticket))
        }
        if route.address.isWebSocket {
            steps.append(.webSocket(.client(route.address, route.webSocket), limit: route.messageLimit))
        }
        if route.address.scheme == .telnet { steps.append(.telnet) }
        return steps
    }
}
