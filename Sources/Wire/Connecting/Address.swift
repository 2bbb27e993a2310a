import Reactor

/// The address that a session connects to or a listener binds to, as the user writes it.
package enum Address: Equatable, Sendable {
    /// A stream over TCP; `service` is a port number or a service name.
    case tcp(host: String, service: String)
    /// TLS over TCP.
    case tls(host: String, service: String)
    /// Datagrams over UDP.
    case udp(host: String, service: String)
    /// A stream over a Unix domain socket in the file system (unix(7)).
    case unix(path: SystemString)
    /// A stream over a Unix domain socket in the abstract namespace (unix(7)); its names may contain any bytes.
    case abstract(name: [UInt8])
    /// A serial line, by the path of its device.
    case serial(path: SystemString)

    /// Parses `host:port`, `:port` (localhost), `[::1]:port`, `tcp://…`, `tls://…`, `udp://…`, `unix:/path`,
    /// `unix:@name` or `serial:/dev/…`.
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
        guard let scheme = text.range(ofScheme: "://") else {
            let (host, service) = try Self.hostAndService(text[...])
            self = .tcp(host: host, service: service)
            return
        }
        let (host, service) = try Self.hostAndService(text[scheme...].dropFirst("://".count))
        switch text[..<scheme] {
        case "tcp": self = .tcp(host: host, service: service)
        case "tls": self = .tls(host: host, service: service)
        case "udp": self = .udp(host: host, service: service)
        default: throw .unknownScheme(String(text[..<scheme]))
        }
    }

    /// Parses an address given as text.
    package init(parsing text: String) throws(AddressError) {
        try self.init(parsing: text.losslessBytes)
    }

    /// The host of a network address, or nil.
    package var host: String? {
        switch self {
        case .tcp(let host, _), .tls(let host, _), .udp(let host, _): host
        case .unix, .abstract, .serial: nil
        }
    }

    /// The port of a network address, as written: a number or the name of a service; nil for others.
    package var service: String? {
        switch self {
        case .tcp(_, let service), .tls(_, let service), .udp(_, let service): service
        case .unix, .abstract, .serial: nil
        }
    }

    package var isTLS: Bool {
        if case .tls = self { return true }
        return false
    }

    package var isUDP: Bool {
        if case .udp = self { return true }
        return false
    }

    /// The address in the form that is parsed; its `losslessBytes` are exactly that form.
    package var description: String {
        switch self {
        case .tcp(let host, let service): Self.text(host, service)
        case .tls(let host, let service): "tls://" + Self.text(host, service)
        case .udp(let host, let service): "udp://" + Self.text(host, service)
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
        _ text: Substring
    ) throws(AddressError) -> (host: String, service: String) {
        var host = text
        var service = Substring()
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { throw .unclosedBracket(String(text)) }
            host = text[..<bracket].dropFirst()
            let rest = text[text.index(after: bracket)...]
            guard rest.hasPrefix(":") else { throw .missingPort(String(text)) }
            service = rest.dropFirst()
        } else {
            guard let colon = text.lastIndex(of: ":") else { throw .missingPort(String(text)) }
            host = text[..<colon]
            service = text[text.index(after: colon)...]
            if let scheme = ["tcp", "tls", "udp"].first(where: { text.hasPrefix($0 + ":") }), host != scheme {
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
    case emptyDevice
    case pathTooLong(Int)
    case pathWithNUL
    case notText(String)

    /// The problem, and how to write the address.
    package var message: String {
        switch self {
        case .missingPort(let text): "'\(text)' has no port; write host:port, such as localhost:8080"
        case .portOutOfRange(let port): "port \(port) is out of range; ports are 0 to 65535"
        case .unclosedBracket(let text): "'\(text)' has a '[' without ']'; write [::1]:8080"
        case .bareIPv6(let text): "'\(text)' is an IPv6 address without brackets; write [::1]:8080"
        case .missingSlashes(let scheme, let rest):
            "'\(scheme):\(rest)' needs slashes; write \(scheme)://\(rest)"
        case .unknownScheme(let scheme):
            "unknown address scheme '\(scheme)://'; use host:port, tls://host:port, udp://host:port or unix:/path"
        case .emptyPath: "a unix: address needs a path; write unix:/run/server.sock or unix:@name"
        case .emptyDevice: "a serial: address needs the path of a device; write serial:/dev/ttyUSB0"
        case .pathTooLong(let count): "the path of a Unix socket is too long: \(count) bytes (limit 107)"
        case .pathWithNUL: "a path cannot contain a NUL byte"
        case .notText(let text):
            "'\(text)' is not a host and port: a host cannot contain spaces, control characters or invalid UTF-8"
        }
    }
}

extension String {
    fileprivate func range(ofScheme separator: String) -> String.Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(separator) { return index }
            index = self.index(after: index)
        }
        return nil
    }
}
