import Sockets
import TestSupport
import Testing

@testable import Wire

/// Layers are pure: what comes out depends on the bytes and not on their split.
@Suite struct LayerTests {
    private func take(_ layer: any Layer, _ bytes: [UInt8], by sizes: () -> Int) -> [[UInt8]] {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(max(1, sizes())))
            piece.withUnsafeBytes { layer.receive($0) }
            rest = rest.dropFirst(piece.count)
        }
        return Array(layer.state.received)
    }

    private func outgoing(_ layer: any Layer) -> [UInt8] {
        var bytes: [UInt8] = []
        layer.state.take { buffer in
            bytes = Array(buffer)
            return buffer.count
        }
        return bytes
    }

    @Test(arguments: 1...40) func telnetCarriesAnyBytes(seed: UInt64) {
        var generator = Generator(seed: seed)
        let special: [UInt8] = [0xFF, 0x0D, 0x0A, 0, 0xFE, 0xFA, 0xF0]
        let data = (0..<500).map { _ in
            generator.next() % 2 == 0
                ? special[Int(generator.next() % 7)] : UInt8(truncatingIfNeeded: generator.next())
        }
        let (sender, receiver) = (TelnetLayer(), TelnetLayer())
        data.withUnsafeBytes { sender.send($0, as: nil) }
        let got = take(receiver, outgoing(sender)) { Int(generator.next() % 9) }
        #expect(got.flatMap { $0 } == data)
        #expect(receiver.state.outgoingCount == 0)
    }

    @Test(arguments: 1...40) func messagesCarryAnyBytesInAnySplit(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let lengths = [0, 1, 125, 126, 127, 200, 65535, 65536]
        let messages = (0..<6).map { _ in
            (0..<lengths[Int(generator.next() % 8)]).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        }
        for isServer in [false, true] {
            let sender = try WebSocketLayer(isServer: isServer, limit: 1 << 20)
            let receiver = try WebSocketLayer(isServer: !isServer, limit: 1 << 20)
            for message in messages { message.withUnsafeBytes { sender.send($0, as: .binary) } }
            sender.sendEnd()
            let got = take(receiver, outgoing(sender)) { Int(generator.next() % 3000) }
            #expect(got == messages)
            #expect(receiver.state.end == .ended)
            #expect(receiver.state.closing == Closing(code: 1000, reason: []))
        }
    }

    /// libwslay alone takes the first half of `ڊ` for an error.
    @Test(arguments: 1...8) func aReasonMayBeSplitAnywhere(size: Int) throws {
        let layer = try WebSocketLayer(isServer: false, limit: 4096)
        let reason = Array("reason ڊ €".utf8)
        let frames: [UInt8] = [0x81, 2, 0x68, 0x69, 0x88, UInt8(2 + reason.count), 0x03, 0xE8] + reason
        #expect(take(layer, frames) { size } == [Array("hi".utf8)])
        #expect(layer.state.closing == Closing(code: 1000, reason: reason))
        #expect(layer.state.end == .ended)
    }

    @Test func aTextIsSentAsTextIfItIsUTF8() throws {
        let layer = try WebSocketLayer(isServer: true, limit: 4096)
        for (text, opcode) in [(Array("grüße".utf8), 1), ([0xFF], 2), ([], 1)] as [([UInt8], UInt8)] {
            text.withUnsafeBytes { layer.send($0, as: nil) }
            #expect(outgoing(layer).first == 0x80 | opcode)
        }
    }

    /// The example of RFC 6455, section 1.3.
    @Test func aKeyIsAccepted() {
        #expect(WebSocketUpgrade.acceptance(of: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test(arguments: 1...200) func aHandshakeWithWrongBytesEnds(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        var bytes = Array(
            "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                .utf8)
        for _ in 0..<(generator.next() % 4) {
            bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
        }
        let address = try Address(parsing: "ws://h/x")
        for role in [
            WebSocketUpgrade.Role.server(path: "", WebSocketSettings()), .client(address, WebSocketSettings()),
        ] {
            var upgrade = WebSocketUpgrade(role, nonce: [UInt8](repeating: 1, count: 16))
            var step = WebSocketUpgrade.Step.more
            for index in 0..<20_000 {
                guard case .more = step else { break }
                step = upgrade.receive([index < bytes.count ? bytes[index] : UInt8(ascii: "x")])
            }
            if case .more = step { Issue.record("the handshake does not end") }
        }
    }

    @Test(arguments: [
        ("ip", TelnetCommand([UInt8]("IP".utf8))), ("WILL 1", TelnetCommand([UInt8]("will ECHO".utf8))),
        ("dont linemode", TelnetCommand([UInt8]("DONT 34".utf8))),
    ])
    func commandsHaveNames(text: String, same: TelnetCommand?) {
        #expect(same != nil)
        #expect(TelnetCommand(Array(text.utf8)) == same)
    }

    @Test(arguments: ["", "WILL", "IP ECHO", "WILL 256", "WILL ECHO ECHO", "FLY"])
    func othersAreNoCommands(text: String) {
        #expect(TelnetCommand(Array(text.utf8)) == nil)
    }
}
