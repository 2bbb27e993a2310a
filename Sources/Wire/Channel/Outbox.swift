import DequeModule

/// The bytes that wait for the kernel to take them, in order.
struct Outbox {
    private var storage: [UInt8] = []
    private var head = 0
    /// How long the messages are that must be written one by one; empty for a stream.
    private var messages: Deque<Int> = []

    /// How many bytes wait.
    var count: Int { storage.count - head }
    var isEmpty: Bool { head == storage.count }

    /// Adds bytes of a stream, or one message that is to be written by itself.
    mutating func append(_ bytes: UnsafeRawBufferPointer, isMessage: Bool = false) {
        if head > storage.count / 2 {
            storage.removeFirst(head)
            head = 0
        }
        storage.append(contentsOf: bytes)
        if isMessage { messages.append(bytes.count) }
    }

    /// Calls `body` with what is to be written next: all of a stream, or one message.
    func withNext<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        storage.withUnsafeBytes { bytes in
            let waiting = UnsafeRawBufferPointer(rebasing: bytes[head...])
            return body(messages.first.map { UnsafeRawBufferPointer(rebasing: waiting.prefix($0)) } ?? waiting)
        }
    }

    /// Forgets the first `count` bytes, or the first message: they were taken.
    mutating func remove(_ count: Int) {
        _ = messages.popFirst()
        head += count
        if head == storage.count {
            storage.removeAll(keepingCapacity: storage.capacity <= 65536)
            head = 0
        }
    }
}
