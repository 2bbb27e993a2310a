import Reactor
import Sockets

/// A proxy that connects to a server for us: SOCKS 5 (RFC 1928, RFC 1929), SOCKS 4a, or HTTP CONNECT (RFC 9110).
package struct Proxy: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case socks5, socks4a, http
    }

    package let kind: Kind
    package let user: [UInt8]
    package let password: [UInt8]
    /// Where it listens.
    package let address: Address

    /// Why a text is not a proxy.
    package struct ParseError: Error {
        package let message: String
    }

    /// Parses `socks5://[USER[:PASSWORD]@]HOST:PORT`, `socks4a://…` or `http://…`.
    package init(parsing bytes: [UInt8]) throws(ParseError) {
        guard let kind = Kind.allCases.first(where: { bytes.starts(with: "\($0.rawValue)://".utf8) }) else {
            throw ParseError(message: "a proxy is socks5://host:port, socks4a://host:port or http://host:port")
        }
        self.kind = kind
        var rest = bytes.dropFirst(kind.rawValue.utf8.count + 3)
        var login: [UInt8] = []
        if let at = rest.lastIndex(of: UInt8(ascii: "@")) {
            login = Array(rest[..<at])
            rest = rest[(at + 1)...]
        }
        let parts = login.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        user = parts.first.map { Array($0) } ?? []
        password = parts.count > 1 ? Array(parts[1]) : []
        guard user.count <= 255, password.count <= 255 else {
            throw ParseError(message: "the user name and the password of a proxy have at most 255 bytes each")
        }
        do throws(AddressError) {
            address = try Address(parsing: Array(rest))
        } catch {
            throw ParseError(message: error.message)
        }
        guard address.scheme == .tcp else { throw ParseError(message: "a proxy is at host:port") }
    }

    /// The proxy for people: without the password.
    package var description: String { text(login: user) }

    /// The proxy in the form that is parsed.
    package var written: String {
        text(login: password.isEmpty ? user : user + [UInt8(ascii: ":")] + password)
    }

    private func text(login: [UInt8]) -> String {
        "\(kind.rawValue)://\(login.isEmpty ? "" : String(lossless: login) + "@")\(address.description)"
    }
}

/// What is said to one proxy, as pure state: bytes in, and bytes out.
struct ProxyDialogue {
    enum Step: Equatable {
        /// Send these bytes, then read that many.
        case exchange([UInt8], Int)
        /// The proxy has connected: what follows comes from the server.
        case done
        case failed(String)
    }

    private enum State {
        case method, login, reply, hostLength, address, socks4Reply
        case head([UInt8])
    }

    private let proxy: Proxy
    private let host: String
    private let port: UInt16
    private var state: State

    /// The longest head of an HTTP answer.
    private static let longestHead = 16384

    init(_ proxy: Proxy, to host: String, port: UInt16) {
        self.proxy = proxy
        self.host = host
        self.port = port
        state =
            switch proxy.kind {
            case .socks5: .method
            case .socks4a: .socks4Reply
            case .http: .head([])
            }
    }

    /// The first step.
    var greeting: Step {
        switch proxy.kind {
        case .socks5: .exchange(proxy.user.isEmpty ? [5, 1, 0] : [5, 2, 0, 2], 2)
        case .socks4a:
            .exchange([4, 1] + bigEndian(port) + [0, 0, 0, 1] + proxy.user + [0] + Array(host.utf8) + [0], 8)
        case .http: .exchange(Array(connect.utf8), 1)
        }
    }

    private func bigEndian(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }

    private var connect: String {
        let place = (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
        let login = proxy.user + [UInt8(ascii: ":")] + proxy.password
        let authorization = proxy.user.isEmpty ? "" : "Proxy-Authorization: Basic \(base64(login))\r\n"
        return "CONNECT \(place) HTTP/1.1\r\nHost: \(place)\r\n\(authorization)\r\n"
    }

    /// Returns the next step after the bytes that were asked for.
    mutating func receive(_ bytes: [UInt8]) -> Step {
        switch state {
        case .method: return chosen(bytes)
        case .login:
            return bytes[1] == 0 ? request() : .failed("it rejects the user name or the password")
        case .reply: return replied(bytes)
        case .hostLength:
            state = .address
            return .exchange([], Int(bytes[0]) + 2)
        case .address: return .done
        case .socks4Reply:
            return bytes[0] == 0 && bytes[1] == 90
                ? .done : .failed(bytes[0] == 0 ? "it refuses the connection (\(bytes[1]))" : "it is not SOCKS 4")
        case .head(let head): return read(head + bytes)
        }
    }

    private mutating func chosen(_ bytes: [UInt8]) -> Step {
        guard bytes[0] == 5 else { return .failed("it is not SOCKS 5") }
        switch bytes[1] {
        case 0: return request()
        case 2 where !proxy.user.isEmpty:
            state = .login
            let user = [UInt8(proxy.user.count)] + proxy.user
            return .exchange([1] + user + [UInt8(proxy.password.count)] + proxy.password, 2)
        default:
            return .failed(
                proxy.user.isEmpty
                    ? "it wants a user name: write socks5://user:password@…" : "it accepts none of our logins")
        }
    }

    private mutating func request() -> Step {
        state = .reply
        var place: [UInt8]
        if let literal = Resolver.numeric(host, port: port).first?.rawHost {
            place = [literal.count == 4 ? 1 : 4] + literal
        } else {
            guard host.utf8.count <= 255 else { return .failed("a host name has at most 255 bytes") }
            place = [3, UInt8(host.utf8.count)] + Array(host.utf8)
        }
        return .exchange([5, 1, 0] + place + bigEndian(port), 4)
    }

    private mutating func replied(_ bytes: [UInt8]) -> Step {
        let problems = [
            "a general failure", "not allowed by its rules", "the network is unreachable", "the host is unreachable",
            "connection refused", "the time to live has expired", "the command is not supported",
            "the kind of address is not supported",
        ]
        guard bytes[0] == 5 else { return .failed("it is not SOCKS 5") }
        guard bytes[1] == 0 else {
            let index = Int(bytes[1]) - 1
            return .failed("it reports: \(problems.indices.contains(index) ? problems[index] : "error \(bytes[1])")")
        }
        state = .address
        switch bytes[3] {
        case 1: return .exchange([], 6)
        case 4: return .exchange([], 18)
        case 3:
            state = .hostLength
            return .exchange([], 1)
        default: return .failed("its answer has an unknown kind of address")
        }
    }

    /// Reads byte by byte: what follows the head comes from the server.
    private mutating func read(_ head: [UInt8]) -> Step {
        state = .head(head)
        guard head.suffix(4) == Array("\r\n\r\n".utf8)[...] else {
            return head.count < Self.longestHead ? .exchange([], 1) : .failed("its answer has no end")
        }
        let line = String(lossless: Array(head.prefix { $0 != 0x0D }))
        let words = line.split(separator: " ")
        guard words.count > 1, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            return .failed("it is not an HTTP proxy")
        }
        return (200..<300).contains(status) ? .done : .failed("it answers: \(line)")
    }
}

