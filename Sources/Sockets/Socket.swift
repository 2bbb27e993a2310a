import CPlatform
import Glibc
import Reactor
import SystemPackage

/// The system calls on sockets that several types need.
package enum Socket {
    /// Returns a new non-blocking, close-on-exec socket of a type and family (socket(2)).
    package static func make(_ type: __socket_type, family: Int32) throws(Errno) -> Descriptor {
        let number = socket(family, Int32(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        return Descriptor(owning: number)
    }

    /// Sends small writes immediately (tcp(7), TCP_NODELAY); no effect on a Unix socket.
    package static func disableDelay(_ number: Int32) {
        setOption(number, level: Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    package static func setOption(_ number: Int32, level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Returns the pending error of a socket and clears it (socket(7), SO_ERROR).
    package static func pendingError(_ number: Int32) -> Errno? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(number, SOL_SOCKET, SO_ERROR, &value, &length) == 0, value != 0 else { return nil }
        return Errno(rawValue: value)
    }
}
