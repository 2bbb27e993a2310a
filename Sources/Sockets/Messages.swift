import Glibc
import SystemPackage

/// Returns the message for a failed fork(2), where one error number has a different meaning.
package func message(ofFork error: Errno) -> String {
    error.rawValue == EAGAIN ? "process limit reached (ulimit -u)" : message(for: error)
}

/// Returns the message for a failed connect(2) of a socket.
package func message(ofConnect error: Errno) -> String {
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
