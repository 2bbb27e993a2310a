import Testing
import TestSupport

@testable import Wire

struct InboxTests {
    @Test func behavesLikeAnArrayUnderRandomUse() {
        var generator = Generator(seed: 3)
        let inbox = Inbox(limit: 1 << 20)
        var model: [UInt8] = []
        var consumed = 0
        for _ in 0..<4000 {
            if Bool.random(using: &generator) {
                let count = Int.random(in: 1...3000, using: &generator)
                let bytes = (0..<count).map { _ in UInt8.random(in: 0...20, using: &generator) }
                bytes.withUnsafeBytes { inbox.append($0) }
                model += bytes
            } else {
                let count = Int.random(in: 0...model.count, using: &generator)
                inbox.consume(through: inbox.front + count)
                model.removeFirst(count)
                consumed += count
            }
            #expect(inbox.front == consumed && inbox.count == model.count)
            #expect(inbox.nextLineEnd()?.text == model.firstIndex(of: 10).map { $0 + consumed })
        }
        #expect(Array(inbox.bytes) == model)
        #expect(Array(inbox.bytes(from: inbox.front + model.count / 2)) == Array(model[(model.count / 2)...]))
    }

    @Test func isFullAtItsLimit() {
        let inbox = Inbox(limit: 4)
        [UInt8](repeating: 1, count: 3).withUnsafeBytes { inbox.append($0) }
        #expect(!inbox.isFull)
        [UInt8](repeating: 1, count: 1).withUnsafeBytes { inbox.append($0) }
        #expect(inbox.isFull)
        inbox.consume(through: 1)
        #expect(!inbox.isFull && inbox.front == 1 && inbox.end == 4)
    }

    @Test func receivesInPlace() {
        let inbox = Inbox(limit: 100)
        let count = inbox.receive(maximum: 10) { buffer in
            buffer.copyBytes(from: [65, 66])
            return 2
        }
        #expect(count == 2 && Array(inbox.bytes) == [65, 66])
    }

    @Test func linesThatAreCutComeBackBeforeWhatFollowed() {
        var generator = Generator(seed: 8)
        for hasMessages in [false, true] {
            for _ in 0..<200 {
                let lines = (0..<8).map { _ in
                    [UInt8](repeating: 65, count: Int.random(in: 0...5, using: &generator))
                        + (hasMessages ? [] : [10])
                }
                let inbox = Inbox(limit: 1000)
                inbox.setMessages(hasMessages)
                func add(_ line: [UInt8], to inbox: Inbox) {
                    line.withUnsafeBytes { inbox.append($0) }
                    inbox.endMessage()
                }
                for line in lines.prefix(5) { add(line, to: inbox) }
                // Some are read, some are moved to another inbox, where more has arrived in the meantime.
                let position = inbox.front + lines[0].count
                for _ in 0..<1 { if hasMessages { inbox.consumeMessage() } else { inbox.consume(through: position) } }
                let rest = Inbox(limit: 1000)
                rest.setMessages(hasMessages)
                for line in lines.suffix(3) { add(line, to: rest) }
                let kept = Int.random(in: 0...4, using: &generator)
                rest.prepend(inbox.cut(from: inbox.front + lines[1..<(1 + kept)].map(\.count).reduce(0, +)))
                var read: [[UInt8]] = []
                for inbox in [inbox, rest] {
                    while let end = inbox.nextLineEnd() {
                        read.append(Array(inbox.bytes(in: inbox.front..<end.next)))
                        if hasMessages { inbox.consumeMessage() } else { inbox.consume(through: end.next) }
                    }
                }
                #expect(read == Array(lines.dropFirst()) && inbox.isEmpty && rest.isEmpty)
            }
        }
    }
}
