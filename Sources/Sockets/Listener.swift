import CPlatform
import Glibc
import Reactor
import SystemPackage

/// Why a listener could not be created.
package struct ListenError: Error, CustomStringConvertible {
    /// The address and the reason, as text.
    package let message: String
    package var description: String { message.inOneLine }

    package init(message: String) {
        self.message = message
    }
}

/// A bound socket that hands over each new connection.
///
/// It stops accepting when no descriptors are left. No connection is lost: clients wait in the kernel's queue until
/// `descriptorWasFreed()` is called or one second has passed. Closing removes the file of a Unix socket.
package final class Listener: DescriptorWatcher {
    package let address: SocketAddress
    /// Called with each connection, which is non-blocking, and the address of the peer.
    package var accept: (consuming Descriptor, String) -> Void = { _, _ in }
    package var onExhaustion: () -> Void = {}

    private let loop: EventLoop
    /// Nil once closed.
    private var socket: SharedDescriptor?
    private let path: SystemString?
    private var retry: Timer?
    private var isPaused = false
    private var isRefusing = false

    /// The most connections accepted in one turn, so that a storm of connections starves no peer.
    private static let batch = 256

    /// Binds and listens. The host must be a literal or localhost, so that nothing blocks.
    package init(at address: Address, on loop: EventLoop) throws(ListenError) {
        let (socket, path) = try Self.bound(to: address, listens: true)
        self.loop = loop
        self.path = path
        self.socket = socket
        self.address = SocketAddress(of: socket.number)
        loop.watch(socket.number, read: true, write: false, watcher: self)
    }

    /// Pauses or resumes accepting.
    package func pause(_ isPaused: Bool) {
        self.isPaused = isPaused
        updateInterest()
    }

    /// Refuses new connections as if nothing listened, or accepts them again. In the meantime a socket that does not
    /// listen keeps the address. Connections that wait to be accepted are reset.
    package func refuse(_ isRefusing: Bool) {
        guard let number = socket?.number, isRefusing != self.isRefusing else { return }
        self.isRefusing = isRefusing
        if isRefusing {
            loop.unwatch(number)
            // Closed before the new one is bound.
            socket = nil
            if let path { Self.removeSocket(path) }
            socket = Self.unlistened(address, path)
        } else {
            listen(number, SOMAXCONN)
        }
        pause(isRefusing)
    }

    /// Returns a socket that is bound to an address and does not listen; nil if another program was faster.
    private static func unlistened(_ address: SocketAddress, _ path: SystemString?) -> SharedDescriptor? {
        do throws(Errno) {
            return SharedDescriptor(try bound(to: address, path: path, listens: false))
        } catch {
            return nil
        }
    }

    /// Whether the listener is open.
    package var isOpen: Bool { socket != nil }

    /// Retries accepting if descriptors had run out: one may be free again.
    package func descriptorWasFreed() {
        guard let timer = retry else { return }
        loop.cancel(timer)
        retry = nil
        updateInterest()
    }

    /// Accepts the connections in the kernel's queue while descriptors are left; returns true when the queue is empty.
    package func acceptWaiting() -> Bool {
        while let socket, retry == nil {
            if !acceptOne(socket) { return retry == nil }
        }
        return socket == nil
    }

    /// Stops listening permanently.
    package func close() {
        guard let socket else { return }
        if let timer = retry { loop.cancel(timer) }
        loop.unwatch(socket.number)
        self.socket = nil
        if let path { Self.removeSocket(path) }
    }

    package func descriptorIsReadable() {
        for _ in 0..<Self.batch {
            guard let socket, !isPaused, acceptOne(socket) else { return }
        }
    }

    package func descriptorIsWritable() {}

    private func acceptOne(_ socket: SharedDescriptor) -> Bool {
        let (number, peer) = SocketAddress.filled { c_accept_nonblocking(socket.number, $0, $1) }
        if number >= 0 {
            Socket.disableDelay(number)
            accept(Descriptor(owning: number), peer.description)
            return true
        }
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            onExhaustion()
            retry = loop.schedule(after: .seconds(1)) { [weak self] in
                self?.retry = nil
                self?.updateInterest()
            }
            updateInterest()
            return false
        // The peer aborted while it waited: the next connection may be ready (accept(2)).
        case ECONNABORTED, EINTR, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH:
            return true
        default: return false
        }
    }

    private func updateInterest() {
        guard let socket else { return }
        loop.watch(socket.number, read: !isPaused && retry == nil, write: false, watcher: self)
    }

    /// Returns the addresses to bind to, and the path of a Unix socket's file.
    package static func candidates(
        for address: Address
    ) throws(ListenError) -> (addresses: [SocketAddress], path: SystemString?) {
        switch address {
        case .unix(let path): return ([.unix(path: path)], path)
        case .serial:
            throw ListenError(message: "cannot listen on \(address.description): open it instead")
        case .abstract(let name): return ([.abstract(name: name)], nil)
        case .network(_, let host, let service, _):
            guard let port = Resolver.portNumber(service, address.isUDP ? "udp" : "tcp") else {
                throw ListenError(message: "cannot listen on \(address.description): unknown service '\(service)'")
            }
            let addresses = Resolver.numeric(host.lowercased() == "localhost" ? "127.0.0.1" : host, port: port)
            guard !addresses.isEmpty else {
                let problem = "the host must be an IP address, such as 127.0.0.1"
                throw ListenError(message: "cannot listen on \(address.description): \(problem)")
            }
            return (addresses, nil)
        }
    }

    /// Returns a socket bound to an address, which may listen, and the path of a Unix socket's file.
    package static func bound(
        to address: Address, listens: Bool
    ) throws(ListenError) -> (socket: SharedDescriptor, path: SystemString?) {
        let (candidates, path) = try candidates(for: address)
        var failure = Errno(rawValue: EADDRNOTAVAIL)
        if let hint = candidates.lazy.compactMap(\.interfaceHint).first {
            throw ListenError(message: "cannot listen on \(address.description): \(hint)")
        }
        for candidate in candidates {
            do throws(Errno) {
                return (SharedDescriptor(try bound(to: candidate, path: path, listens: listens)), path)
            } catch {
                failure = error
            }
        }
        throw ListenError(message: "cannot listen on \(address.description): \(message(for: failure))")
    }

    private static func bound(
        to address: SocketAddress, path: SystemString?, listens: Bool
    ) throws(Errno) -> Descriptor {
        let socket = try Socket.make(SOCK_STREAM, family: address.family)
        if address.port != nil { Socket.setOption(socket.number, level: SOL_SOCKET, SO_REUSEADDR, 1) }
        if address.family == AF_INET6 { Socket.setOption(socket.number, level: Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        if let number = bind(socket, to: address) {
            guard number == EADDRINUSE, let path else { throw Errno(rawValue: number) }
            // A file that is not a socket has no listener.
            guard isSocket(path) else { throw Errno(rawValue: EEXIST) }
            guard isStale(address) else { throw Errno(rawValue: number) }
            _ = path.withCString { unlink($0) }
            if let number = bind(socket, to: address) { throw Errno(rawValue: number) }
        }
        if listens, listen(socket.number, SOMAXCONN) != 0 { throw Errno(rawValue: errno) }
        return socket
    }

    /// Returns the error number, or nil on success.
    private static func bind(_ socket: borrowing Descriptor, to address: SocketAddress) -> Int32? {
        let number = socket.number
        return address.withPointer { Glibc.bind(number, $0, $1) } == 0 ? nil : errno
    }

    /// Removes the file of a Unix socket.
    package static func removeSocket(_ path: SystemString) {
        if isSocket(path) { _ = path.withCString { unlink($0) } }
    }

    /// Whether `path` is a socket; no other file is ever removed.
    private static func isSocket(_ path: SystemString) -> Bool {
        var status = stat()
        return path.withCString { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// Whether a socket file is left over from a listener that has ended: connecting to it is refused. The probe is a
    /// datagram socket: a live listener refuses it (EPROTOTYPE) and does not get another client.
    private static func isStale(_ address: SocketAddress) -> Bool {
        guard let probe = try? Socket.make(SOCK_DGRAM, family: AF_UNIX) else { return false }
        return address.withPointer { connect(probe.number, $0, $1) } != 0 && errno == ECONNREFUSED
    }
}
