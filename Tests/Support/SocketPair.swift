import CPlatform
import Glibc

/// Two connected Unix stream sockets. The code under test owns `near`; the test owns `far`.
package final class SocketPair {
    package let near: Int32
    package let far: Int32

    package init() {
        var ends: [Int32] = [-1, -1]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
        near = ends[0]
        far = ends[1]
    }

    deinit {
        close(far)
    }

    /// Writes all of `text` to the far end. Returns false when the socket does not accept it.
    @discardableResult
    package func say(_ text: String) -> Bool {
        say(Array(text.utf8))
    }

    @discardableResult
    package func say(_ bytes: [UInt8]) -> Bool {
        send(far, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// Returns the data that has arrived at the far end so far.
    package func heard() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = recv(far, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer.prefix(count)) : []
    }

    /// Whether the near side has ended its output.
    package var hasEnded: Bool {
        var byte: UInt8 = 0
        return recv(far, &byte, 1, Int32(MSG_PEEK)) == 0
    }

    package func endOutput() {
        shutdown(far, Int32(SHUT_WR))
    }
}
