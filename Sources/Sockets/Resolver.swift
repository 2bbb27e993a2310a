import CPlatform
import Glibc
import Reactor
import SystemPackage

/// Why a name could not be resolved.
package struct ResolveError: Error, Equatable {
    /// The resolver's error message, with the name.
    package let message: String
}

/// A lookup of the addresses of a host name that neither blocks the event loop nor needs a thread.
///
/// Literals, localhost and Unix paths are answered in place. getaddrinfo(3) looks up any other name in a short-lived
/// child that answers over a pipe, because getaddrinfo can only block.
package final class Resolver: DescriptorWatcher {
    package typealias Answer = Result<[SocketAddress], ResolveError>

    private let loop: EventLoop
    private let host: String
    private let port: UInt16
    private let completion: (Answer) -> Void
    private let pipe: Descriptor
    private let child: pid_t
    private var received: [UInt8] = []
    private var isFinished = false

    /// Calls `completion` with the addresses, immediately if they need no lookup. Otherwise returns the lookup in
    /// progress, which the caller must keep until then.
    package static func resolve(
        _ address: Address, on loop: EventLoop, completion: @escaping (Answer) -> Void
    ) -> Resolver? {
        switch address {
        case .unix(let path):
            completion(.success([.unix(path: path)]))
        case .abstract(let name):
            completion(.success([.abstract(name: name)]))
        case .serial:
            completion(.failure(ResolveError(message: "a serial line is not a server")))
        case .network(_, let host, let service, _):
            guard let port = portNumber(service, address.isUDP ? "udp" : "tcp") else {
                completion(.failure(ResolveError(message: "unknown service '\(service)'; write a port number")))
                return nil
            }
            if ["localhost", "localhost."].contains(host.lowercased()) {
                // UDP does not show which address has a listener: 127.0.0.1, where servers are, comes first.
                let hosts = address.isUDP ? ["127.0.0.1", "::1"] : ["::1", "127.0.0.1"]
                completion(.success(hosts.flatMap { numeric($0, port: port) }))
                return nil
            }
            let literal = numeric(host, port: port)
            if !literal.isEmpty {
                completion(.success(literal))
                return nil
            }
            do {
                return try Resolver(host: host, port: port, on: loop, completion: completion)
            } catch {
                completion(.failure(ResolveError(message: "cannot look up \(host): \(message(ofFork: error))")))
            }
        }
        return nil
    }

    /// Cancels the lookup; its completion is no longer called.
    package func cancel() {
        guard !isFinished else { return }
        finish()
    }

    package func descriptorIsReadable() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(pipe.number, &buffer, buffer.count)
        if count > 0 {
            received += buffer.prefix(count)
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            finish()
            completion(decodeAnswer())
        }
    }

    package func descriptorIsWritable() {}

    private init(host: String, port: UInt16, on loop: EventLoop, completion: @escaping (Answer) -> Void) throws(Errno) {
        let ends = try Descriptor.pipe()
        let child = c_fork()
        if child == 0 { Self.answerInChild(host: host, port: port, pipe: ends.writing.number) }
        let failure = errno
        self.loop = loop
        self.host = host
        self.port = port
        self.completion = completion
        self.child = child
        pipe = ends.takeReadingEnd()
        guard child > 0 else { throw Errno(rawValue: failure) }
        loop.watch(pipe.number, read: true, write: false, watcher: self)
    }

    private func finish() {
        isFinished = true
        loop.unwatch(pipe.number)
        // The child has closed its end by exiting, or is killed here: it ends within microseconds.
        kill(child, SIGKILL)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    }

    /// Decodes the answer: addresses, each preceded by its length; a length of zero is followed by an error message.
    private func decodeAnswer() -> Answer {
        var addresses: [SocketAddress] = []
        var rest = received[...]
        while let length = rest.popFirst() {
            if length == 0 {
                return .failure(ResolveError(message: "\(host): " + String(decoding: rest, as: UTF8.self)))
            }
            guard rest.count >= length else { break }
            addresses.append(Self.address(from: Array(rest.prefix(Int(length)))))
            rest = rest.dropFirst(Int(length))
        }
        if addresses.isEmpty { return .failure(ResolveError(message: "\(host): no address found")) }
        return .success(addresses)
    }

    private static func address(from bytes: [UInt8]) -> SocketAddress {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                SocketAddress(copying: $0, length: socklen_t(bytes.count))
            }
        }
    }

    /// Runs in the child. Keeps only the pipe open, so that a slow lookup does not delay any end of stream.
    private static func answerInChild(host: String, port: UInt16, pipe: Int32) -> Never {
        _ = c_die_with_parent(SIGKILL)
        dup2(pipe, 0)
        _ = c_close_range(1, UInt32.max)
        var answer: [UInt8] = []
        let code = lookUp(host: host, port: port, flags: 0) { address, length in
            answer.append(UInt8(length))
            answer += UnsafeRawBufferPointer(start: address, count: Int(length))
        }
        if code != 0 {
            answer = [0] + Array(String(cString: gai_strerror(code)).utf8)
        }
        _ = c_set_flags(0, 0)
        _ = write(0, answer, answer.count)
        _exit(0)
    }

    /// Returns the address of an IPv4 or IPv6 literal, or an empty array if `host` is a name.
    package static func numeric(_ host: String, port: UInt16) -> [SocketAddress] {
        var addresses: [SocketAddress] = []
        _ = lookUp(host: host, port: port, flags: AI_NUMERICHOST) { address, length in
            addresses.append(SocketAddress(copying: address, length: length))
        }
        return addresses
    }

    /// Returns the port of a service over "tcp" or "udp", given by number or name (services(5)).
    package static func portNumber(_ service: String, _ protocolName: String) -> UInt16? {
        if let number = UInt16(service) { return number }
        guard let entry = getservbyname(service, protocolName) else { return nil }
        return UInt16(bigEndian: UInt16(truncatingIfNeeded: entry.pointee.s_port))
    }

    private static func lookUp(
        host: String, port: UInt16, flags: Int32, each: (UnsafePointer<sockaddr>, socklen_t) -> Void
    ) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else { return code }
        defer { freeaddrinfo(list) }
        var entry = list
        while let current = entry?.pointee {
            if let address = current.ai_addr { each(address, current.ai_addrlen) }
            entry = current.ai_next
        }
        return 0
    }
}
