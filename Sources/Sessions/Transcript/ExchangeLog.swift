import DequeModule
import Reactor
import Results

/// The last data sent and received in a session, kept for the text of a failure.
struct ExchangeLog {
    /// One send, or the bytes of one read.
    struct Entry {
        let time: Instant
        let isSend: Bool
        /// At most `kept` bytes: the beginning of a send, the end of received data.
        let bytes: [UInt8]
        /// The number of all its bytes.
        let count: Int
        /// The script line that sent it.
        let line: Int?
        /// The end of received data, as a position among all bytes, and all messages, ever received.
        let end: Int
        let messageEnd: Int
    }

    /// Received bytes that were never read, and why they are gone.
    private struct Loss {
        let bytes: Range<Int>
        let disposition: Excerpt.Disposition
    }

    private(set) var entries: Deque<Entry> = []
    private var arrived = 0
    private var messages = 0
    private var losses: Deque<Loss> = []

    private static let maximum = 24
    private static let kept = 2048
    private static let pause = Duration.milliseconds(10)

    mutating func sent(_ bytes: UnsafeRawBufferPointer, at time: Instant, line: Int?) {
        let part = Array(bytes.prefix(Self.kept))
        add(
            Entry(
                time: time, isSend: true, bytes: part, count: bytes.count, line: line, end: arrived,
                messageEnd: messages))
    }

    /// Records received data; messages are kept separately.
    mutating func received(_ bytes: UnsafeRawBufferPointer, at time: Instant, isMessage: Bool = false) {
        arrived += bytes.count
        messages += isMessage ? 1 : 0
        var part = Array(bytes.suffix(Self.kept))
        var (start, count) = (time, bytes.count)
        // Pieces that arrive in quick succession belong together.
        if let last = entries.last, !last.isSend, !isMessage, time - last.time < Self.pause {
            entries.removeLast()
            part = Array((last.bytes + part).suffix(Self.kept))
            (start, count) = (last.time, last.count + bytes.count)
        }
        add(Entry(time: start, isSend: false, bytes: part, count: count, line: nil, end: arrived, messageEnd: messages))
    }

    /// Records that `count` unread bytes are dropped, after which `following` bytes have arrived.
    mutating func drop(_ count: Int, following: Int, _ reason: String) {
        guard count > 0 else { return }
        recordLoss((arrived - following - count)..<(arrived - following), .dropped(reason))
    }

    /// Records that a trigger takes a line of `count` bytes, after which `following` bytes have arrived.
    mutating func take(_ count: Int, following: Int) {
        recordLoss((arrived - following - count)..<(arrived - following), .taken)
    }

    private mutating func recordLoss(_ range: Range<Int>, _ disposition: Excerpt.Disposition) {
        if let last = losses.last, last.disposition == disposition, last.bytes.upperBound == range.lowerBound,
            disposition != .taken
        {
            losses[losses.count - 1] = Loss(bytes: last.bytes.lowerBound..<range.upperBound, disposition: disposition)
            return
        }
        if losses.count == Self.maximum { losses.removeFirst() }
        losses.append(Loss(bytes: range, disposition: disposition))
    }

    /// The last send, and the entries since then.
    private var sinceLastSend: (send: Entry?, arrived: ArraySlice<Entry>) {
        let all = Array(entries)
        guard let index = all.lastIndex(where: \.isSend) else { return (nil, all[...]) }
        return (all[index], all[(index + 1)...])
    }

    /// Whether anything was sent, and the script line of the last send.
    var lastSend: (hasSent: Bool, line: Int?) {
        let send = sinceLastSend.send
        return (send != nil, send?.line)
    }

    /// Returns the lines, or messages, that arrived since the last send, and whether more data came before the first of
    /// them.
    ///
    /// - Parameters:
    ///   - unread: the number of unread bytes, or messages; the last that arrived and were not lost.
    ///   - withheld: how many of them the script cannot read.
    func lines(isStream: Bool, unread: Int, withheld: Int) -> (lines: [Excerpt.Line], isCut: Bool) {
        let entries = sinceLastSend.arrived
        let isCut = entries.contains { $0.count > $0.bytes.count }
        var rest = unread
        guard isStream else {
            let lines = entries.reversed().map { entry in
                let lost = disposition(of: (entry.end - entry.count)..<entry.end)
                if lost == nil { rest -= 1 }
                let disposition = rest < 0 ? Excerpt.Disposition.consumed : unread - rest <= withheld ? .held : .unread
                return Excerpt.Line(entry.bytes, lost ?? disposition)
            }
            return (lines.reversed(), isCut)
        }
        var end = entries.last?.end ?? 0
        let bytes = entries.flatMap(\.bytes)
        var lines: [Excerpt.Line] = []
        for line in Self.withEndings(bytes).reversed() {
            let isPart = line.last != UInt8(ascii: "\n")
            let range = (end - line.count)..<end
            end = range.lowerBound
            let text = Self.text(of: line)
            if let lost = disposition(of: range) {
                lines.append(Excerpt.Line(text, isPart: isPart, lost))
                continue
            }
            // Only the ending of the line is left: the line counts as consumed.
            let isEnding = rest < line.count && rest <= line.count - text.count
            let isHeld = unread - rest + line.count <= withheld
            let isUnread = rest > 0 && !isEnding
            lines.append(Excerpt.Line(text, isPart: isPart, isUnread ? (isHeld ? .held : .unread) : .consumed))
            rest -= min(rest, line.count)
        }
        return (lines.reversed(), isCut)
    }

    /// Returns the disposition of a line or message, decided at its end; nil if it was not lost. The rest of one whose
    /// beginning is gone is unread.
    private func disposition(of range: Range<Int>) -> Excerpt.Disposition? {
        losses.last { $0.bytes.contains(range.upperBound - 1) || $0.bytes.isEmpty && range == $0.bytes }?.disposition
    }

    /// Returns the last exchanges, for a human reader.
    func exchanges(of session: String, isStream: Bool) -> Exchanges {
        let all = Array(entries)
        let shown = all.indices.suffix(5)
        return Exchanges(
            session: session, isStream: isStream,
            entries: shown.map { index in
                let entry = all[index]
                let first = all[shown.lowerBound]
                let around =
                    isStream && !entry.isSend ? Self.neighbours(of: index, in: all) : ([], [])
                return Exchanges.Entry(
                    time: entry.time - first.time, isSend: entry.isSend, bytes: entry.bytes, count: entry.count,
                    around: around)
            })
    }

    private static func neighbours(of index: Int, in entries: [Entry]) -> (before: [UInt8], after: [UInt8]) {
        let before = entries[..<index].reversed().prefix { !$0.isSend }.reversed()
        return (before.flatMap(\.bytes), entries[(index + 1)...].prefix { !$0.isSend }.flatMap(\.bytes))
    }

    private mutating func add(_ entry: Entry) {
        if entries.count == Self.maximum { entries.removeFirst() }
        entries.append(entry)
    }

    /// Returns the lines of a text, with their endings.
    private static func withEndings(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let feed = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            let end = feed.map { $0 + 1 } ?? bytes.endIndex
            lines.append(bytes[start..<end])
            start = end
        }
        return lines
    }

    private static func text(of line: ArraySlice<UInt8>) -> [UInt8] {
        var text = line
        if text.last == UInt8(ascii: "\n") { text.removeLast() }
        if text.last == UInt8(ascii: "\r") { text.removeLast() }
        return Array(text)
    }
}
