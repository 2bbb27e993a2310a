import CPlatform
import DequeModule
import Glibc

/// Received bytes that have not been consumed yet, in order of arrival.
///
/// Positions are absolute: the number of bytes before them. A wait keeps a position to continue its search where it
/// stopped, whatever has been consumed in the meantime. The bytes are in one contiguous buffer. Room at its front is
/// reclaimed by moving the rest down, at most once per doubling, so each byte is copied O(1) times.
///
/// A line ends at a line feed or at the end of a message: `messageEnds` is nil for a stream of lines.
package final class Inbox {
    /// The end of a line: of its text, and of the line ending after it.
    package struct LineEnd: Equatable {
        /// The position after the last byte of the text.
        package let text: Int
        /// The position where the next line begins.
        package let next: Int

        package init(text: Int, next: Int) {
            self.text = text
            self.next = next
        }
    }

    private var storage: UnsafeMutableRawBufferPointer
    private var head = 0
    private var tail = 0
    /// There is no line feed between the front and this position.
    private var lineScanned = 0
    /// The end positions of the unread messages, ascending.
    private var ends: Deque<Int>?
    /// The senders of the unread messages; empty unless the messages have senders.
    private var senders: Deque<DatagramPeer> = []
    /// The sender of the last message that was consumed or begun.
    package private(set) var lastSender: DatagramPeer?

    /// The position of the first unread byte.
    package private(set) var front = 0
    /// The maximum number of bytes to hold; reading from the peer pauses while it is reached.
    package var limit: Int
    /// Whether a line feed at the end of a message is its line ending and not part of its text (datagrams).
    package private(set) var feedEndsMessage = false
    /// Increases when unread data changes other than by consuming from the front: searches then start over.
    package private(set) var revision = 0

    package init(limit: Int) {
        self.limit = limit
        storage = .allocate(byteCount: 4096, alignment: 16)
    }

    deinit {
        storage.deallocate()
    }

    /// The number of unread bytes.
    package var count: Int { tail - head }
    /// Whether there are no unread bytes and no unread empty message.
    package var isEmpty: Bool { head == tail && ends?.isEmpty != false }
    /// Whether the limit is reached.
    package var isFull: Bool { count >= limit }
    /// The position after the last byte.
    package var end: Int { front + count }

    /// The unread bytes; valid until the next call that changes the inbox.
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[head..<tail])
    }

    /// Returns the unread bytes from `position` on; valid like `bytes`.
    package func bytes(from position: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[(head + max(0, position - front))..<tail])
    }

    /// Returns the unread bytes in a range of positions; valid like `bytes`.
    package func bytes(in range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes(from: range.lowerBound).prefix(range.count))
    }

    /// The end positions of the unread messages, or nil when line feeds end lines.
    package var messageEnds: Deque<Int>? { ends }

    /// Calls `read` with room for `maximum` bytes; `read` returns how many it wrote.
    package func receive(maximum: Int, _ read: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        reserve(maximum)
        let count = read(UnsafeMutableRawBufferPointer(rebasing: storage[tail..<(tail + maximum)]))
        tail += count
        return count
    }

    /// Adds bytes at the end.
    package func append(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        reserve(bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: storage[tail...]).copyMemory(from: bytes)
        tail += bytes.count
    }

    /// Removes the data received from `position` on.
    func uncount(from position: Int) {
        tail = head + position - front
    }

    /// Ends a message at the current end. In one inbox either every message has a sender or none has.
    package func endMessage(from sender: DatagramPeer? = nil) {
        ends?.append(end)
        if let sender { senders.append(sender) }
    }

    /// The sender of the first unread message.
    package var nextSender: DatagramPeer? { senders.first }

    /// Sets whether lines end with messages or with line feeds. A change removes the message ends of unread data.
    package func setMessages(_ hasMessages: Bool, feedEndsMessage: Bool = false) {
        self.feedEndsMessage = feedEndsMessage
        if hasMessages != (ends != nil) {
            ends = hasMessages ? [] : nil
            senders = []
        }
        lineScanned = front
        revision += 1
    }

    /// Consumes the bytes before `position`, which lies between the front and the end.
    package func consume(through position: Int) {
        let count = position - front
        precondition(count >= 0 && count <= self.count)
        dropEnds(through: position)
        head += count
        front = position
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Consumes the first message.
    package func consumeMessage() {
        guard let end = ends?.first else { return }
        // An empty message ends where it begins.
        if end == front { removeFirstEnd() } else { consume(through: end) }
    }

    /// Returns the end of the first line, or nil if it has not arrived. Scans each byte only once.
    package func nextLineEnd() -> LineEnd? {
        if let ends { return ends.first.map { LineEnd(text: textEnd(ofMessage: front..<$0), next: $0) } }
        let from = max(lineScanned, front)
        guard let feed = lineFeed(in: (head + from - front)..<tail) else {
            lineScanned = end
            return nil
        }
        lineScanned = front + feed - head
        return LineEnd(text: lineScanned, next: lineScanned + 1)
    }

    /// Returns where the text of an unread message ends: a line feed at the end of a datagram is not part of it.
    package func textEnd(ofMessage range: Range<Int>) -> Int {
        guard feedEndsMessage, bytes(in: range).last == UInt8(ascii: "\n") else { return range.upperBound }
        return range.upperBound - 1
    }

    /// Whether the byte before `position` ends a line; `position` is after the front.
    package func beginsLine(at position: Int) -> Bool {
        if let ends {
            var (low, high) = (0, ends.count)
            while low < high {
                let middle = (low + high) / 2
                if ends[middle] < position { low = middle + 1 } else { high = middle }
            }
            return low < ends.count && ends[low] == position
        }
        let before = bytes[position - front - 1]
        return before == UInt8(ascii: "\n") || before == UInt8(ascii: "\r")
    }

    /// Removes the unread data from `position` on, which begins a line, and returns it as the lines of another inbox.
    package func cut(from position: Int) -> Inbox {
        let rest = Inbox(limit: limit)
        rest.front = position
        rest.feedEndsMessage = feedEndsMessage
        rest.append(bytes(from: position))
        if let ends {
            let kept = ends.firstIndex { $0 > position || $0 == position && position == front } ?? ends.endIndex
            rest.ends = Deque(ends[kept...])
            self.ends?.removeSubrange(kept...)
            if !senders.isEmpty {
                rest.senders = Deque(senders[kept...])
                senders.removeSubrange(kept...)
            }
        }
        tail = head + position - front
        lineScanned = front
        revision += 1
        return rest
    }

    /// Inserts the contents of another inbox before those of this one, whose positions grow accordingly.
    package func prepend(_ other: Inbox) {
        let shift = front - other.front
        let all = Array(other.bytes) + Array(bytes)
        if let ends { self.ends = Deque((other.ends ?? []).map { $0 + shift } + ends.map { $0 + other.count }) }
        senders = other.senders + senders
        head = 0
        tail = 0
        lineScanned = front
        all.withUnsafeBytes { append($0) }
        revision += 1
    }

    /// Removes message ends through `position`, except that of an empty message at `position`: it is still unread.
    private func dropEnds(through position: Int) {
        var start = front
        while let end = ends?.first, end <= position, end > start || position > start {
            removeFirstEnd()
            start = end
        }
        if position > start, let sender = senders.first { lastSender = sender }
    }

    private func removeFirstEnd() {
        ends?.removeFirst()
        if let sender = senders.popFirst() { lastSender = sender }
    }

    private func lineFeed(in range: Range<Int>) -> Int? {
        guard !range.isEmpty, let base = storage.baseAddress,
            let found = memchr(base + range.lowerBound, Int32(UInt8(ascii: "\n")), range.count)
        else { return nil }
        return UnsafeMutableRawPointer(found) - base
    }

    private func reserve(_ room: Int) {
        guard storage.count - tail < room else { return }
        let live = count
        let kept = UnsafeRawBufferPointer(rebasing: storage[head..<tail])
        if head >= live && storage.count - live >= room {
            // The free front is at least as large as the data to move, so moving pays off.
            UnsafeMutableRawBufferPointer(rebasing: storage[..<live]).copyMemory(from: kept)
        } else {
            var capacity = storage.count
            while capacity - live < room { capacity *= 2 }
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: kept)
            storage.deallocate()
            storage = larger
        }
        tail = live
        head = 0
    }
}
