import COpenSSL
import Sockets

/// The HTTP messages that open a WebSocket (RFC 6455, section 4), as pure state: bytes in, and bytes out.
package struct WebSocketUpgrade {
    /// What one side wants.
    package enum Role: Sendable {
        /// A client asks for the path of an address.
        case client(Address, WebSocketSettings)
        /// A server accepts one path, or any if it is empty, and takes the client's first protocol that is here.
        case server(path: String, WebSocketSettings)
    }

    /// What both sides agreed on.
    struct Outcome {
        let path: String
        let chosenProtocol: String?
        /// The peer's message.
        let head: HTTPHead
        /// What the peer sent after it.
        let rest: [UInt8]
    }

    enum Step {
        case more
        case done(answer: String, Outcome)
        case failed(answer: String, HandshakeError)
    }

    private let role: Role
    private let key: String
    private var received: [UInt8] = []
    /// Where the line begins that is being received, and how far it was searched.
    private var lineStart = (line: 0, searched: 0)

    /// The longest message.
    private static let longestHead = 16384

    /// - Parameter nonce: 16 random bytes, for clients.
    init(_ role: Role, nonce: [UInt8]) {
        self.role = role
        key = base64(nonce)
    }

    var isServer: Bool { if case .server = role { true } else { false } }

    /// What our side says first.
    var greeting: String {
        guard case .client(let address, let settings) = role else { return "" }
        var host = (address.host ?? "").contains(":") ? "[\(address.host ?? "")]" : address.host ?? ""
        if let service = address.service, service != address.scheme?.ownService { host += ":\(service)" }
        var own = [
            HTTPHead.Field(name: "Host", value: host), HTTPHead.Field(name: "Upgrade", value: "websocket"),
            HTTPHead.Field(name: "Connection", value: "Upgrade"),
            HTTPHead.Field(name: "Sec-WebSocket-Key", value: key),
            HTTPHead.Field(name: "Sec-WebSocket-Version", value: "13"),
        ]
        if !settings.protocols.isEmpty {
            own.append(
                HTTPHead.Field(name: "Sec-WebSocket-Protocol", value: settings.protocols.joined(separator: ", ")))
        }
        let path = address.path.isEmpty ? "/" : address.path
        return HTTPHead(startLine: "GET \(path) HTTP/1.1", fields: own.replaced(by: settings.fields)).text
    }

    mutating func receive(_ bytes: [UInt8]) -> Step {
        received += bytes
        guard HTTPHead.canBegin(received) else {
            return .failed(
                answer: Self.refusal("400 Bad Request"),
                HandshakeError(message: "it does not speak HTTP", isRefusal: !isServer))
        }
        guard let end = HTTPHead.end(in: received, from: &lineStart) else {
            guard received.count <= Self.longestHead else {
                return .failed(
                    answer: isServer ? Self.refusal("431 Request Header Fields Too Large") : "",
                    HandshakeError(message: "its HTTP message is longer than 16 KiB"))
            }
            return .more
        }
        guard let head = HTTPHead(parsing: received[..<end]) else {
            return .failed(
                answer: Self.refusal("400 Bad Request"),
                HandshakeError(message: "it does not speak HTTP", isRefusal: !isServer))
        }
        switch role {
        case .client(let address, let settings): return judge(answer: head, address, settings.protocols, end)
        case .server(let path, let settings): return judge(request: head, path, settings, end)
        }
    }

    private func judge(answer head: HTTPHead, _ address: Address, _ protocols: [String], _ end: Int) -> Step {
        func refused(_ problem: String, _ isLasting: Bool = true) -> Step {
            .failed(answer: "", HandshakeError(message: problem, hint: head.hint, isRefusal: isLasting))
        }
        let status = head.startLine.split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
        guard status.hasPrefix("101") else {
            // A server that is starting may answer so for a while.
            return refused("the server answered '\(status)' instead of opening a WebSocket", !status.hasPrefix("5"))
        }
        guard head.has("upgrade", "websocket"), head.has("connection", "upgrade") else {
            return refused("the server's answer does not open a WebSocket")
        }
        guard head.value(of: "sec-websocket-accept") == Self.acceptance(of: key) else {
            return refused("the server's answer has a wrong Sec-WebSocket-Accept")
        }
        if let used = head.value(of: "sec-websocket-extensions") {
            return refused("the server uses an extension that was not offered: \(used)")
        }
        let chosen = head.value(of: "sec-websocket-protocol")
        if let chosen, !protocols.contains(chosen) {
            return refused("the server chose a protocol that was not offered: \(chosen)")
        }
        return .done(answer: "", outcome(address.path.isEmpty ? "/" : address.path, chosen, head, end))
    }

    private func judge(
        request head: HTTPHead, _ path: String, _ settings: WebSocketSettings, _ end: Int
    ) -> Step {
        func refused(_ status: String, _ problem: String, _ more: [HTTPHead.Field] = []) -> Step {
            .failed(answer: Self.refusal(status, more), HandshakeError(message: problem))
        }
        let parts = head.startLine.split(separator: " ").map(String.init)
        let asked = "'\(head.startLine.prefix(80))\(head.startLine.count > 80 ? "…" : "")'"
        guard parts.count == 3, parts[0] == "GET", parts[2] == "HTTP/1.1" else {
            return refused("400 Bad Request", "it did not ask for a WebSocket: \(asked)")
        }
        guard head.value(of: "host") != nil else { return refused("400 Bad Request", "\(asked) has no Host") }
        guard head.has("upgrade", "websocket"), head.has("connection", "upgrade") else {
            return refused(
                "426 Upgrade Required", "it did not ask for a WebSocket: \(asked)",
                [HTTPHead.Field(name: "Upgrade", value: "websocket")])
        }
        guard let key = head.value(of: "sec-websocket-key"), key.utf8.count == 24, key.hasSuffix("==") else {
            return refused("400 Bad Request", "\(asked) has no valid Sec-WebSocket-Key")
        }
        guard head.value(of: "sec-websocket-version") == "13" else {
            return refused(
                "426 Upgrade Required", "it does not speak version 13 of WebSocket",
                [HTTPHead.Field(name: "Sec-WebSocket-Version", value: "13")])
        }
        guard path.isEmpty || parts[1] == path else {
            return refused("404 Not Found", "it asked for \(parts[1].prefix(80))")
        }
        let offered = (head.value(of: "sec-websocket-protocol") ?? "").split(separator: ",").map {
            $0.filter { $0 != " " && $0 != "\t" }
        }
        let chosen = offered.first(where: settings.protocols.contains)
        var own = [
            HTTPHead.Field(name: "Upgrade", value: "websocket"), HTTPHead.Field(name: "Connection", value: "Upgrade"),
            HTTPHead.Field(name: "Sec-WebSocket-Accept", value: Self.acceptance(of: key)),
        ]
        if let chosen { own.append(HTTPHead.Field(name: "Sec-WebSocket-Protocol", value: chosen)) }
        let answer = HTTPHead(startLine: "HTTP/1.1 101 Switching Protocols", fields: own.replaced(by: settings.fields))
        return .done(answer: answer.text, outcome(parts[1], chosen, head, end))
    }

    private func outcome(_ path: String, _ chosen: String?, _ head: HTTPHead, _ end: Int) -> Outcome {
        Outcome(path: path, chosenProtocol: chosen, head: head, rest: Array(received[end...]))
    }

    private static func refusal(_ status: String, _ fields: [HTTPHead.Field] = []) -> String {
        let own = [
            HTTPHead.Field(name: "Connection", value: "close"), HTTPHead.Field(name: "Content-Length", value: "0"),
        ]
        return HTTPHead(startLine: "HTTP/1.1 \(status)", fields: fields + own).text
    }

    /// Returns the answer to a key (RFC 6455, section 1.3).
    static func acceptance(of key: String) -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        SHA1(text, text.count, &digest)
        return base64(digest)
    }
}

