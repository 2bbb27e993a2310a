import CPlatform
import Glibc
import Reactor
import Sockets

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

extension Transport {
    /// The process and the user at the other end of a Unix socket (unix(7), SO_PEERCRED); nil for anything else.
    package var peerCredentials: (process: pid_t, user: uid_t)? {
        var (process, user) = (pid_t(), uid_t())
        return c_peer_credentials(descriptor, &process, &user) == 0 && process > 0 ? (process, user) : nil
    }
}
