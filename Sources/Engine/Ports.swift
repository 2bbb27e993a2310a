import Glibc
import Reactor
import Results

/// The ports of `${port.NAME}` and `${bad.port}` on 127.0.0.1.
package final class Ports {
    private var free: [String: Int] = [:]
    /// The socket that keeps the bad port: bound, but not listening, so connections are refused.
    private var refusing: SharedDescriptor?
    private var bad: Int?

    package init() {}

    /// Returns a port that was free when its name was first used; the same for the same name.
    func free(_ name: String) throws(Failure) -> Int {
        if let port = free[name] { return port }
        // The kernel may hand out the same port again once the socket is closed.
        for _ in 0..<100 {
            let port = try bound().port
            guard !free.values.contains(port), port != bad else { continue }
            free[name] = port
            return port
        }
        throw Failure(.connection, "no free port for ${port.\(name)}")
    }

    /// Returns a port that refuses connections.
    func refused() throws(Failure) -> Int {
        if let bad { return bad }
        let (socket, port) = try bound()
        refusing = socket
        bad = port
        return port
    }

    private func bound() throws(Failure) -> (socket: SharedDescriptor, port: Int) {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw Failure(.connection, "no free port: \(lastErrorMessage())") }
        let descriptor = SharedDescriptor(Descriptor(owning: number))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, length) == 0 && getsockname(number, $0, &length) == 0
            }
        }
        guard status else { throw Failure(.connection, "no free port: \(lastErrorMessage())") }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}