/// Connects through one or more proxies, over the connection to the first of them.
final class ProxyHandshake: DescriptorWatcher, Handshake {
    private let transport: SocketTransport
    private let loop: EventLoop
    private let completion: (Result<SocketTransport, HandshakeError>) -> Void
    /// The proxies that have not been asked yet, with the places that they connect to.
    private var rest: ArraySlice<(proxy: Proxy, host: String, port: UInt16)>
    private var dialogue: ProxyDialogue?
    private var outgoing: [UInt8] = []
    private var incoming: [UInt8] = []
    private var wanted = 0
    private var isFinished = false

    /// - Parameters:
    ///   - transport: the connection to the first proxy.
    ///   - proxies: each connects to the next one, the last to the address.
    init(
        over transport: SocketTransport, through proxies: [Proxy], to address: Address, on loop: EventLoop,
        completion: @escaping (Result<SocketTransport, HandshakeError>) -> Void
    ) {
        self.transport = transport
        self.loop = loop
        self.completion = completion
        let places = proxies.dropFirst().map(\.address) + [address]
        rest =
            zip(proxies, places).map { proxy, place in
                (proxy, place.host ?? "", place.service.flatMap { Resolver.portNumber($0, "tcp") } ?? 0)
            }[...]
    }

    /// Starts; the completion may be called before this returns.
    func start() { next() }

    func cancel() {
        guard !isFinished else { return }
        finish()
    }

    package func descriptorIsReadable() { read() }
    package func descriptorIsWritable() { write() }

    var phase: String { "from the proxy \(current)" }
    let title = "asking the proxy of"

    /// The proxy that is being asked, for messages.
    private var current: String { rest.first?.proxy.description ?? "" }

    private func next() {
        guard let (proxy, host, port) = rest.first else {
            finish()
            return completion(.success(transport))
        }
        let dialogue = ProxyDialogue(proxy, to: host, port: port)
        self.dialogue = dialogue
        take(dialogue.greeting)
    }

    private func take(_ step: ProxyDialogue.Step) {
        switch step {
        case .exchange(let bytes, let count):
            outgoing = bytes
            wanted = count
            incoming = []
            write()
        case .done:
            rest = rest.dropFirst()
            next()
        case .failed(let problem): fail(problem)
        }
    }

    private func write() {
        while !outgoing.isEmpty {
            switch outgoing.withUnsafeBytes({ transport.write($0) }) {
            case .wrote(let count): outgoing.removeFirst(count)
            case .wouldBlock: return loop.watch(transport.descriptor, read: false, write: true, watcher: self)
            case .failed(let failure): return fail(failure.message)
            }
        }
        loop.watch(transport.descriptor, read: true, write: false, watcher: self)
    }

    private func read() {
        while !isFinished, incoming.count < wanted {
            var buffer = [UInt8](repeating: 0, count: wanted - incoming.count)
            switch buffer.withUnsafeMutableBytes({ transport.read(into: $0) }) {
            case .bytes(let count): incoming += buffer.prefix(count)
            case .wouldBlock, .needsRoom: return
            case .endOfStream, .cut: return fail("it has closed the connection")
            case .refused(let failure), .failed(let failure): return fail(failure.message)
            }
        }
        guard !isFinished, var dialogue else { return }
        let step = dialogue.receive(incoming)
        self.dialogue = dialogue
        take(step)
    }

    private func fail(_ problem: String) {
        let proxy = current
        finish()
        completion(.failure(HandshakeError(message: "the proxy \(proxy): \(problem)")))
    }

    private func finish() {
        isFinished = true
        loop.unwatch(transport.descriptor)
    }
}
