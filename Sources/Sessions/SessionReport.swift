import Results
import Script

/// What failures show of a session.
extension Session {
    private static let maxEarlier = 4

    /// The state of the connection, in words.
    ///
    /// - Parameter isLate: a wait has come to its limit.
    package func state(isLate: Bool = false) -> String {
        if inputHasEnded { return inputState }
        if channel.isFull { return "still open; inbox full, reading paused" }
        if child?.ending != nil { return inputState }
        return isLate && isReceiving ? "still open and sending" : "still open, nothing more"
    }

    /// The script's line of the last send.
    var lastSendLine: Int? { log.lastSend.line }

    /// What has arrived since the last send, and what of `feed` was unread before it.
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
        // The ending of a line that was read is no line.
        if case .at(let front) = feed.lineFront(isWhole: true) { start = front }
        let earlier = feed.lines(from: start, to: min(feed.sendMark, feed.inbox.end))
        return Excerpt(
            session: name, lastSend: log.lastSend, lines: lines, isCut: isCut,
            earlier: (Array(earlier.lines.prefix(Self.maxEarlier)), earlier.count), state: state(isLate: isLate))
    }

    /// Why what has arrived may not be all, though the stream is over, in words; nil when it is all.
    package var gap: String? {
        let unfinished = channel.undecoded
        if channel.input == .cut { return "cut without close_notify: data may be missing" }
        guard unfinished > 0, channel.input == .ended else { return nil }
        return "the stream ended inside a frame, after \(shown(bytes: unfinished)) of it"
    }

    /// Why nobody took what was sent last, in words; nil when that is not known to be so.
    var refusal: String? {
        channel.refusal.map { "\($0.message): no listener at \(channel.peer)" }
    }

    /// The state of our direction in words.
    package var outputState: String {
        switch channel.output {
        case .open: "open"
        case .ending, .ended: "our side has ended (half-closed)"
        case .failed(let error) where child != nil && error.isBrokenPipe:
            "the program closed its input"
        case .failed(let error):
            // What the peer has said before says more than what the kernel says of the write.
            if case .failed(let reason) = channel.input { reason.message } else { error.message }
        case .closed: "the channel is closed"
        }
    }

    /// The state of the peer's direction in words.
    package var inputState: String {
        switch channel.input {
        case .open:
            child?.ending.map { "the program \($0.description), but a process it started keeps its output open" }
                ?? "still open"
        case .ended where child != nil: "the program closed its output"
        case .ended: "closed by the peer"
        case .reset: "reset by the peer"
        case .cut: "cut by the peer without close_notify"
        case .failed(let error): error.message
        case .oversized(let count):
            "a frame of \(shown(bytes: count)) is longer than the inbox (\(shown(bytes: channel.inbox.limit)))"
        case .closed: "closed by us"
        }
    }

    package var exchanges: Exchanges {
        log.exchanges(of: name, isStream: framing == .line)
    }
}

extension Feed {
    private static let maxLines = 4

    /// The unread lines between two positions: the first of them, and how many there are.
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
