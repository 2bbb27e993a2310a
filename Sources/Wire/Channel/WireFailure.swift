import Glibc
import SystemPackage

/// Why bytes cannot go to a peer or come from it.
package enum WireFailure: Error, Equatable {
    case system(Errno)
    /// The TLS conversation has failed; in words.
    case tls(String)
    /// Something else, in words.
    case other(String)

    init(number: Int32) {
        self = .system(Errno(rawValue: number))
    }

    /// The reason in a person's words, without capital or full stop.
    package var message: String {
        switch self {
        case .system(let error): Wire.message(for: error)
        case .tls(let message), .other(let message): message
        }
    }

    /// Whether the peer has cut the connection.
    var isReset: Bool { self == WireFailure(number: ECONNRESET) }
    /// Whether there is no such file.
    package var isMissingFile: Bool { self == WireFailure(number: ENOENT) }
    /// Whether a write met a connection that the peer has cut or closed.
    package var isBrokenPipe: Bool { self == WireFailure(number: EPIPE) }
}

/// Why no process can be started (fork(2)), where an error number means something else than elsewhere.
func message(ofFork error: Errno) -> String {
    error.rawValue == EAGAIN ? "process limit reached (ulimit -u)" : message(for: error)
}

/// Why a socket cannot connect (connect(2)).
func message(ofConnect error: Errno) -> String {
    error.rawValue == EAGAIN ? "the listener's queue is full" : message(for: error)
}

/// An error number in a person's words, without capital or full stop.
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
