import Glibc
import SystemPackage

/// Why bytes cannot go to a peer or come from it.
package enum WireFailure: Error, Equatable {
    case system(Errno)
    /// The TLS conversation has failed; in words.
    case tls(String)

    init(number: Int32) {
        self = .system(Errno(rawValue: number))
    }

    /// The reason in a person's words, without capital or full stop.
    package var words: String {
        switch self {
        case .system(let error): Wire.words(for: error)
        case .tls(let words): words
        }
    }

    /// Whether the peer has cut the connection.
    var isReset: Bool { self == WireFailure(number: ECONNRESET) }
    /// Whether there is no such file.
    package var isMissingFile: Bool { self == WireFailure(number: ENOENT) }
    /// Whether a write met a connection that the peer has cut or closed.
    package var isBrokenPipe: Bool { self == WireFailure(number: EPIPE) }
}

/// An error number in a person's words, without capital or full stop.
package func words(for error: Errno) -> String {
    switch error.rawValue {
    case ECONNREFUSED: "connection refused"
    case ECONNRESET: "connection reset by the peer"
    case EPIPE: "the peer has closed the connection"
    case ETIMEDOUT: "connection timed out"
    case EADDRINUSE: "address already in use"
    case EADDRNOTAVAIL: "address not available on this machine"
    case ENOENT: "no such file"
    case EACCES: "permission denied"
    case EMFILE: "too many open files"
    case EAFNOSUPPORT: "address family not supported on this machine"
    case ENETUNREACH: "network unreachable"
    case EHOSTUNREACH: "no route to host"
    case EAGAIN: "the listener's queue is full"
    default: error.description.prefix(1).lowercased() + error.description.dropFirst()
    }
}
