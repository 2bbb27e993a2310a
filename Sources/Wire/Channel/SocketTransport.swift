import CPlatform
import Glibc
import Reactor
import SystemPackage

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

extension Transport {
    /// The process and the user at the other end of a Unix socket (unix(7), SO_PEERCRED); nil for anything else.
    package var peerCredentials: (process: pid_t, user: uid_t)? {
        var (process, user) = (pid_t(), uid_t())
        return c_peer_credentials(descriptor, &process, &user) == 0 && process > 0 ? (process, user) : nil
    }
}
