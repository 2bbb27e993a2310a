import DequeModule
import Reactor
import Script

/// The last things said in a session, kept for the text of a failure.
struct ExchangeLog {
    /// One send, or the bytes of one read.
    struct Entry {
        let time: Instant
        let isSend: Bool
        /// At most `kept` bytes: the front of a send, the end of what arrived.
        let bytes: [UInt8]
        /// How many there were.
        let count: Int
        /// The line of the script that sent it.
        let line: Int?
    }

    private(set) var entries: Deque<Entry> = []

    private static let most = 24
    private static let kept = 2048
    private static let pause = Duration.milliseconds(10)

    mutating func sent(_ bytes: UnsafeRawBufferPointer, at time: Instant, line: Int?) {
        let part = Array(bytes.prefix(Self.kept))
        add(Entry(time: time, isSend: true, bytes: part, count: bytes.count, line: line))
    }

    /// Messages are kept one by one.
    mutating func received(_ bytes: UnsafeRawBufferPointer, at time: Instant, isMessage: Bool = false) {
        guard let last = entries.last, !last.isSend, !isMessage, time - last.time < Self.pause else {
            let part = Array(bytes.suffix(Self.kept))
            return add(Entry(time: time, isSend: false, bytes: part, count: bytes.count, line: nil))
        }
        // What comes in pieces, one right behind the other, was one thing to say.
        entries.removeLast()
        let part = Array((last.bytes + bytes.suffix(Self.kept)).suffix(Self.kept))
        entries.append(Entry(time: last.time, isSend: false, bytes: part, count: last.count + bytes.count, line: nil))
    }

    /// The entries behind the last send, and that send.
    var sinceLastSend: (send: Entry?, arrived: ArraySlice<Entry>) {
        let all = Array(entries)
        guard let index = all.lastIndex(where: \.isSend) else { return (nil, all[...]) }
        return (all[index], all[(index + 1)...])
    }

    private mutating func add(_ entry: Entry) {
        if entries.count == Self.most { entries.removeFirst() }
        entries.append(entry)
    }
}
