import TestSupport
import Testing

@testable import Wire

/// What a proxy or its client sends, whatever it is, ends a dialogue without a trap.
@Suite struct ProxyTests {
    private static let signature = Array("\r\n\r\n\0\r\nQUIT\n".utf8)
    private static let headers: [[UInt8]] = [
        Array("PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n".utf8), Array("PROXY TCP6 2001:db8::1 ::1 9 80\r\n".utf8),
        Array("PROXY UNKNOWN\r\n".utf8), signature + [0x21, 0x11, 0, 12] + [UInt8](repeating: 1, count: 12),
        signature + [0x21, 0x21, 0, 36] + [UInt8](repeating: 1, count: 36), signature + [0x20, 0, 0, 0],
    ]

    @Test(arguments: 1...300) func aHeaderWithWrongBytesIsReadOrRefused(seed: UInt64) {
        var generator = Generator(seed: seed)
        var bytes = Self.headers[Int(generator.next() % UInt64(Self.headers.count))]
        for _ in 0..<(generator.next() % 4) {
            bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
        }
        var parser = ProxyHeader.Parser()
        var outcome = ProxyHeader.Parser.Outcome.more
        // More than the longest header of version 2.
        for index in 0..<70_000 where outcome == .more {
            outcome = parser.feed(index < bytes.count ? bytes[index] : UInt8(truncatingIfNeeded: generator.next()))
        }
        #expect(outcome != .more)
    }

    @Test(arguments: 1...300) func aDialogueEndsWhateverTheProxyAnswers(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let kinds = ["socks5://u:p@", "socks5://", "socks4a://", "http://u@"]
        let proxy = try Proxy(parsing: Array("\(kinds[Int(seed) % kinds.count])localhost:1".utf8))
        let hosts = ["host.example", "127.0.0.1", "::1", String(repeating: "h", count: 300)]
        var dialogue = ProxyDialogue(proxy, to: hosts[Int(generator.next() % 4)], port: 80)
        var step = dialogue.greeting
        var rounds = 0
        while case .exchange(_, let count) = step, rounds < 40_000 {
            #expect(count > 0)
            // Small numbers lead further than any byte.
            let answer = (0..<count).map { _ in
                generator.next() % 2 == 0 ? UInt8(generator.next() % 6) : UInt8(truncatingIfNeeded: generator.next())
            }
            step = dialogue.receive(answer)
            rounds += 1
        }
        #expect(rounds < 40_000)
    }
}
