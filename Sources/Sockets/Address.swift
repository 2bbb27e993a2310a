import Reactor

/// The address that a session connects to or a listener binds to, as the user writes it.
package enum Address: Equatable, Sendable {
    /// A place in a network; `service` is a port number or a service name, `path` the resource of a WebSocket: empty,
    /// or from its `/` on.
    case network(Scheme, host: String, service: String, path: String = "")
    /// A stream over a Unix domain socket in the file system (unix(7)).
    case unix(path: SystemString)
    /// A stream over a Unix domain socket in the abstract namespace (unix(7)); its names may contain any bytes.
    case abstract(name: [UInt8])
    /// A serial line, by the path of its device.
    case serial(path: SystemString)

    /// What is spoken at a place in a network.
    package enum Scheme: String, CaseIterable, Sendable {
        case tcp, tls, udp, ws, wss, telnet

        /// The service where none is given; nil if one must be given.
        package var ownService: String? {
            switch self {
            case .tcp, .tls, .udp: nil
            case .ws: "80"
            case .wss: "443"
            case .telnet: "23"
            }
        }

        package var kind: TransportKind {
            switch self {
            case .tcp: .tcp
            case .tls: .tls
            case .udp: .udp
            case .ws: .ws
            case .wss: .wss
            case .telnet: .telnet
            }
        }
    }

    /// Parses `host:port`, `:port` (localhost), `[::1]:port`, `tcp://…`, `tls://…`, `udp://…`, `ws://host:port/path`,
    /// `wss://…`, `telnet://…`, `unix:/path`, `unix:@name` or `serial:/dev/…`.
    package init(parsing bytes: [UInt8]) throws(AddressError) {
        if bytes.starts(with: "unix:".utf8) {
            self = try Self.unixAddress(Array(bytes.dropFirst("unix:".utf8.count)))
            return
        }
        if bytes.starts(with: "serial:".utf8) {
            let path = Array(bytes.dropFirst("serial:".utf8.count))
            guard path.first == UInt8(ascii: "/") else { throw .emptyDevice }
            guard let path = SystemString(path) else { throw .pathWithNUL }
            self = .serial(path: path)
            return
        }
        // Hosts and services are looked up as text: no characters that could end it early or have a special meaning.
        guard let text = String(validating: bytes, as: UTF8.self),
            text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F })
        else { throw .notText(String(lossless: bytes)) }
        guard let separator = text.range(of: "://")?.lowerBound else {
            let (host, service) = try Self.hostAndService(text[...])
            self = .network(.tcp, host: host, service: service)
            return
        }
        guard let scheme = Scheme(rawValue: String(text[..<separator])) else {
            throw .unknownScheme(String(text[..<separator]))
        }
        var place = text[separator...].dropFirst("://".count)
        var path = Substring()
        if scheme.kind.medium == .messages, let slash = place.firstIndex(where: { $0 == "/" || $0 == "?" }) {
            path = place[slash...]
            place = place[..<slash]
            guard path.hasPrefix("/"), !path.contains("#") else { throw .badPath(String(path)) }
        }
        guard !place.contains("@") else { throw .withUser }
        let (host, service) = try Self.hostAndService(place, ownService: scheme.ownService)
        self = .network(scheme, host: host, service: service, path: String(path))
    }

    package static func tcp(host: String, service: String) -> Address {
        .network(.tcp, host: host, service: service)
    }

    package static func tls(host: String, service: String) -> Address {
        .network(.tls, host: host, service: service)
    }

    package static func udp(host: String, service: String) -> Address {
        .network(.udp, host: host, service: service)
    }

    /// Parses an address given as text.
    package init(parsing text: String) throws(AddressError) {
        try self.init(parsing: text.losslessBytes)
    }

    /// The host of a network address, or nil.
    package var host: String? {
        switch self {
        case .network(_, let host, _, _): host
        case .unix, .abstract, .serial: nil
        }
    }

    /// The port of a network address, as written: a number or the name of a service; nil for others.
    package var service: String? {
        switch self {
        case .network(_, _, let service, _): service
        case .unix, .abstract, .serial: nil
        }
    }

    /// What is spoken there; nil for others than network addresses.
    package var scheme: Scheme? {
        guard case .network(let scheme, _, _, _) = self else { return nil }
        return scheme
    }

    /// The path of a WebSocket; empty if none is given.
    package var path: String {
        guard case .network(_, _, _, let path) = self else { return "" }
        return path
    }

    /// The kind of its connections.
    package var kind: TransportKind {
        switch self {
        case .network(let scheme, _, _, _): scheme.kind
        case .unix, .abstract: .unix
        case .serial: .serial
        }
    }

    package var isTLS: Bool { scheme == .tls || scheme == .wss }
    package var isUDP: Bool { scheme == .udp }
    /// Whether its connections carry bytes as they are.
    package var isPlainStream: Bool { scheme == .tcp || scheme == nil }
    /// Whether nothing but a socket is needed to talk there.
    package var isPlain: Bool { isPlainStream || isUDP }
    package var isWebSocket: Bool { scheme == .ws || scheme == .wss }

    /// The address with another scheme; itself if it is not a network address.
    package func with(_ scheme: Scheme) -> Address {
        guard case .network(_, let host, let service, let path) = self else { return self }
        return .network(scheme, host: host, service: service, path: path)
    }

    /// The address in the form that is parsed; its `losslessBytes` are exactly that form.
    package var description: String {
        switch self {
        case .network(let scheme, let host, let service, let path):
            (scheme == .tcp ? "" : scheme.rawValue + "://") + Self.text(host, service) + path
        case .unix(let path): "unix:" + path.description
        case .abstract(let name): "unix:@" + String(lossless: name)
        case .serial(let path): "serial:" + path.description
        }
    }

    private static func text(_ host: String, _ service: String) -> String {
        (host.contains(":") ? "[\(host)]" : host) + ":" + service
    }

    private static func unixAddress(_ path: [UInt8]) throws(AddressError) -> Address {
        let isAbstract = path.first == UInt8(ascii: "@")
        let name = isAbstract ? Array(path.dropFirst()) : path
        guard !name.isEmpty else { throw .emptyPath }
        // sun_path has 108 bytes: a path needs one for its final NUL, an abstract name for its leading NUL (unix(7)).
        guard name.count <= 107 else { throw .pathTooLong(name.count) }
        if isAbstract { return .abstract(name: name) }
        guard let path = SystemString(name) else { throw .pathWithNUL }
        return .unix(path: path)
    }

    private static func hostAndService(
        _ text: Substring, ownService: String? = nil
    ) throws(AddressError) -> (host: String, service: String) {
        var host = text
        var service = Substring()
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { throw .unclosedBracket(String(text)) }
            host = text[..<bracket].dropFirst()
            let rest = text[text.index(after: bracket)...]
            guard rest.hasPrefix(":") || rest.isEmpty && ownService != nil else { throw .missingPort(String(text)) }
            service = rest.isEmpty ? Substring(ownService ?? "") : rest.dropFirst()
        } else if let ownService, !text.isEmpty, !text.contains(":") {
            service = Substring(ownService)
        } else {
            guard let colon = text.lastIndex(of: ":") else { throw .missingPort(String(text)) }
            host = text[..<colon]
            service = text[text.index(after: colon)...]
            if let scheme = Scheme.allCases.first(where: { text.hasPrefix($0.rawValue + ":") })?.rawValue,
                host != scheme
            {
                throw .missingSlashes(scheme: scheme, rest: String(text.dropFirst(scheme.count + 1)))
            }
            guard !host.contains(":") else { throw .bareIPv6(String(text)) }
        }
        guard !service.isEmpty else { throw .missingPort(String(text)) }
        if service.allSatisfy(\.isNumber), UInt16(service) == nil { throw .portOutOfRange(String(service)) }
        return (host.isEmpty ? "localhost" : String(host), String(service))
    }
}

