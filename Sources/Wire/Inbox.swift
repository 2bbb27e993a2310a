import CPlatform
import Glibc

/// The bytes that have arrived and were not consumed yet, in order.
///
/// Positions are absolute: the number of bytes received before. A wait keeps such a position to go on with a
/// search where it stopped, whatever has been consumed meanwhile. The bytes lie in one contiguous buffer; room at
/// its front is reclaimed by moving the rest down, at most once per doubling, so a byte is copied O(1) times.
package final class Inbox {
    private var storage: UnsafeMutableRawBufferPointer
    private var head = 0
    private var tail = 0
    /// No line feed lies between the front and this position.
    private var lineScanned = 0

    /// The position of the first unread byte.
    package private(set) var front = 0
    /// The most bytes that are held; the session is not read while there are as many.
    package var limit: Int

    package init(limit: Int) {
        self.limit = limit
        storage = .allocate(byteCount: 4096, alignment: 16)
    }

    deinit {
        storage.deallocate()
    }

    /// How many bytes are unread.
    package var count: Int { tail - head }
    package var isEmpty: Bool { head == tail }
    package var isFull: Bool { count >= limit }
    /// The position behind the last byte.
    package var end: Int { front + count }

    /// The unread bytes; valid until the next call that changes the inbox.
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[head..<tail])
    }

    /// The unread bytes from `position` on; valid like `bytes`.
    package func bytes(from position: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[(head + max(0, position - front))..<tail])
    }

    /// Calls `read` with room for at most `most` bytes; it returns how many it wrote.
    package func receive(most: Int, _ read: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        reserve(most)
        let count = read(UnsafeMutableRawBufferPointer(rebasing: storage[tail..<(tail + most)]))
        tail += count
        return count
    }

    /// Consumes through `position`, which lies between the front and the end.
    package func consume(through position: Int) {
        let count = position - front
        precondition(count >= 0 && count <= self.count)
        head += count
        front = position
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// The position of the first line feed, or nil when there is none yet. Each byte is looked at once.
    package func nextLineFeed() -> Int? {
        let from = max(lineScanned, front)
        let unseen = bytes(from: from)
        guard let base = unseen.baseAddress, !unseen.isEmpty,
            let found = memchr(base, Int32(UInt8(ascii: "\n")), unseen.count)
        else {
            lineScanned = end
            return nil
        }
        let position = from + (UnsafeRawPointer(found) - base)
        lineScanned = position
        return position
    }

    /// Whether the byte before `position`, which lies behind the front, ends a line.
    package func beginsLine(at position: Int) -> Bool {
        let before = bytes[position - front - 1]
        return before == UInt8(ascii: "\n") || before == UInt8(ascii: "\r")
    }

    private func reserve(_ room: Int) {
        guard storage.count - tail < room else { return }
        let live = count
        if head >= live && storage.count - live >= room {
            // The free front is at least as large as what moves: moving pays for itself.
            UnsafeMutableRawBufferPointer(rebasing: storage[..<live]).copyMemory(from: bytes)
        } else {
            var capacity = storage.count
            while capacity - live < room { capacity *= 2 }
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: bytes)
            storage.deallocate()
            storage = larger
        }
        head = 0
        tail = live
    }
}
