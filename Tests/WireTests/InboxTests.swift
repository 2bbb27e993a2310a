import Testing
import TestSupport

@testable import Wire

extension Inbox {
    /// Receives `bytes` as a read would.
    fileprivate func append(_ bytes: UnsafeRawBufferPointer) {
        _ = receive(most: bytes.count) { buffer in
            buffer.copyMemory(from: bytes)
            return bytes.count
        }
        try? decode { _ in }
    }
}

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
        let count = inbox.receive(most: 10) { buffer in
            buffer.copyBytes(from: [65, 66])
            return 2
        }
        #expect(count == 2 && inbox.isEmpty)
        try? inbox.decode { _ in }
        #expect(Array(inbox.bytes) == [65, 66])
    }
}
