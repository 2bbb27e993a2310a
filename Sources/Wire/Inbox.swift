import CPlatform
import DequeModule
import Glibc

/// The bytes that have arrived and were not consumed yet, in order.
///
/// Positions are absolute: the number of bytes before, prefixes of frames not counted. A wait keeps such a position to
/// go on with a search where it stopped, whatever has been consumed meanwhile. The bytes lie in one contiguous buffer;
/// room at its front is reclaimed by moving the rest down, at most once per doubling, so a byte is copied O(1) times.
///
/// The buffer has three parts. What lies before `visible` can be read and consumed. Behind it, up to `decoded`, are
/// lines that a gate has still to pass (`sift`). Behind that are the bytes of a frame that is not whole.
package final class Inbox {
    /// Where a line ends: its text, and the ending behind it.
    package struct LineEnd: Equatable {
        /// The position behind the last byte of the text.
        package let text: Int
        /// The position at which the next line begins.
        package let next: Int
    }

    /// What a gate says of a line.
    package enum Verdict {
        /// It is for the reader.
        case release
        /// Somebody has taken it.
        case remove
        /// Neither now; it and all behind it stay withheld.
        case keep
    }

    private var storage: UnsafeMutableRawBufferPointer
    private var head = 0
    private var visible = 0
    private var decoded = 0
    private var tail = 0
    /// No line feed lies between the front and this position.
    private var lineScanned = 0
    /// Where the messages end that were decoded and not consumed; nil when line feeds end lines.
    private var ends: Deque<Int>?
    /// How many of them lie in what can be read.
    private var visibleEnds = 0
    /// The gate has released a part of the line that is arriving: the rest of it follows.
    private var hasReleasedPart = false

    /// The position of the first unread byte.
    package private(set) var front = 0
    /// The most bytes that are held; the session is not read while there are as many.
    package var limit: Int
    package private(set) var framing = Framing.line
    /// Whether what arrives waits for `sift` before it can be read.
    package private(set) var isGated = false
    /// The position at which `sift` has taken out a line last.
    package private(set) var lastRemoval = 0

    package init(limit: Int) {
        self.limit = limit
        storage = .allocate(byteCount: 4096, alignment: 16)
    }

    deinit {
        storage.deallocate()
    }

    /// How many bytes are unread.
    package var count: Int { visible - head }
    package var isEmpty: Bool { head == visible }
    /// Whether there is no room for more, counting what cannot be read yet.
    package var isFull: Bool { held >= limit }
    /// All bytes that are held.
    package var held: Int { tail - head }
    /// The bytes of a frame whose end has not arrived.
    package var undecoded: Int { tail - decoded }
    /// The position behind the last byte that can be read.
    package var end: Int { front + count }

    /// The unread bytes; valid until the next call that changes the inbox.
    package var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[head..<visible])
    }

    /// The unread bytes from `position` on; valid like `bytes`.
    package func bytes(from position: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: storage[(head + max(0, position - front))..<visible])
    }

    /// The unread bytes of a range of positions; valid like `bytes`.
    package func bytes(in range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes(from: range.lowerBound).prefix(range.count))
    }

    /// Where the unread messages end, when lines are messages and not ended by line feeds.
    package var messageEnds: Deque<Int>.SubSequence? {
        ends?.prefix(visibleEnds)
    }

    /// Calls `read` with room for at most `most` bytes; it returns how many it wrote. They can be read after `decode`.
    package func receive(most: Int, _ read: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        reserve(most)
        let count = read(UnsafeMutableRawBufferPointer(rebasing: storage[tail..<(tail + most)]))
        tail += count
        return count
    }

    /// Makes lines of what was received, and shows each piece to `body`: all of it when line feeds end lines, otherwise
    /// each whole message. Without a gate they can be read then.
    package func decode(_ body: (UnsafeRawBufferPointer) -> Void) throws(OversizedFrame) {
        defer { if !isGated { openGate() } }
        switch framing {
        case .line: accept(tail, body)
        case .raw, .datagram, .rawDatagram:
            guard decoded < tail || framing.isDatagram else { return }
            ends?.append(front + tail - head)
            accept(tail, body)
        case .u8, .u16, .u32, .u16le, .u32le: try decodeFrames(body)
        }
    }

    /// Consumes through `position`, which lies between the front and the end.
    package func consume(through position: Int) {
        let count = position - front
        precondition(count >= 0 && count <= self.count)
        dropEnds(through: position)
        head += count
        front = position
        if head == tail {
            head = 0
            visible = 0
            decoded = 0
            tail = 0
        }
    }

    /// Consumes the message that ends first.
    package func consumeMessage() {
        guard let end = ends?.first else { return }
        consume(through: end)
        // An empty message ends where it begins.
        if ends?.first == end { dropEnd() }
    }

    /// The end of the first line, or nil when it has not arrived. Each byte is looked at once.
    package func nextLineEnd() -> LineEnd? {
        if ends != nil {
            return messageEnds?.first.map { LineEnd(text: textEnd(ofMessage: front..<$0), next: $0) }
        }
        let from = max(lineScanned, front)
        guard let feed = lineFeed(in: (head + from - front)..<visible) else {
            lineScanned = end
            return nil
        }
        lineScanned = front + feed - head
        return LineEnd(text: lineScanned, next: lineScanned + 1)
    }

    /// Where the text of an unread message ends: a line feed at the end of a datagram does not belong to it.
    package func textEnd(ofMessage range: Range<Int>) -> Int {
        guard framing == .datagram, bytes(in: range).last == UInt8(ascii: "\n") else { return range.upperBound }
        return range.upperBound - 1
    }

    /// Whether the byte before `position`, which lies behind the front, ends a line.
    package func beginsLine(at position: Int) -> Bool {
        if let messageEnds { return messageEnds.first { $0 >= position } == position }
        let before = bytes[position - front - 1]
        return before == UInt8(ascii: "\n") || before == UInt8(ascii: "\r")
    }

    /// Reads unread and future bytes with another framing.
    package func reframe(_ framing: Framing, _ body: (UnsafeRawBufferPointer) -> Void) throws(OversizedFrame) {
        // Datagrams stay what they are, however they end.
        if self.framing.isDatagram, framing.isDatagram { return self.framing = framing }
        self.framing = framing
        ends = framing == .line ? nil : []
        decoded = head
        visible = head
        visibleEnds = 0
        lineScanned = front
        hasReleasedPart = false
        // A datagram socket has this framing from its start, with nothing received.
        if !framing.isDatagram { try decode(body) }
    }

    /// From now on lines wait for `sift`; those that are unread too, unless somebody is reading them.
    package func closeGate(keepingReadable: Bool) {
        guard !isGated else { return }
        isGated = true
        hasReleasedPart = keepingReadable && framing == .line && !isEmpty && bytes.last != UInt8(ascii: "\n")
        guard !keepingReadable else { return }
        visible = head
        visibleEnds = 0
        lineScanned = front
    }

    /// Everything can be read again.
    package func removeGate() {
        isGated = false
        openGate()
    }

    /// Lets the whole withheld lines pass: `judge` says for each, without its ending, where it goes. Of a line that is
    /// still arriving, `mayMatter` says whether anybody could want it; if not it is released as it comes.
    ///
    /// When nothing more will arrive, `isWhole`, a rest without its line feed is a line too.
    ///
    /// Only lines that nobody could read are removed, so positions stay what they are.
    package func sift(
        isWhole: Bool = false, judge: (UnsafeRawBufferPointer) -> Verdict, mayMatter: (UnsafeRawBufferPointer) -> Bool
    ) {
        guard isGated else { return }
        while let (textEnd, lineEnd) = withheldLine() {
            let text = UnsafeRawBufferPointer(rebasing: storage[visible..<textEnd])
            let verdict = hasReleasedPart ? .release : judge(text.withoutCarriageReturn(framing))
            switch verdict {
            case .keep: return
            case .release:
                visible = lineEnd
                if ends != nil { visibleEnds += 1 }
            case .remove:
                cut(lineEnd - visible)
                lastRemoval = end
            }
            hasReleasedPart = false
        }
        guard framing == .line, visible < decoded else { return }
        if isWhole, !hasReleasedPart {
            let rest = UnsafeRawBufferPointer(rebasing: storage[visible..<decoded])
            switch judge(rest.withoutCarriageReturn(framing)) {
            case .keep: return
            case .release: visible = decoded
            case .remove:
                cut(decoded - visible)
                lastRemoval = end
            }
            return
        }
        let part = UnsafeRawBufferPointer(rebasing: storage[visible..<decoded])
        if hasReleasedPart || !mayMatter(part) {
            visible = decoded
            hasReleasedPart = true
        }
    }

    /// Nothing more will arrive: a withheld rest that is no line can be read.
    package func releaseRest() {
        guard framing == .line, lineFeed(in: visible..<decoded) == nil else { return }
        visible = decoded
    }

    /// Where the first withheld line ends, in the buffer.
    private func withheldLine() -> (text: Int, line: Int)? {
        if let ends {
            guard visibleEnds < ends.count else { return nil }
            let end = head + ends[visibleEnds] - front
            let hasFeed = framing == .datagram && end > visible && storage[end - 1] == UInt8(ascii: "\n")
            return (hasFeed ? end - 1 : end, end)
        }
        return lineFeed(in: visible..<decoded).map { ($0, $0 + 1) }
    }

    /// Takes the first `count` withheld bytes out, which are a line, by moving what is shorter: what can be read or what
    /// follows. When the former moves, its positions grow: a search that stopped among them looks at some bytes twice.
    private func cut(_ count: Int) {
        let following = visible + count
        if ends != nil { ends?.remove(at: visibleEnds) }
        if self.count <= tail - following {
            UnsafeMutableRawBufferPointer(rebasing: storage[(head + count)...]).copyMemory(from: bytes)
            head += count
            visible += count
            front += count
            for index in 0..<visibleEnds { ends?[index] += count }
        } else {
            let rest = UnsafeRawBufferPointer(rebasing: storage[following..<tail])
            UnsafeMutableRawBufferPointer(rebasing: storage[visible...]).copyMemory(from: rest)
            decoded -= count
            tail -= count
            for index in visibleEnds..<max(visibleEnds, ends?.count ?? 0) { ends?[index] -= count }
        }
    }

    private func openGate() {
        visible = decoded
        visibleEnds = ends?.count ?? 0
    }

    private func accept(_ end: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        let piece = UnsafeRawBufferPointer(rebasing: storage[decoded..<end])
        decoded = end
        if !piece.isEmpty || framing.isDatagram { body(piece) }
    }

    /// Takes the prefixes away from the whole frames behind `decoded`.
    private func decodeFrames(_ body: (UnsafeRawBufferPointer) -> Void) throws(OversizedFrame) {
        guard let prefixLength = framing.prefixLength else { return }
        var next = decoded
        defer { closeGap(from: next) }
        while tail - next >= prefixLength {
            let length = framing.length(from: storage[next..<(next + prefixLength)])
            guard length + prefixLength <= limit else { throw OversizedFrame(length: length) }
            guard tail - next - prefixLength >= length else { return }
            let payload = UnsafeRawBufferPointer(
                rebasing: storage[(next + prefixLength)..<(next + prefixLength + length)])
            UnsafeMutableRawBufferPointer(rebasing: storage[decoded...]).copyMemory(from: payload)
            next += prefixLength + length
            decoded += length
            ends?.append(front + decoded - head)
            body(UnsafeRawBufferPointer(rebasing: storage[(decoded - length)..<decoded]))
        }
    }

    /// Moves what follows `next` down to what was decoded.
    private func closeGap(from next: Int) {
        guard next > decoded else { return }
        let rest = UnsafeRawBufferPointer(rebasing: storage[next..<tail])
        UnsafeMutableRawBufferPointer(rebasing: storage[decoded...]).copyMemory(from: rest)
        tail -= next - decoded
    }

    /// Forgets the ends of the messages that end at or before `position`; an empty one at `position` is still to come.
    private func dropEnds(through position: Int) {
        var start = front
        while let end = messageEnds?.first, end <= position, end > start || position > start {
            dropEnd()
            start = end
        }
    }

    private func dropEnd() {
        ends?.removeFirst()
        visibleEnds -= 1
    }

    private func lineFeed(in range: Range<Int>) -> Int? {
        guard !range.isEmpty, let base = storage.baseAddress,
            let found = memchr(base + range.lowerBound, Int32(UInt8(ascii: "\n")), range.count)
        else { return nil }
        return UnsafeMutableRawPointer(found) - base
    }

    private func reserve(_ room: Int) {
        guard storage.count - tail < room else { return }
        let live = held
        let kept = UnsafeRawBufferPointer(rebasing: storage[head..<tail])
        if head >= live && storage.count - live >= room {
            // The free front is at least as large as what moves: moving pays for itself.
            UnsafeMutableRawBufferPointer(rebasing: storage[..<live]).copyMemory(from: kept)
        } else {
            var capacity = storage.count
            while capacity - live < room { capacity *= 2 }
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: kept)
            storage.deallocate()
            storage = larger
        }
        visible -= head
        decoded -= head
        tail = live
        head = 0
    }
}

extension UnsafeRawBufferPointer {
    /// Without the carriage return that belongs to a line's ending; a message has none.
    fileprivate func withoutCarriageReturn(_ framing: Framing) -> UnsafeRawBufferPointer {
        framing == .line && last == UInt8(ascii: "\r") ? UnsafeRawBufferPointer(rebasing: self[..<(count - 1)]) : self
    }
}