/// Why a text is not a valid address.
package enum AddressError: Error, Equatable {
    case missingPort(String)
    case portOutOfRange(String)
    case unclosedBracket(String)
    case bareIPv6(String)
    case missingSlashes(scheme: String, rest: String)
    case unknownScheme(String)
    case emptyPath
    case withUser
    case badPath(String)
    case emptyDevice
    case pathTooLong(Int)
    case pathWithNUL
    case notText(String)

    /// The problem, and how to write the address.
    package var message: String {
        switch self {
        case .missingPort(let text) where UInt16(text) != nil:
            "'\(text)' is a port without a host; write localhost:\(text), or :\(text)"
        case .missingPort(let text): "'\(text)' has no port; write host:port, such as localhost:8080"
        case .portOutOfRange(let port): "port \(port) is out of range; ports are 0 to 65535"
        case .unclosedBracket(let text): "'\(text)' has a '[' without ']'; write [::1]:8080"
        case .bareIPv6(let text): "'\(text)' is an IPv6 address without brackets; write [::1]:8080"
        case .missingSlashes(let scheme, let rest):
            "'\(scheme):\(rest)' needs slashes; write \(scheme)://\(rest)"
        case .unknownScheme(let scheme):
            "unknown address scheme '\(scheme)://'; use host:port, unix:/path, or one of \(Address.schemes)"
        case .withUser: "an address has no user name; send it with --header or after connecting"
        case .badPath(let path) where path.hasPrefix("?"): "'\(path)' is not a path; write ws://host:port/\(path)"
        case .badPath(let path): "'\(path)' is not a path; write ws://host:port/path, without '#'"
        case .emptyPath: "a unix: address needs a path; write unix:/run/server.sock or unix:@name"
        case .emptyDevice: "a serial: address needs the path of a device; write serial:/dev/ttyUSB0"
        case .pathTooLong(let count): "the path of a Unix socket is too long: \(count) bytes (limit 107)"
        case .pathWithNUL: "a path cannot contain a NUL byte"
        case .notText(let text):
            "'\(text)' is not a host and port: a host cannot contain spaces, control characters or invalid UTF-8"
        }
    }
}

extension Address {
    /// The schemes of network addresses, for messages.
    fileprivate static var schemes: String {
        let names = Scheme.allCases.filter { $0 != .tcp }.map { $0.rawValue + "://" }
        return names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
    }
}
