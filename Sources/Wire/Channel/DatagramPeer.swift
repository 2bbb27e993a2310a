import Sockets

/// The sender of a datagram.
package final class DatagramPeer {
    let address: SocketAddress
    /// The address as text, such as `127.0.0.1:5353`.
    package let description: String

    init(_ address: SocketAddress) {
        self.address = address
        description = address.description
    }
}
