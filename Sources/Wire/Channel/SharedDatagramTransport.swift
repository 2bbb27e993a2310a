import DequeModule
import Glibc
import Reactor
import Sockets
import SystemPackage

/// A bound datagram socket without a peer of its own: it receives from everyone and sends to one recipient (udp(7)).
package final class SharedDatagramTransport: Transport {
    private let socket: Descriptor
    /// The sender of the last datagram read.
    package private(set) var sender: DatagramPeer?
    /// The peer chosen as the recipient; the last sender if none was.
    package var recipient: DatagramPeer?
    /// The recipients of the datagrams that were admitted and not yet written.
    private var recipients: Deque<DatagramPeer> = []
    /// The address it is bound to, with the port the kernel has chosen.
    package let address: SocketAddress

    /// Takes ownership of a bound, non-blocking datagram socket.
    init(owning socket: consuming Descriptor) {
        address = SocketAddress(of: socket.number)
        self.socket = socket
    }

    package let kind = TransportKind.udp
    package var descriptor: Int32 { socket.number }

    /// Reads one datagram. `buffer` should hold the longest one: bytes that do not fit are lost.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        let (count, address) = SocketAddress.filled { address, length in
            let count = recvfrom(socket.number, buffer.baseAddress, buffer.count, 0, address, length)
            return Int32(truncatingIfNeeded: count)
        }
        guard count >= 0 else {
            return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(WireFailure(number: errno))
        }
        sender = DatagramPeer(address)
        return .bytes(Int(count))
    }

    package func admit(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard let peer = recipient ?? sender else { return "no peer has sent anything yet" }
        recipients.append(peer)
        return nil
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        guard let peer = recipients.first ?? recipient ?? sender else { return .wrote(bytes.count) }
        let count = peer.address.withPointer { address, length in
            sendto(socket.number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), address, length)
        }
        if count < 0, errno == EAGAIN || errno == EINTR || errno == ENOBUFS { return .wouldBlock }
        _ = recipients.popFirst()
        return count >= 0 ? .wrote(count) : .failed(WireFailure(number: errno))
    }

    /// Sends nothing: a datagram socket has no end of stream.
    package func endOutput() -> EndOutcome { .ended }

    package func resetOnClose() {}
}
