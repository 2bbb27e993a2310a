import DequeModule
import Glibc
import Reactor
import Sockets
import SystemPackage

/// A connected datagram socket (UDP). Each read returns one datagram, each write sends one (udp(7)).
package final class DatagramTransport: Transport {
    private let socket: Descriptor
    /// Datagrams received from this peer before the socket was connected.
    private var waiting: Deque<[UInt8]> = []

    /// Takes ownership of a connected, non-blocking datagram socket.
    init(owning socket: consuming Descriptor) {
        self.socket = socket
    }

    package let kind = TransportKind.udp
    package var descriptor: Int32 { socket.number }
    package var hasBufferedInput: Bool { !waiting.isEmpty }

    /// Queues a datagram that was received elsewhere, after those already waiting.
    func push(_ datagram: [UInt8]) {
        waiting.append(datagram)
    }

    /// Reads one datagram. `buffer` should hold the longest one: bytes that do not fit are lost.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        if let datagram = waiting.popFirst() {
            buffer.copyBytes(from: datagram.prefix(buffer.count))
            return .bytes(min(datagram.count, buffer.count))
        }
        let count = recv(socket.number, buffer.baseAddress, buffer.count, 0)
        if count >= 0 { return .bytes(count) }
        switch errno {
        case EAGAIN, EINTR: return .wouldBlock
        // An ICMP error arrived for an earlier datagram (udp(7), ERRORS).
        case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN: return .refused(WireFailure(number: errno))
        default: return .failed(WireFailure(number: errno))
        }
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        // The first attempt may only return the error of an earlier datagram.
        for _ in 0..<2 {
            let count = send(socket.number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .wrote(count) }
            if errno != ECONNREFUSED && errno != EHOSTUNREACH { break }
        }
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS
            ? .wouldBlock : .failed(WireFailure(number: errno))
    }

    /// Sends nothing: a datagram socket has no end of stream.
    package func endOutput() -> EndOutcome { .ended }

    package func resetOnClose() {}
}
