import Results
import Script

/// The parts of a failure that describe a session.
extension Session {
    private static let maxEarlier = 4

    /// Returns the state of the connection as text.
    ///
    /// - Parameter isLate: whether a wait has reached its limit.
    package func state(isLate: Bool = false) -> String {
        if inputHasEnded { return inputState }
        if channel.isFull { return "still open; inbox full, reading paused" }
        if child?.ending != nil { return inputState }
        if channel.undecoded > 0 { return "still open\(unfinishedFrame)" }
        return isLate && isReceiving ? "still open and sending" : "still open, nothing more"
    }

    /// The script line of the last send.
    var lastSendLine: Int? { log.lastSend.line }

    /// Returns the data that arrived since the last send, and the data of `feed` that was unread before it.
    package func excerpt(of feed: Feed? = nil, isLate: Bool = false) -> Excerpt {
        let feed = feed ?? self.feed
        let isStream = framing == .line
        let messages = (self.feed.inbox.messageEnds?.count ?? 0) + (filter?.incoming.inbox.messageEnds?.count ?? 0)
        let (lines, isCut) = log.lines(
            isStream: isStream, unread: isStream ? unreadCount : messages,
            withheld: isStream
                ? withheldCount(from: feed)
                : feed === self.feed ? filter?.incoming.inbox.messageEnds?.count ?? 0 : 0)
        var start = feed.inbox.front
        // The ending of a line that was read does not count as a line.
        if case .at(let front) = feed.lineFront(isWhole: true) { start = front }
        let earlier = feed.lines(from: start, to: min(feed.sendMark, feed.inbox.end))
        return Excerpt(
            session: name, lastSend: log.lastSend, lines: lines, isCut: isCut,
            earlier: (Array(earlier.lines.prefix(Self.maxEarlier)), earlier.count), state: state(isLate: isLate))
    }

    /// Why the received data may be incomplete although the stream has ended, as text; nil if it is complete.
    package var gap: String? {
        let unfinished = channel.undecoded
        if channel.input == .cut { return "closed without \(channel.kind.properEnd): data may be missing" }
        guard unfinished > 0, channel.input == .ended else { return nil }
        return "the stream ended inside a frame, \(shown(bytes: unfinished)) into it"
    }

    /// Why the last sent data was refused, as text; nil if no refusal is known.
    var refusal: String? {
        channel.refusal.map { "\($0.message): no listener at \(channel.peer)" }
    }

    /// The state of our direction, as text.
    package var outputState: String {
        switch channel.output {
        case .open: "open"
        case .ending, .ended: "our side has ended (half-closed)"
        case .failed(let error) where child != nil && error.isBrokenPipe:
            "the program closed its input"
        case .failed(let error):
            // The earlier error of the peer's direction explains more than the kernel's error for the write.
            if case .failed(let reason) = channel.input { reason.message } else { error.message }
        case .closed: "the channel is closed"
        }
    }

    /// The state of the peer's direction, as text.
    package var inputState: String {
        switch channel.input {
        case .open:
            child?.ending.map { "the program \($0.description), but a process it started keeps its output open" }
                ?? "still open"
        case .ended where child != nil: "the program closed its output"
        case .ended: channel.closing?.description ?? "closed by the peer"
        case .reset: "reset by the peer"
        case .cut: "cut by the peer without \(channel.kind.properEnd)"
        case .failed(let error): error.message
        case .oversized(let count):
            "a frame of \(shown(bytes: count)) is longer than the inbox (\(shown(bytes: channel.inbox.limit)))"
        case .closed: "closed by us"
        }
    }

    /// The bytes of an incomplete frame, as text; empty if there is none.
    private var unfinishedFrame: String {
        guard channel.undecoded > 0 else { return "" }
        let announced = channel.announced.map { " of \(shown(bytes: $0)) or more" } ?? ""
        return ", \(shown(bytes: channel.undecoded)) of an unfinished frame\(announced)"
    }

    package var exchanges: Exchanges {
        log.exchanges(of: name, isStream: framing == .line)
    }
}

extension Feed {
    private static let maxLines = 4

    /// Returns the first unread lines between two positions, and the number of all of them.
    package func lines(from start: Int, to end: Int? = nil) -> (lines: [Excerpt.Line], count: Int) {
        let last = end ?? inbox.end
        let ends = lineEnds(from: start, to: last)
        let lines = zip([start] + ends, ends).prefix(Self.maxLines).map { begin, end in
            let bytes = Array(inbox.bytes(in: begin..<inbox.textEnd(ofMessage: begin..<end)))
            guard framing == .line else { return Excerpt.Line(bytes) }
            let isPart = bytes.last != UInt8(ascii: "\n")
            return Excerpt.Line(
                SourceText.lines(of: bytes).first.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 } ?? [],
                isPart: isPart)
        }
        return (Array(lines), ends.count)
    }

    private func lineEnds(from start: Int, to end: Int) -> [Int] {
        guard start < end || inbox.messageEnds != nil else { return [] }
        if let ends = inbox.messageEnds {
            return ends.filter { $0 > start && $0 <= end }
        }
        let bytes = inbox.bytes(in: start..<end)
        var ends = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map { start + $0 + 1 }
        if (ends.last ?? start) < end { ends.append(end) }
        return ends
    }
}
