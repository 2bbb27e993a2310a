import CPlatform
import Glibc
import Reactor
import Sockets
import SystemPackage

/// A listener that hands over each new connection.
package protocol Acceptor: AnyObject {
    /// The address it listens on, with the port the kernel has chosen.
    var address: SocketAddress { get }
    /// Calls `serve` with each connection: its transport and the peer's address.
    func onConnection(_ serve: @escaping (any Transport, String) -> Void)
    /// Called when no descriptor is left for a new connection, which then waits until one is free.
    var onExhaustion: () -> Void { get set }
    /// Stops listening permanently.
    func close()
}

extension Listener: Acceptor {
    package func onConnection(_ serve: @escaping (any Transport, String) -> Void) {
        accept = { socket, peer in serve(SocketTransport(owning: socket), peer) }
    }
}

/// A bound datagram socket that creates a connected one for each new peer.
///
/// A connected socket that is bound to the same address as the listening one receives everything its peer sends from
/// then on (udp(7)). Earlier datagrams are handed to it, so none is lost or out of order. SO_REUSEADDR is on only while
/// such a socket is bound: otherwise a second program could listen on the same address without an error.
package final class DatagramListener: DescriptorWatcher, Acceptor {
    package let address: SocketAddress
    private var serve: (any Transport, String) -> Void = { _, _ in }
    package var onExhaustion: () -> Void = {}

    private let loop: EventLoop
    /// Nil once closed.
    private var socket: SharedDescriptor?
    private var peers: [String: Peer] = [:]
    private var sweepAt = 64
    /// A peer's first datagram for which no descriptor was left.
    private var held: (datagram: [UInt8], from: SocketAddress)?
    private var retry: Timer?
    private var buffer = [UInt8](repeating: 0, count: 65536)

    private struct Peer {
        weak var transport: DatagramTransport?
    }

    /// The maximum number of datagrams received in one turn.
    private static let batch = 1024

    /// Binds to a literal address or localhost.
    package init(at address: Address, on loop: EventLoop) throws(ListenError) {
        self.loop = loop
        let socket = SharedDescriptor(try Self.bound(to: address))
        self.address = SocketAddress(of: socket.number)
        self.socket = socket
        loop.watch(socket.number, read: true, write: false, watcher: self)
    }

    /// Returns a socket bound to a literal address or localhost.
    static func bound(to address: Address) throws(ListenError) -> Descriptor {
        var failure = Errno(rawValue: EADDRNOTAVAIL)
        let candidates = try Listener.candidates(for: address).addresses
        if let hint = candidates.lazy.compactMap(\.interfaceHint).first {
            throw ListenError(message: "cannot listen on \(address.description): \(hint)")
        }
        for candidate in candidates {
            do throws(Errno) {
                let socket = try Socket.make(SOCK_DGRAM, family: candidate.family)
                let number = socket.number
                guard candidate.withPointer({ bind(number, $0, $1) }) == 0 else { throw Errno(rawValue: errno) }
                return socket
            } catch {
                failure = error
            }
        }
        throw ListenError(message: "cannot listen on \(address.description): \(message(for: failure))")
    }

    /// Returns a socket for datagrams of all peers, bound to a literal address or localhost.
    package static func shared(at address: Address) throws(ListenError) -> SharedDatagramTransport {
        SharedDatagramTransport(owning: try bound(to: address))
    }

    package func onConnection(_ serve: @escaping (any Transport, String) -> Void) {
        self.serve = serve
    }

    package func close() {
        guard let socket else { return }
        if let retry { loop.cancel(retry) }
        loop.unwatch(socket.number)
        self.socket = nil
    }

    package func descriptorIsReadable() {
        for _ in 0..<Self.batch {
            guard let socket, held == nil, let (datagram, peer) = receive(from: socket.number) else { return }
            take(datagram, from: peer)
        }
    }

    package func descriptorIsWritable() {}

    private func receive(from descriptor: Int32) -> ([UInt8], SocketAddress)? {
        let (count, peer) = SocketAddress.filled { address, length in
            Int32(truncatingIfNeeded: recvfrom(descriptor, &buffer, buffer.count, 0, address, length))
        }
        return count < 0 ? nil : (Array(buffer.prefix(Int(count))), peer)
    }

    private func take(_ datagram: [UInt8], from peer: SocketAddress) {
        let name = peer.description
        if let transport = peers[name]?.transport {
            transport.push(datagram)
            loop.markReadable(transport.descriptor)
            return
        }
        do throws(Errno) {
            guard let socket else { return }
            let transport = DatagramTransport(owning: try connectedSocket(to: peer, beside: socket.number))
            transport.push(datagram)
            peers[name] = Peer(transport: transport)
            adoptEarly(transport, of: name)
            sweep()
            serve(transport, name)
        } catch {
            guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.rawValue) else { return }
            onExhaustion()
            held = (datagram, peer)
            retry = loop.schedule(after: .seconds(1)) { [weak self] in self?.tryAgain() }
            if let socket { loop.watch(socket.number, read: false, write: false, watcher: self) }
        }
    }

    private func tryAgain() {
        guard let socket, let (datagram, peer) = held else { return }
        held = nil
        loop.watch(socket.number, read: true, write: false, watcher: self)
        take(datagram, from: peer)
    }

    /// Takes datagrams for the listening socket that the new socket may have received between its bind and its connect.
    private func adoptEarly(_ transport: DatagramTransport, of name: String) {
        while let (datagram, peer) = receive(from: transport.descriptor) {
            if peer.description == name { transport.push(datagram) } else { take(datagram, from: peer) }
        }
    }

    private func connectedSocket(to peer: SocketAddress, beside listener: Int32) throws(Errno) -> Descriptor {
        let own = try Socket.make(SOCK_DGRAM, family: peer.family)
        Socket.setOption(own.number, level: SOL_SOCKET, SO_REUSEADDR, 1)
        Socket.setOption(listener, level: SOL_SOCKET, SO_REUSEADDR, 1)
        defer { Socket.setOption(listener, level: SOL_SOCKET, SO_REUSEADDR, 0) }
        guard address.withPointer({ bind(own.number, $0, $1) }) == 0,
            peer.withPointer({ connect(own.number, $0, $1) }) == 0
        else { throw Errno(rawValue: errno) }
        return own
    }

    private func sweep() {
        guard peers.count >= sweepAt else { return }
        peers = peers.filter { $0.value.transport != nil }
        sweepAt = max(64, 2 * peers.count)
    }
}
