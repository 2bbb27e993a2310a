import Reactor
import Testing
import TestSupport

@testable import Wire

/// Feeds `stream` in pieces of random sizes and returns the complete frames.
private func frames(of stream: [UInt8], _ framing: Framing, _ generator: inout Generator) throws -> [[UInt8]] {
    var decoder = FrameDecoder(framing)
    var frames: [[UInt8]] = []
    for piece in stream.cut(using: &generator) {
        try decoder.feed(piece, limit: 1 << 16) { frames.append(Array($0)) }
    }
    #expect(decoder.rest.isEmpty)
    return frames
}

struct FramingTests {
    @Test(arguments: [Framing.u8, .u16, .u32, .u16le, .u32le])
    func framesComeOutAsTheyWentInInAnySplit(framing: Framing) throws {
        var generator = Generator(seed: 11)
        for _ in 0..<40 {
            let messages = (0..<Int.random(in: 1...30, using: &generator)).map { _ in
                (0..<Int.random(in: 0...40, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
                }
            }
            let stream = messages.flatMap { framing.prefix(for: $0.count) + $0 }
            #expect(try frames(of: stream, framing, &generator) == messages)
        }
    }

    @Test func prefixesAreInNetworkOrderUnlessLittleEndian() {
        #expect(Framing.u16.prefix(for: 258) == [1, 2] && Framing.u16le.prefix(for: 258) == [2, 1])
        #expect(Framing.u32.prefix(for: 1) == [0, 0, 0, 1] && Framing.u8.longest == 255)
        #expect(Framing.line.prefix(for: 9) == [] && Framing.u32le.longest == 4_294_967_295)
    }

    @Test func aFrameLongerThanTheInboxIsAnError() {
        var decoder = FrameDecoder(.u8)
        #expect(throws: OversizedFrame(length: 16)) { try decoder.feed([16, 1, 2], limit: 16) { _ in } }
    }

    @Test func whatIsUnreadIsReadAgainWithAnotherFraming() throws {
        let loop = EventLoop()
        let pair = SocketPair()
        let channel = Channel(
            transport: SocketTransport(owning: Descriptor(owning: pair.near)), peer: "test", inboxLimit: 100, on: loop)
        pair.say("\u{2}ab\u{1}c\u{3}d")
        loop.turn()
        channel.setFraming(.u8)
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
