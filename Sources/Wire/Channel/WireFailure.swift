import Glibc
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
        case .system(let error): Wire.message(for: error)
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

/// Returns the message for a failed fork(2), where one error number has a different meaning.
func message(ofFork error: Errno) -> String {
    error.rawValue == EAGAIN ? "process limit reached (ulimit -u)" : message(for: error)
}

/// Returns the message for a failed connect(2) of a socket.
func message(ofConnect error: Errno) -> String {
    error.rawValue == EAGAIN ? "the listener's queue is full" : message(for: error)
}

/// Returns the message for an error number, without an initial capital or a final period.
package func message(for error: Errno) -> String {
    switch error.rawValue {
    case ECONNREFUSED: "connection refused"
    case ECONNRESET: "connection reset by the peer"
    case EPIPE: "connection closed by the peer"
    case ETIMEDOUT: "connection timed out"
    case EADDRINUSE: "address already in use"
    case EADDRNOTAVAIL: "address not available on this machine"
    case ENOENT: "no such file"
    case EACCES: "permission denied"
    case EMFILE: "too many open files"
    case EAFNOSUPPORT: "address family not supported on this machine"
    case ENETUNREACH: "network unreachable"
    case EHOSTUNREACH: "no route to host"
    default: error.description.prefix(1).lowercased() + error.description.dropFirst()
    }
}
