import Reactor

/// Resolves an address, connects to it, and performs the TLS handshake where the address asks for one.
package final class Dialer {
    private let address: Address
    private let context: TLSContext?
    private let loop: EventLoop
    private let completion: (Result<Connection, TLSError>) -> Void
    private var resolver: Resolver?
    private var connector: Connector?
    private var handshake: TLSHandshake?

    /// - Parameter context: for an address with TLS.
    package init(
        _ address: Address, _ context: TLSContext?, on loop: EventLoop,
        completion: @escaping (Result<Connection, TLSError>) -> Void
    ) {
        self.address = address
        self.context = context
        self.loop = loop
        self.completion = completion
    }

    /// Starts; the completion may be called before this returns.
    package func start() {
        resolver = Resolver.resolve(address, on: loop) { [unowned self] answer in
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
        handshake?.cancel()
    }

    private func connect(to addresses: [SocketAddress]) {
        let connector = Connector(
            addresses: addresses, localAddress: nil, isDatagram: address.isUDP, on: loop
        ) { [unowned self] result in
            self.connector = nil
            switch result {
            case .success(let connection): connected(connection)
            case .failure(let failure):
                completion(.failure(TLSError(message: failure.message(for: address.description))))
            }
        }
        self.connector = connector
        connector.start()
    }

    private func connected(_ connection: Connection) {
        guard let context, let socket = connection.transport as? SocketTransport else {
            return completion(.success(connection))
        }
        do throws(TLSError) {
            let transport = try TLSTransport(over: socket, context, host: address.host ?? "")
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
