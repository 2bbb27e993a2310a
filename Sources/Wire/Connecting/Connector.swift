import CPlatform
import Glibc
import Reactor
import Sockets
import SystemPackage

/// Why connecting to a peer failed: each address with its own reason.
package struct ConnectFailure: Error {
    package let attempts: [(address: SocketAddress, error: Errno)]

    /// Returns the reasons as text: `connection refused ([::1]:9), connection refused (127.0.0.1:9)`. A single address
    /// that equals `asked` is not repeated.
    package func message(for asked: String) -> String {
        if attempts.count == 1, attempts[0].address.description == asked { return message(of: attempts[0]) }
        return attempts.map { "\(message(of: $0)) (\($0.address.description))" }.joined(separator: ", ")
    }
}

extension ConnectFailure {
    private func message(of attempt: (address: SocketAddress, error: Errno)) -> String {
        attempt.address.interfaceHint ?? Sockets.message(ofConnect: attempt.error)
    }
}

/// An established connection.
package struct Connection {
    package let transport: any Transport
    package let address: SocketAddress
    /// The TLS ticket, if there is TLS.
    package var ticket: TLSTicket?
}

/// Connects to the first of several addresses that answers (RFC 8305). The next attempt starts when one fails or after
/// 250 ms. Attempts that lose are closed.
package final class Connector {
    private let loop: EventLoop
    private let completion: (Result<Connection, ConnectFailure>) -> Void
    private var remaining: ArraySlice<SocketAddress>
    private var attempts: [Attempt] = []
    private var failures: [(address: SocketAddress, error: Errno)] = []
    private var staggerTimer: Timer?
    private let localAddress: SocketAddress?
    fileprivate let isDatagram: Bool
    private var isFinished = false

    /// RFC 8305, section 8: Connection Attempt Delay.
    private static let stagger: Duration = .milliseconds(250)

    /// - Parameters:
    ///   - addresses: in the order to try; the first address of the other family is moved to second place.
    ///   - localAddress: the address to bind our side to, or nil for the kernel's choice.
    ///   - isDatagram: for datagrams instead of a stream; the first address is then used, since no peer answers.
    package init(
        addresses: [SocketAddress], localAddress: SocketAddress?, isDatagram: Bool = false, on loop: EventLoop,
        completion: @escaping (Result<Connection, ConnectFailure>) -> Void
    ) {
        self.loop = loop
        self.localAddress = localAddress
        self.isDatagram = isDatagram
        self.completion = completion
        remaining = Self.interleaved(addresses)[...]
    }

    /// Starts connecting; the completion may be called before this returns.
    package func start() {
        startNext()
    }

    /// Cancels all attempts; the completion is no longer called.
    package func cancel() {
        isFinished = true
        stopAttempts()
    }

    /// Puts the first address of the other family second, so that one broken family costs only 250 ms.
    private static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let first = addresses.first else { return [] }
        var list = addresses
        if let other = list.firstIndex(where: { $0.family != first.family }), other > 1 {
            list.insert(list.remove(at: other), at: 1)
        }
        return list
    }

    private func startNext() {
        while !isFinished, let address = remaining.popFirst() {
            do {
                let attempt = try Attempt(address: address, localAddress: localAddress, connector: self)
                attempts.append(attempt)
                staggerTimer = loop.schedule(after: Self.stagger) { [weak self] in self?.startNext() }
                attempt.watch(on: loop)
                return
            } catch {
                failures.append((address, error))
            }
        }
        if !isFinished && attempts.isEmpty {
            isFinished = true
            completion(.failure(ConnectFailure(attempts: failures)))
        }
    }

    fileprivate func ended(_ attempt: Attempt, error: Errno?) {
        guard let error else {
            isFinished = true
            attempts.removeAll { $0 === attempt }
            stopAttempts()
            let transport = attempt.takeTransport(from: loop)
            completion(.success(Connection(transport: transport, address: attempt.address)))
            return
        }
        failures.append((attempt.address, error))
        attempt.stop(on: loop)
        attempts.removeAll { $0 === attempt }
        if let timer = staggerTimer { loop.cancel(timer) }
        startNext()
    }

    private func stopAttempts() {
        if let timer = staggerTimer { loop.cancel(timer) }
        for attempt in attempts { attempt.stop(on: loop) }
        attempts = []
    }
}

/// One non-blocking connect(2): the socket becomes writable when it has finished, and SO_ERROR contains the result.
private final class Attempt: DescriptorWatcher {
    let address: SocketAddress
    private let transport: any Transport
    private weak var connector: Connector?

    init(address: SocketAddress, localAddress: SocketAddress?, connector: Connector) throws(Errno) {
        self.address = address
        self.connector = connector
        let socket = try Socket.make(connector.isDatagram ? SOCK_DGRAM : SOCK_STREAM, family: address.family)
        if let localAddress {
            guard localAddress.withPointer({ bind(socket.number, $0, $1) }) == 0 else { throw Errno(rawValue: errno) }
        }
        if !connector.isDatagram { Socket.disableDelay(socket.number) }
        let result = address.withPointer { connect(socket.number, $0, $1) }
        let failure = errno
        guard result == 0 || failure == EINPROGRESS else { throw Errno(rawValue: failure) }
        if connector.isDatagram {
            transport = DatagramTransport(owning: socket)
        } else {
            transport = SocketTransport(owning: socket)
        }
    }

    func watch(on loop: EventLoop) {
        loop.watch(transport.descriptor, read: false, write: true, watcher: self)
    }

    func stop(on loop: EventLoop) {
        loop.unwatch(transport.descriptor)
    }

    func takeTransport(from loop: EventLoop) -> any Transport {
        loop.unwatch(transport.descriptor)
        return transport
    }

    func descriptorIsReadable() {}

    func descriptorIsWritable() {
        connector?.ended(self, error: Socket.pendingError(transport.descriptor))
    }
}
