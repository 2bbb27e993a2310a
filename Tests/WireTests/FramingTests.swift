import Reactor
import Testing
import TestSupport

@testable import Wire

/// Feeds `stream` in pieces of random sizes and returns the complete frames.
private func frames(of stream: [UInt8], _ format: FrameFormat, _ generator: inout Generator) throws -> [[UInt8]] {
    var decoder = FrameDecoder(format)
    var frames: [[UInt8]] = []
    for piece in stream.cut(using: &generator) {
        try decoder.feed(piece, limit: 1 << 16) { frames.append(Array($0)) }
    }
    #expect(decoder.rest.isEmpty)
    return frames
}

struct FramingTests {
    private static func format(_ name: String) throws -> FrameFormat {
        try #require(FrameFormat(Array(name.utf8)), "\(name)")
    }

    @Test(arguments: FrameFormat.plainNames + ["until:--"])
    func framesComeOutAsTheyWentInInAnySplit(name: String) throws {
        let format = try Self.format(name)
        var generator = Generator(seed: 11)
        for _ in 0..<40 {
            let messages = (0..<Int.random(in: 1...30, using: &generator)).map { _ in
                (0..<Int.random(in: 0...40, using: &generator)).map { _ in UInt8.random(in: 46...255, using: &generator)
                }
            }
            let stream = messages.flatMap { format.encoded($0) }
            #expect(try frames(of: stream, format, &generator) == messages)
        }
    }

    @Test func prefixesAreInNetworkOrderUnlessLittleEndian() throws {
        let text = [UInt8](repeating: 7, count: 258)
        #expect(try Self.format("u16").encoded(text) == [1, 2] + text)
        #expect(try Self.format("u16le").encoded(text) == [2, 1] + text)
        #expect(try Self.format("u24").encoded([7]) == [0, 0, 1, 7])
        #expect(try Self.format("u64le").encoded([7]) == [1, 0, 0, 0, 0, 0, 0, 0, 7])
        #expect(try Self.format("varint").encoded(text) == [0x82, 2] + text)
        #expect(try Self.format("u8").longest == 255 && Self.format("u32le").longest == 4_294_967_295)
    }

    /// With `@`, the frame includes its header. The lengths that are announced, and where the frame ends.
    @Test(arguments: [
        // SQL protocols: a length that counts itself, after a type byte.
        ("u32@1+1", [0x52, 0, 0, 0, 6, 9, 9, 0x5A], 7),
        // MQTT: a varint after the first byte.
        ("varint@1", [0x30, 3, 1, 2, 3, 0x40], 5), ("varint@1", [0xC0, 0, 0x40], 2),
        ("varint@1", [0x30, 0x80, 1] + [UInt8](repeating: 5, count: 128) + [7], 131),
        // HTTP/2: 24 bits, and nine bytes of header.
        ("u24@0+9", [0, 0, 2, 4, 0, 0, 0, 0, 0, 1, 2, 3], 11),
        // memcached: the body's length at byte 8 of a header of 24.
        ("u32@8+24", [UInt8](repeating: 0, count: 11) + [3] + [UInt8](repeating: 0, count: 12) + [1, 2, 3, 4], 27),
        ("u16@2", [9, 9, 0, 1, 5, 6], 5), ("u8@0+0", [0, 1], 1), ("u16le@0+1", [1, 0, 9], 2),
    ])
    func headersBelongToTheirFrames(name: String, stream: [UInt8], end: Int) throws {
        let format = try Self.format(name)
        let front = stream.withUnsafeBytes { format.front(of: $0) }
        #expect(front == .frame(0..<end, next: end))
        for count in 0..<end {
            let front = stream.prefix(count).withUnsafeBytes { format.front(of: $0) }
            guard case .incomplete(let length) = front else {
                Issue.record("\(name): complete with \(count) bytes")
                continue
            }
            #expect(length > count && length <= end)
        }
        #expect(format.encoded([1, 2]) == [1, 2])
    }

    @Test(arguments: [
        "", "u7", "u12", "u128", "u16be", "u8le", "u8@", "u8@x", "u8@1+", "u8@-1", "u8@1+x", "until:", "cr@1", "u8@1@2",
        "u8@9999999999", "line@1", "u8 ",
    ])
    func rejectsOtherNames(name: String) {
        #expect(Framing(Array(name.utf8)) == nil)
    }

    @Test func aFrameLongerThanTheInboxIsAnError() throws {
        var decoder = FrameDecoder(try Self.format("u8"))
        #expect(throws: OversizedFrame(length: 17)) { try decoder.feed([16, 1, 2], limit: 16) { _ in } }
        var large = FrameDecoder(try Self.format("u64"))
        #expect(throws: OversizedFrame(length: .max)) {
            try large.feed([UInt8](repeating: 0xFF, count: 8), limit: 16) { _ in }
        }
        var endless = FrameDecoder(try Self.format("cr"))
        #expect(throws: OversizedFrame(length: 17)) {
            try endless.feed([UInt8](repeating: 1, count: 16), limit: 16) { _ in }
        }
    }

    /// Time that grows with the square of the length would not end.
    @Test func aLongFrameInSmallPiecesTakesLinearTime() throws {
        var decoder = FrameDecoder(try Self.format("until:xy"))
        var count = 0
        for _ in 0..<20_000 {
            try decoder.feed([UInt8](repeating: 0x78, count: 50), limit: 1 << 24) { count += $0.count }
        }
        try decoder.feed([0x79], limit: 1 << 24) { count += $0.count }
        #expect(count == 999_999 && decoder.rest.isEmpty)
    }

    @Test func whatIsUnreadIsReadAgainWithAnotherFraming() throws {
        let loop = EventLoop()
        let pair = SocketPair()
        let channel = Channel(
            transport: SocketTransport(owning: Descriptor(owning: pair.near)), peer: "test", inboxLimit: 100, on: loop)
        pair.say("\u{2}ab\u{1}c\u{3}d")
        loop.turn()
        channel.setFraming(.frames(try Self.format("u8")))
        #expect(
            channel.text == "abc" && channel.undecoded == 2
                && channel.inbox.messageEnds?.map { $0 - channel.inbox.front } == [2, 3])
        channel.setFraming(.line)
        #expect(channel.text == "abc\u{3}d" && channel.inbox.messageEnds == nil)
        channel.close()
    }

    @Test func aDatagramKeepsItsLastLineFeedWhereItIsTakenAsItIs() throws {
        for (feedEnds, text) in [(true, "dns\n"), (false, "dns\n\n")] {
            let inbox = Inbox(limit: 100)
            inbox.setMessages(true, feedEndsMessage: feedEnds)
            Array("dns\n\n".utf8).withUnsafeBytes { inbox.append($0) }
            inbox.endMessage()
            let end = try #require(inbox.nextLineEnd())
            #expect(Array(inbox.bytes(in: 0..<end.text)) == Array(text.utf8) && end.next == 5)
            // Data that arrives later is split in the other way, and no datagram is cut.
            inbox.setMessages(true, feedEndsMessage: !feedEnds)
            #expect(inbox.nextLineEnd()?.next == 5)
        }
    }
}

extension Channel {
    fileprivate var text: String { String(decoding: inbox.bytes, as: UTF8.self) }
}
