import Reactor
import Sockets

/// The header with which a proxy reports the addresses of a connection (the PROXY protocol of HAProxy, versions 1 and
/// 2).
package enum ProxyHeader {
    package enum Version: String, CaseIterable, Sendable {
        case v1, v2
    }

    /// Returns the header of a connection: the address of our side, and the one that it is connected to.
    static func bytes(_ version: Version, from source: SocketAddress, to target: SocketAddress) -> [UInt8] {
        switch version {
        case .v1: text(from: source, to: target)
        case .v2: binary(from: source, to: target)
        }
    }

    private static func text(from source: SocketAddress, to target: SocketAddress) -> [UInt8] {
        guard let family = family(source, target), let port = source.port, let other = target.port else {
            return Array("PROXY UNKNOWN\r\n".utf8)
        }
        let name = family == 4 ? "TCP4" : "TCP6"
        return Array("PROXY \(name) \(source.numericHost) \(target.numericHost) \(port) \(other)\r\n".utf8)
    }

    private static func binary(from source: SocketAddress, to target: SocketAddress) -> [UInt8] {
        guard let family = family(source, target), let first = source.rawHost, let second = target.rawHost,
            let port = source.port, let other = target.port
        else { return signature + [0x20, 0, 0, 0] }
        let addresses = first + second + bigEndian(port) + bigEndian(other)
        return signature + [0x21, family == 4 ? 0x11 : 0x21] + bigEndian(UInt16(addresses.count)) + addresses
    }

    /// Returns 4 or 6; nil for addresses that are not of IP.
    private static func family(_ source: SocketAddress, _ target: SocketAddress) -> Int? {
        guard let first = source.rawHost, let second = target.rawHost, first.count == second.count else { return nil }
        return first.count == 4 ? 4 : 6
    }

    private static func bigEndian(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }

    private static let signature = Array("\r\n\r\n\0\r\nQUIT\n".utf8)

    /// Reads a header byte by byte: what follows it belongs to the connection.
    package struct Parser {
        package enum Outcome: Equatable {
            case more
            /// The address that the proxy reports, as text; nil if it reports none.
            case done(source: String?)
            case failed(String)
        }

        private var bytes: [UInt8] = []
        /// The longest header of version 1, with its line ending.
        private static let longestText = 107

        package init() {}

        package mutating func feed(_ byte: UInt8) -> Outcome {
            bytes.append(byte)
            if bytes.count <= signature.count, signature.starts(with: bytes) { return .more }
            if bytes.starts(with: signature) { return binary() }
            guard "PROXY ".utf8.prefix(bytes.count).elementsEqual(bytes.prefix(6)) else {
                return .failed("it does not begin with a PROXY header")
            }
            guard bytes.suffix(2) == Array("\r\n".utf8)[...] else {
                return bytes.count < Self.longestText ? .more : .failed("its PROXY header has no end")
            }
            return text()
        }

        private func text() -> Outcome {
            let words = String(decoding: bytes.dropLast(2), as: UTF8.self).split(
                separator: " ", omittingEmptySubsequences: false)
            if words.count > 1, words[1] == "UNKNOWN" { return .done(source: nil) }
            guard words.count == 6, ["TCP4", "TCP6"].contains(words[1]), let port = UInt16(words[4]),
                UInt16(words[5]) != nil, let source = address(String(words[2]), port, isV6: words[1] == "TCP6"),
                address(String(words[3]), 0, isV6: words[1] == "TCP6") != nil
            else { return .failed("its PROXY header is not valid") }
            return .done(source: source)
        }

        private func address(_ host: String, _ port: UInt16, isV6: Bool) -> String? {
            let found = Resolver.numeric(host, port: port).first { $0.rawHost?.count == (isV6 ? 16 : 4) }
            return found?.description
        }

        private func binary() -> Outcome {
            guard bytes.count >= 16 else { return .more }
            let length = Int(bytes[14]) << 8 | Int(bytes[15])
            guard bytes[12] >> 4 == 2, bytes[12] & 15 <= 1 else { return .failed("its PROXY header is not valid") }
            guard bytes.count == 16 + length else { return .more }
            // A connection of the proxy itself, such as a health check, has no other source.
            guard bytes[12] & 15 == 1 else { return .done(source: nil) }
            let size = bytes[13] >> 4 == 1 ? 4 : bytes[13] >> 4 == 2 ? 16 : 0
            guard size > 0 else { return .done(source: nil) }
            guard length >= 2 * size + 4 else { return .failed("its PROXY header is not valid") }
            let host = bytes[16..<(16 + size)]
            let port = UInt16(bytes[16 + 2 * size]) << 8 | UInt16(bytes[17 + 2 * size])
            let text = size == 4 ? host.map(String.init).joined(separator: ".") : Self.hexadecimal(Array(host))
            return .done(source: address(text, port, isV6: size == 16))
        }

        private static func hexadecimal(_ bytes: [UInt8]) -> String {
            stride(from: 0, to: bytes.count, by: 2).map { index in
                String(Int(bytes[index]) << 8 | Int(bytes[index + 1]), radix: 16)
            }.joined(separator: ":")
        }
    }
}

/// Reads the PROXY header at the start of an accepted connection.
final class ProxyHeaderReader: DescriptorWatcher, Handshake {
    let phase = "in the PROXY header"
    let title = "reading the PROXY header of"

    private let transport: SocketTransport
    private let loop: EventLoop
    private let completion: (Result<String?, HandshakeError>) -> Void
    private var parser = ProxyHeader.Parser()
    private var isFinished = false

    /// - Parameter completion: gets the address that the header reports, or nil if it reports none.
    init(
        _ transport: SocketTransport, on loop: EventLoop,
        completion: @escaping (Result<String?, HandshakeError>) -> Void
    ) {
        self.transport = transport
        self.loop = loop
        self.completion = completion
    }

    func start() {
        loop.watch(transport.descriptor, read: true, write: false, watcher: self)
    }

    func cancel() {
        guard !isFinished else { return }
        isFinished = true
        loop.unwatch(transport.descriptor)
    }

    package func descriptorIsWritable() {}

    package func descriptorIsReadable() {
        while !isFinished {
            var byte: UInt8 = 0
            switch withUnsafeMutableBytes(of: &byte, { transport.read(into: $0) }) {
            case .bytes: take(parser.feed(byte))
            case .wouldBlock, .needsRoom: return
            case .endOfStream, .cut: finish(.failure(HandshakeError(message: "it ended before its PROXY header")))
            case .refused(let failure), .failed(let failure): finish(.failure(HandshakeError(message: failure.message)))
            }
        }
    }

    private func take(_ outcome: ProxyHeader.Parser.Outcome) {
        switch outcome {
        case .more: return
        case .done(let source): finish(.success(source))
        case .failed(let problem): finish(.failure(HandshakeError(message: problem)))
        }
    }

    private func finish(_ result: Result<String?, HandshakeError>) {
        cancel()
        completion(result)
    }
}

extension SocketTransport {
    /// Sends the PROXY header of this connection; returns the problem, or nil.
    func sendProxyHeader(_ version: ProxyHeader.Version) -> String? {
        let own = SocketAddress(of: descriptor)
        let peer = SocketAddress(peerOf: descriptor)
        let header = ProxyHeader.bytes(version, from: own, to: peer)
        switch header.withUnsafeBytes({ write($0) }) {
        case .wrote(header.count): return nil
        case .failed(let failure): return failure.message
        case .wrote, .wouldBlock: return "no room for the PROXY header"
        }
    }
}
