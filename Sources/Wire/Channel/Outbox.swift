import DequeModule

/// The bytes queued for the kernel, first in, first out.
struct Outbox {
    private var storage: [UInt8] = []
    private var head = 0
    /// The lengths of the messages that must be written one at a time; empty for a stream.
    private var messages: Deque<(length: Int, kind: MessageKind?)> = []

    /// The number of queued bytes.
    var count: Int { storage.count - head }
    var isEmpty: Bool { head == storage.count && messages.isEmpty }
    /// What the next message is, if it was said.
    var nextKind: MessageKind? { messages.first?.kind }

    /// Adds bytes of a stream, or one message to be written separately.
    mutating func append(_ bytes: UnsafeRawBufferPointer, isMessage: Bool = false, _ kind: MessageKind? = nil) {
        if head > storage.count / 2 {
            storage.removeFirst(head)
            head = 0
        }
        storage.append(contentsOf: bytes)
        if isMessage { messages.append((bytes.count, kind)) }
    }

    /// Calls `body` with the next bytes to write: the whole stream, or one message.
    func withNext<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        storage.withUnsafeBytes { bytes in
            let waiting = UnsafeRawBufferPointer(rebasing: bytes[head...])
            return body(messages.first.map { UnsafeRawBufferPointer(rebasing: waiting.prefix($0.length)) } ?? waiting)
        }
    }

    /// Removes the first `count` bytes, or the first message, after the kernel has accepted them.
    mutating func remove(_ count: Int) {
        _ = messages.popFirst()
        head += count
        if head == storage.count {
            storage.removeAll(keepingCapacity: storage.capacity <= 65536)
            head = 0
        }
    }
}
