import Testing
import TestSupport

@testable import Wire

/// Feeds `stream` to an inbox in pieces of random sizes, taking each line that is whole.
private func lines(of stream: [UInt8], _ framing: Framing, _ generator: inout Generator) throws -> [[UInt8]] {
    let inbox = Inbox(limit: 1 << 16)
    try inbox.reframe(framing) { _ in }
    var lines: [[UInt8]] = []
    var rest = stream[...]
    while !rest.isEmpty {
        inbox.append(Array(rest.prefix(Int.random(in: 1...9, using: &generator))), &rest)
        try inbox.decode { _ in }
        while let end = inbox.nextLineEnd() {
            lines.append(Array(inbox.bytes(in: inbox.front..<end.text)))
            if end.next == inbox.front { inbox.consumeMessage() } else { inbox.consume(through: end.next) }
        }
    }
    #expect(inbox.held == 0)
    return lines
}

extension Inbox {
    fileprivate func append(_ piece: [UInt8], _ rest: inout ArraySlice<UInt8>) {
        _ = receive(most: piece.count) { buffer in
            buffer.copyBytes(from: piece)
            return piece.count
        }
        rest = rest.dropFirst(piece.count)
    }

    fileprivate func hear(_ text: String) {
        var rest: ArraySlice<UInt8> = []
        append(Array(text.utf8), &rest)
        try? decode { _ in }
    }

    fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Takes out the lines that begin with `!`.
    fileprivate func siftOut(keeping kept: String = "") {
        sift { line in
            let line = String(decoding: line, as: UTF8.self)
            return line == kept ? .keep : line.hasPrefix("!") ? .remove : .release
        } mayMatter: { part in
            part.first == UInt8(ascii: "!")
        }
    }
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
            #expect(try lines(of: stream, framing, &generator) == messages)
        }
    }

    @Test func prefixesAreInNetworkOrderUnlessLittleEndian() {
        #expect(Framing.u16.prefix(for: 258) == [1, 2] && Framing.u16le.prefix(for: 258) == [2, 1])
        #expect(Framing.u32.prefix(for: 1) == [0, 0, 0, 1] && Framing.u8.longest == 255)
        #expect(Framing.line.prefix(for: 9) == [] && Framing.u32le.longest == 4_294_967_295)
    }

    @Test func aFrameLongerThanTheInboxIsAnError() {
        let inbox = Inbox(limit: 16)
        try? inbox.reframe(.u8) { _ in }
        var rest: ArraySlice<UInt8> = []
        inbox.append([16, 1, 2], &rest)
        #expect(throws: OversizedFrame(length: 16)) { try inbox.decode { _ in } }
    }

    @Test func whatIsUnreadIsReadAgainWithAnotherFraming() throws {
        let inbox = Inbox(limit: 100)
        inbox.hear("\u{2}ab\u{1}c\u{3}d")
        #expect(inbox.text == "\u{2}ab\u{1}c\u{3}d")
        try inbox.reframe(.u8) { _ in }
        #expect(inbox.text == "abc" && inbox.undecoded == 2 && inbox.messageEnds.map(Array.init) == [2, 3])
        try inbox.reframe(.line) { _ in }
        #expect(inbox.text == "abc\u{3}d" && inbox.messageEnds == nil)
    }

    @Test func theGateTakesOutWholeLinesOnly() {
        let inbox = Inbox(limit: 100)
        inbox.closeGate(keepingReadable: false)
        inbox.hear("one\n!two\nthr")
        #expect(inbox.isEmpty)
        inbox.siftOut()
        // What cannot matter to anybody is released as it comes.
        #expect(inbox.text == "one\nthr")
        inbox.hear("ee\n!fo")
        inbox.siftOut()
        #expect(inbox.text == "one\nthree\n")
        inbox.hear("ur\nfive\r\n")
        inbox.siftOut()
        #expect(inbox.text == "one\nthree\nfive\r\n")
    }

    @Test func aLineThatIsKeptHoldsBackWhatFollows() {
        let inbox = Inbox(limit: 100)
        inbox.closeGate(keepingReadable: false)
        inbox.hear("one\n!two\nthree\n")
        inbox.siftOut(keeping: "!two")
        #expect(inbox.text == "one\n")
        inbox.siftOut()
        #expect(inbox.text == "one\nthree\n")
        inbox.removeGate()
        inbox.hear("!four\n")
        #expect(inbox.text == "one\nthree\n!four\n")
    }

    @Test func theGateSeesWhatNobodyHasRead() {
        let inbox = Inbox(limit: 100)
        inbox.hear("!one\ntwo\npart")
        inbox.closeGate(keepingReadable: false)
        inbox.siftOut()
        #expect(inbox.text == "two\npart")
        let other = Inbox(limit: 100)
        other.hear("!one\n!par")
        other.closeGate(keepingReadable: true)
        other.hear("t\n!two\nthree\n")
        other.siftOut()
        // The rest of a line that could be read belongs to it.
        #expect(other.text == "!one\n!part\nthree\n")
    }

    @Test func anUnterminatedRestIsReleasedAtTheEnd() {
        let inbox = Inbox(limit: 100)
        inbox.closeGate(keepingReadable: false)
        inbox.hear("!rest")
        inbox.siftOut()
        #expect(inbox.isEmpty)
        inbox.releaseRest()
        #expect(inbox.text == "!rest")
    }

    @Test(arguments: [Framing.line, .u8])
    func siftingIsTheSameInAnySplit(framing: Framing) throws {
        var generator = Generator(seed: 5)
        for _ in 0..<100 {
            let messages = (0..<20).map { _ in
                (Bool.random(using: &generator) ? "!" : "") + String(Int.random(in: 0...999, using: &generator))
            }
            let stream: [UInt8] = messages.flatMap { message -> [UInt8] in
                framing.prefix(for: message.utf8.count) + Array(message.utf8) + (framing == .line ? [10] : [])
            }
            let inbox = Inbox(limit: 1 << 16)
            try inbox.reframe(framing) { _ in }
            inbox.closeGate(keepingReadable: false)
            var rest = stream[...]
            var read: [String] = []
            while !rest.isEmpty {
                inbox.append(Array(rest.prefix(Int.random(in: 1...20, using: &generator))), &rest)
                try inbox.decode { _ in }
                inbox.siftOut()
                while Bool.random(using: &generator), let end = inbox.nextLineEnd() {
                    read.append(String(decoding: inbox.bytes(in: inbox.front..<end.text), as: UTF8.self))
                    inbox.consume(through: end.next)
                }
            }
            while let end = inbox.nextLineEnd() {
                read.append(String(decoding: inbox.bytes(in: inbox.front..<end.text), as: UTF8.self))
                inbox.consume(through: end.next)
            }
            #expect(read == messages.filter { !$0.hasPrefix("!") } && inbox.held == 0)
        }
    }

    @Test func aDatagramKeepsItsLastLineFeedWhereItIsTakenAsItIs() throws {
        for (framing, text) in [(Framing.datagram, "dns\n"), (.rawDatagram, "dns\n\n")] {
            let inbox = Inbox(limit: 100)
            try inbox.reframe(framing) { _ in }
            let datagram = Array("dns\n\n".utf8)
            _ = inbox.receive(most: 10) { buffer in
                buffer.copyBytes(from: datagram)
                return datagram.count
            }
            try inbox.decode { _ in }
            let end = try #require(inbox.nextLineEnd())
            #expect(Array(inbox.bytes(in: 0..<end.text)) == Array(text.utf8) && end.next == 5)
            // What comes from then on is taken in the other way, and no datagram is cut.
            try inbox.reframe(framing == .datagram ? .rawDatagram : .datagram) { _ in }
            #expect(inbox.nextLineEnd()?.next == 5)
        }
    }
}
