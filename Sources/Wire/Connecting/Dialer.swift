import Reactor

/// Resolves an address, connects to it, on the way through proxies if there are any, sends a PROXY header if one is
/// wanted, and performs the TLS handshake where the address asks for one.
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

        package init(to address: Address, context: TLSContext? = nil) {
            self.address = address
            self.context = context
        }
    }

    private let route: Route
    private let loop: EventLoop
    private let completion: (Result<Connection, TLSError>) -> Void
    private var resolver: Resolver?
    private var connector: Connector?
    private var proxyHandshake: ProxyHandshake?
    private var handshake: TLSHandshake?

    package init(
        _ route: Route, on loop: EventLoop, completion: @escaping (Result<Connection, TLSError>) -> Void
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
            case .failure(let error): completion(.failure(TLSError(message: error.message)))
            }
        }
    }

    /// Stops; the completion is not called any more.
    package func cancel() {
        resolver?.cancel()
        connector?.cancel()
        proxyHandshake?.cancel()
        handshake?.cancel()
    }

    /// Completes a TLS handshake that only waits for the server's first message; returns false otherwise.
    package func settle() -> Bool { handshake?.settle() ?? false }

    /// What it is waiting for after the connection, for messages: begins with a blank, or is empty.
    package var phase: String {
        if let proxyHandshake { return " from the proxy \(proxyHandshake.current)" }
        return handshake == nil ? "" : " in the TLS handshake"
    }

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
                completion(.failure(TLSError(message: failure.message(for: nearest.description))))
            }
        }
        self.connector = connector
        connector.start()
    }

    private func connected(_ connection: Connection) {
        guard !route.proxies.isEmpty, let socket = connection.transport as? SocketTransport else {
            return secure(connection)
        }
        let handshake = ProxyHandshake(
            over: socket, through: route.proxies, to: route.address, on: loop
        ) { [unowned self] result in
            proxyHandshake = nil
            switch result {
            case .success: secure(connection)
            case .failure(let error): completion(.failure(error))
            }
        }
        proxyHandshake = handshake
        handshake.start()
    }

    private func secure(_ connection: Connection) {
        guard let socket = connection.transport as? SocketTransport else { return completion(.success(connection)) }
        if let version = route.proxyHeader, let problem = socket.sendProxyHeader(version) {
            return completion(.failure(TLSError(message: problem)))
        }
        guard let context = route.context else { return completion(.success(connection)) }
        do throws(TLSError) {
            let transport = try TLSTransport(
                over: socket, context, host: route.address.host ?? "", resuming: route.ticket)
            let handshake = TLSHandshake(transport, on: loop) { [unowned self] result in
                self.handshake = nil
                completion(result.map { Connection(transport: $0, address: connection.address) })
            }
            self.handshake = handshake
            handshake.start()
        } catch {
            completion(.failure(error))
        }
    }
}
