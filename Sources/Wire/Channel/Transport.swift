import CPlatform
import Glibc
import Reactor
import SystemPackage

/// The result of one read.
package enum ReadOutcome {
    /// The number of bytes read; from a datagram socket one whole datagram, which may be empty.
    case bytes(Int)
    case wouldBlock
    case endOfStream
    /// The connection ended without the end that its protocol requires: TLS without close_notify.
    case cut
    /// Earlier data was not delivered; later data may be (ICMP port unreachable).
    case refused(WireFailure)
    case failed(WireFailure)
}

/// The result of one write.
package enum WriteOutcome {
    case wrote(Int)
    case wouldBlock
    case failed(WireFailure)
}

/// The result of ending our side.
package enum EndOutcome {
    case ended
    /// The kernel has no room to send the end: try again when it has.
    case wouldBlock
    case failed(WireFailure)
}

/// The kind of connection to a peer.
package enum TransportKind: String, Sendable {
    case tcp, unix, tls, udp
    /// A child process, connected through pipes or through its own terminal.
    case process, terminal
    /// A serial line.
    case serial
}

/// A non-blocking byte connection to a peer, in both directions. It owns its descriptors.
package protocol Transport: AnyObject {
    var kind: TransportKind { get }
    /// The negotiated TLS parameters, or nil without TLS.
    var details: TLSDetails? { get }
    /// The descriptor to watch for reading.
    var descriptor: Int32 { get }
    /// The descriptor to watch for writing; the same as `descriptor` except for pipes.
    var outputDescriptor: Int32 { get }
    /// Whether reading continues only once the descriptor is writable (SSL_get_error(3), SSL_ERROR_WANT_WRITE).
    var needsWriteToRead: Bool { get }
    /// Whether data is buffered that select(2) does not see: a read returns it immediately.
    var hasBufferedInput: Bool { get }
    /// Reads at most `buffer.count` bytes; `buffer` must not be empty.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome
    /// Writes as much of `bytes` as the kernel accepts now.
    func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome
    /// Ends our side (half-close); the peer can still send.
    func endOutput() -> EndOutcome
    /// Makes the next close a reset instead of a clean end.
    func resetOnClose()
    /// Notes `bytes`, which are about to be sent; returns why the peer cannot receive them unmodified, or nil.
    func admit(_ bytes: UnsafeRawBufferPointer) -> String?
    /// The shortest time in which the peer can answer, as far as known.
    var roundTripTime: Duration { get }
    /// The number of bytes that the kernel has accepted but that have not reached the peer, as far as known.
    var unacknowledgedBytes: Int { get }
    /// The sender of the last datagram read, if several peers send to this socket.
    var sender: DatagramPeer? { get }
    /// Where datagrams go, if several peers send to this socket.
    var recipient: DatagramPeer? { get set }
}

extension Transport {
    package var details: TLSDetails? { nil }
    package var outputDescriptor: Int32 { descriptor }
    package var needsWriteToRead: Bool { false }
    package var hasBufferedInput: Bool { false }
    package func admit(_ bytes: UnsafeRawBufferPointer) -> String? { nil }
    package var roundTripTime: Duration { .zero }
    package var unacknowledgedBytes: Int { 0 }
    package var sender: DatagramPeer? { nil }
    package var recipient: DatagramPeer? {
        get { nil }
        set {}
    }
}

/// A connected stream socket: TCP or Unix.
package final class SocketTransport: Transport {
    private let socket: Descriptor

    /// Takes ownership of a connected, non-blocking stream socket.
    package init(owning socket: consuming Descriptor) {
        let (_, address) = SocketAddress.filled { [number = socket.number] in getsockname(number, $0, $1) }
        kind = address.family == AF_UNIX ? .unix : .tcp
        self.socket = socket
    }

    package let kind: TransportKind
    package var descriptor: Int32 { socket.number }
    package var roundTripTime: Duration { .microseconds(Int64(c_round_trip_time(socket.number))) }
    package var unacknowledgedBytes: Int { kind == .tcp ? Int(c_unacknowledged(socket.number)) : 0 }

    package func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        let count = recv(socket.number, buffer.baseAddress, buffer.count, 0)
        if count > 0 { return .bytes(count) }
        if count == 0 { return .endOfStream }
        let failure = errno
        return failure == EAGAIN || failure == EINTR ? .wouldBlock : .failed(WireFailure(number: failure))
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        let count = send(socket.number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .wrote(count) }
        let failure = errno
        return failure == EAGAIN || failure == EINTR ? .wouldBlock : .failed(WireFailure(number: failure))
    }

    package func endOutput() -> EndOutcome {
        guard shutdown(socket.number, Int32(SHUT_WR)) < 0, errno != ENOTCONN else { return .ended }
        return .failed(WireFailure(number: errno))
    }

    package func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket.number, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
}

/// The system calls on sockets that several types in this module need.
enum Socket {
    /// Returns a new non-blocking, close-on-exec socket of a type and family (socket(2)).
    static func make(_ type: __socket_type, family: Int32) throws(Errno) -> Descriptor {
        let number = socket(family, Int32(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        return Descriptor(owning: number)
    }

    /// Sends small writes immediately (tcp(7), TCP_NODELAY); no effect on a Unix socket.
    static func disableDelay(_ number: Int32) {
        setOption(number, level: Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    static func setOption(_ number: Int32, level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Returns the pending error of a socket and clears it (socket(7), SO_ERROR).
    static func pendingError(_ number: Int32) -> Errno? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(number, SOL_SOCKET, SO_ERROR, &value, &length) == 0, value != 0 else { return nil }
        return Errno(rawValue: value)
    }
}
