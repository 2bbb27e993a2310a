import Glibc
import Reactor
import Sockets
import SystemPackage

/// An address that is bound and refuses connections, until a program is given its socket (sd_listen_fds(3)).
package final class Reservation {
    package let address: SocketAddress
    private let isStream: Bool
    private let path: SystemString?
    /// The socket; nil once closed.
    private var socket: SharedDescriptor?

    /// Binds to a literal address or localhost, without listening.
    package init(at address: Address) throws(ListenError) {
        if address.isUDP {
            socket = SharedDescriptor(try DatagramListener.bound(to: address))
            path = nil
        } else {
            (socket, path) = try Listener.bound(to: address, listens: false)
        }
        let number = socket?.number ?? -1
        // While this is on, others could bind to the address too.
        if !address.isUDP { Socket.setOption(number, level: SOL_SOCKET, SO_REUSEADDR, 0) }
        isStream = !address.isUDP
        self.address = SocketAddress(of: number)
    }

    /// Returns the socket for a program. From now on it listens, also while no program has it.
    package func handOver() throws(WireFailure) -> SharedDescriptor {
        guard let socket else { throw WireFailure(number: EBADF) }
        if isStream, listen(socket.number, SOMAXCONN) != 0 { throw WireFailure(number: errno) }
        // A program expects a socket that blocks, unless it asks for another one.
        _ = fcntl(socket.number, F_SETFL, fcntl(socket.number, F_GETFL) & ~O_NONBLOCK)
        return socket
    }

    /// Closes our copy of the socket; a program that has it keeps its own.
    package func close() {
        guard socket != nil else { return }
        socket = nil
        if let path { Listener.removeSocket(path) }
    }
}