/// What a user sets for the handshakes of a WebSocket.
package struct WebSocketSettings: Equatable, Sendable {
    /// In order of preference.
    package var protocols: [String]
    package var fields: [HTTPHead.Field]

    package init(protocols: [String] = [], fields: [HTTPHead.Field] = []) {
        self.protocols = protocols
        self.fields = fields
    }
}

/// The start line and the fields of an HTTP message (RFC 9112).
package struct HTTPHead: Equatable, Sendable {
    package struct Field: Equatable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        /// Parses `Name: value`; nil if it is none, or holds what would end it early.
        package init?(parsing bytes: [UInt8]) {
            guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0,
                bytes[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !bytes.contains(where: { $0 < 0x20 && $0 != 9 })
            else { return nil }
            name = String(decoding: bytes[..<colon], as: UTF8.self)
            let blank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == 9 || $0 == 13 }
            let value = bytes[(colon + 1)...].drop(while: blank).reversed().drop(while: blank).reversed()
            self.value = String(decoding: value, as: UTF8.self)
        }
    }

    package let startLine: String
    package let fields: [Field]

    package init(startLine: String, fields: [Field]) {
        self.startLine = startLine
        self.fields = fields
    }

    /// Parses a head with its final empty line; nil if it is none.
    init?(parsing bytes: ArraySlice<UInt8>) {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
            Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
        }
        let first = lines.removeFirst()
        let text = String(decoding: first, as: UTF8.self)
        guard !first.contains(where: { $0 < 0x20 }),
            text.hasPrefix("HTTP/1.") || text.hasSuffix(" HTTP/1.1") || text.hasSuffix(" HTTP/1.0")
        else { return nil }
        var fields: [Field] = []
        for line in lines where !line.isEmpty {
            guard let field = Field(parsing: line) else { return nil }
            fields.append(field)
        }
        startLine = text
        self.fields = fields
    }

    /// Whether bytes may be the beginning of an HTTP/1 message: an answer, or a request in capital letters.
    static func canBegin(_ bytes: [UInt8]) -> Bool {
        let answer = Array("HTTP/1.".utf8)
        if bytes.starts(with: answer.prefix(bytes.count)), bytes.count <= answer.count || bytes.starts(with: answer) {
            return true
        }
        let method = bytes.prefix(16).prefix { $0 != 0x20 }
        return !method.isEmpty && method.count < 16 && method.allSatisfy { (0x41...0x5A).contains($0) }
    }

    /// Returns where a head ends, after its empty line; nil if it has not arrived. Each byte is searched once.
    static func end(in bytes: [UInt8], from place: inout (line: Int, searched: Int)) -> Int? {
        while let feed = bytes[place.searched...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = bytes[place.line..<feed]
            place = (feed + 1, feed + 1)
            if line.isEmpty || line.elementsEqual([UInt8(ascii: "\r")]) { return feed + 1 }
        }
        place.searched = bytes.count
        return nil
    }

    var text: String {
        startLine + "\r\n" + fields.map { "\($0.name): \($0.value)\r\n" }.joined() + "\r\n"
    }

    /// Returns the values of a field, of which `name` is in lower case; nil if there is none.
    func value(of name: String) -> String? {
        let values = fields.filter { $0.name.lowercased() == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    /// Whether a field has a token, in lower case, in its list.
    func has(_ name: String, _ token: String) -> Bool {
        (value(of: name) ?? "").lowercased().split(separator: ",").contains { part in
            part.filter { $0 != " " && $0 != "\t" } == token
        }
    }

    /// Where the answer of a server leads instead, as a hint; nil if nowhere.
    fileprivate var hint: String? { value(of: "location").map { "it leads to \($0)" } }
}

extension [HTTPHead.Field] {
    /// Returns the fields with others, which replace those of the same name.
    fileprivate func replaced(by others: [HTTPHead.Field]) -> [HTTPHead.Field] {
        filter { own in !others.contains { $0.name.lowercased() == own.name.lowercased() } } + others
    }
}
