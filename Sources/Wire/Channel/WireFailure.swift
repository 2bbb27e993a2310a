import Glibc
import Sockets
import SystemPackage

/// Why data cannot be sent to a peer or received from it.
package enum WireFailure: Error, Equatable {
    case system(Errno)
    /// TLS has failed; the reason as text.
    case tls(String)
    /// Any other reason, as text.
    case other(String)

    init(number: Int32) {
        self = .system(Errno(rawValue: number))
    }

    /// The reason as readable text, without an initial capital or a final period.
    package var message: String {
        switch self {
        case .system(let error): Sockets.message(for: error)
        case .tls(let message), .other(let message): message
        }
    }

    /// Whether the peer reset the connection.
    var isReset: Bool { self == WireFailure(number: ECONNRESET) }
    /// Whether the file does not exist.
    package var isMissingFile: Bool { self == WireFailure(number: ENOENT) }
    /// Whether a write met a connection that the peer had reset or closed.
    package var isBrokenPipe: Bool { self == WireFailure(number: EPIPE) }
}
