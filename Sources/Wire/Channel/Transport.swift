import CPlatform
import Glibc
import Reactor
import SystemPackage

/// What one read gave.
package enum ReadOutcome {
    /// So many bytes; of a datagram socket one whole datagram, which may be empty.
    case bytes(Int)
    case wouldBlock
    case endOfStream
    /// The connection is gone without the end that its protocol asks for: TLS without close_notify.
    case cut
    /// What was sent before was not taken by anybody; what follows may be (ICMP port unreachable).
    case refused(WireFailure)
    case failed(WireFailure)
}

/// What one write took.
package enum WriteOutcome {
    case wrote(Int)
    case wouldBlock
    case failed(WireFailure)
}

/// What ending our side came to.
package enum EndOutcome {
    case ended
    /// The kernel has no room for what says so: try again when there is.
    case wouldBlock
    case failed(WireFailure)
}

/// What sort of way to a peer it is.
package enum TransportKind: String, Sendable {
    case tcp, unix, tls, udp
    /// A child process behind pipes, or behind a terminal of its own.
    case process, terminal
}

/// A way for bytes to a peer and back, non-blocking. It owns its descriptors.
package protocol Transport: AnyObject {
    var kind: TransportKind { get }
    /// What TLS has agreed on, or nil without it.
    var details: TLSDetails? { get }
    /// The descriptor to watch for reading.
    var descriptor: Int32 { get }
    /// The descriptor to watch for writing; the same one for all but pipes.
    var outputDescriptor: Int32 { get }
    /// Reading goes on only when the descriptor can be written (SSL_get_error(3), SSL_ERROR_WANT_WRITE).
    var needsWriteToRead: Bool { get }
    /// Bytes are there that select(2) does not see: a read gives them at once.
    var hasBufferedInput: Bool { get }
    /// Reads at most `buffer.count` bytes, which is more than zero.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome
    /// Writes as much of `bytes` as the kernel takes now.
    func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome
    /// Ends our side (half-close); the peer can still send.
    func endOutput() -> EndOutcome
    /// Makes the coming close a reset instead of an orderly end.
    func resetOnClose()
    /// Takes notice of `bytes`, which are about to be sent; says in words why the peer cannot get them as they are, or nil.
    func admit(_ bytes: UnsafeRawBufferPointer) -> String?
    /// How long the peer's answer takes at least, as far as is known.
    var roundTripTime: Duration { get }
    /// How many of the bytes that the kernel has taken have not reached the peer, as far as is known.
    var unacknowledgedBytes: Int { get }
}

extension Transport {
    package var details: TLSDetails? { nil }
    package var outputDescriptor: Int32 { descriptor }
    package var needsWriteToRead: Bool { false }
    package var hasBufferedInput: Bool { false }
    package func admit(_ bytes: UnsafeRawBufferPointer) -> String? { nil }
    package var roundTripTime: Duration { .zero }
    package var unacknowledgedBytes: Int { 0 }
}

/// A connected stream socket: TCP or Unix.
package final class SocketTransport: Transport {
    private let socket: Descriptor

    /// Takes a connected, non-blocking stream socket.
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

/// The system calls on sockets that several types here need.
enum Socket {
    /// A new non-blocking, close-on-exec socket of a type and family (socket(2)).
    static func make(_ type: __socket_type, family: Int32) throws(Errno) -> Descriptor {
        let number = socket(family, Int32(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        return Descriptor(owning: number)
    }

    /// Sends small writes at once (tcp(7), TCP_NODELAY); without effect on a Unix socket.
    static func disableDelay(_ number: Int32) {
        setOption(number, level: Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    static func setOption(_ number: Int32, level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The pending error of a socket, cleared by asking (socket(7), SO_ERROR).
    static func pendingError(_ number: Int32) -> Errno? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(number, SOL_SOCKET, SO_ERROR, &value, &length) == 0, value != 0 else { return nil }
        return Errno(rawValue: value)
    }
}
