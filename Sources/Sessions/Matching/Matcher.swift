import Reactor
import Results
import Script
import Wire

/// What a matcher has found; nothing is consumed until it is taken.
package struct Match {
    /// Where in the stream it begins: of several matches in one session the first counts.
    package let start: Int
    /// The position through which it consumes.
    package let end: Int
    /// It takes a whole message, which may be empty.
    package var takesMessage = false
    /// It takes the end of the stream, in whatever way that ended.
    package var takesEnd = false
    /// The captures it sets, or nil for none.
    package var captures: [[UInt8]?]?
    package var groups: [(name: String, number: Int)] = []

    package init(
        start: Int, end: Int, takesMessage: Bool = false, takesEnd: Bool = false, captures: [[UInt8]?]? = nil,
        groups: [(name: String, number: Int)] = []
    ) {
        self.start = start
        self.end = end
        self.takesMessage = takesMessage
        self.takesEnd = takesEnd
        self.captures = captures
        self.groups = groups
    }
}

/// What a matcher sees.
package enum Finding {
    case found(Match)
    /// More data could decide it; a match may begin at this position or later.
    case pending(from: Int)
    /// It cannot be met any more: in words, and what to do.
    case impossible(String, hints: [String] = [])
    /// The first unread line is another one.
    case differs(String, Mismatch, hints: [String] = [])
}

/// Looks for one thing in what is unread of one session. It consumes nothing, and remembers only how far it has searched.
package protocol Matcher: AnyObject {
    /// - Parameter isWhole: nothing more will come, or nothing more is waited for, so that what is there counts as it is.
    func look(at feed: Feed, isWhole: Bool) -> Finding
    /// The position before which it needs nothing any more, so that it may be dropped when the inbox is full.
    func neededFrom(_ feed: Feed) -> Int
    /// Whether the end of the stream is no failure by itself.
    var acceptsEnd: Bool { get }
    /// Whether reaching the deadline is success.
    var succeedsLate: Bool { get }
    /// Why it may not have been met, for the text of a failure.
    var hint: String? { get }
    /// What came nearest to being met, for the text of a failure.
    func nearest(in feed: Feed) -> Mismatch?
}

extension Matcher {
    package func neededFrom(_ feed: Feed) -> Int { feed.inbox.front }
    package var acceptsEnd: Bool { false }
    package var succeedsLate: Bool { false }
    package var hint: String? { nil }
    package func nearest(in feed: Feed) -> Mismatch? { nil }
}

/// Where the next line begins, after the rest of a line of which only the ending is left.
enum LineFront {
    case at(Int)
    /// A carriage return is there, and what follows it is not known.
    case unknown
}

extension Feed {
    /// The line words pass over a line's ending when that is all that is left of the line.
    func lineFront(isWhole: Bool) -> LineFront {
        guard !frontBeginsLine, let first = inbox.bytes.first else { return .at(inbox.front) }
        if framing.isDatagram, let end = inbox.nextLineEnd(), end.text == inbox.front { return .at(end.next) }
        guard framing == .line else { return .at(inbox.front) }
        if first == UInt8(ascii: "\n") { return .at(inbox.front + 1) }
        guard first == UInt8(ascii: "\r") else { return .at(inbox.front) }
        if inbox.count == 1 { return isWhole ? .at(inbox.front) : .unknown }
        return .at(inbox.bytes[1] == UInt8(ascii: "\n") ? inbox.front + 2 : inbox.front)
    }

    /// The end of the first line that begins at `front`, the front or the position after an ending that is passed over.
    func lineEnd(from front: Int) -> Inbox.LineEnd? {
        if let ends = inbox.messageEnds {
            // A datagram of which only the ending was left is passed over as a whole.
            guard let end = front > inbox.front ? ends.first(where: { $0 > front }) : ends.first else { return nil }
            return Inbox.LineEnd(text: inbox.textEnd(ofMessage: front..<end), next: end)
        }
        if front == inbox.front { return inbox.nextLineEnd() }
        guard let feed = inbox.bytes(from: front).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        return Inbox.LineEnd(text: front + feed, next: front + feed + 1)
    }

    /// Whether a line begins at `front`, the front or the position after an ending that is passed over.
    package func beginsLine(at front: Int) -> Bool { front > inbox.front || frontBeginsLine }

    /// Says that what is unread is no whole line.
    func restHint(at front: Int) -> [String] {
        beginsLine(at: front)
            ? []
            : ["this is the rest of a line: its beginning has been read, and 'expect' stops after what it has found"]
    }

    /// The bytes of a range of the inbox.
    package func bytes(_ range: Range<Int>) -> [UInt8] {
        Array(inbox.bytes(in: range))
    }

    /// The text of a line without the carriage return that belongs to its ending.
    package func text(_ range: Range<Int>) -> [UInt8] {
        var line = bytes(range)
        if framing == .line, line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }

    /// A difference of the line at `range`, with what follows it.
    func mismatch(_ expected: Mismatch.Expected, _ range: Range<Int>, next: Int?) -> Mismatch {
        var mismatch = Mismatch(
            session: session.name, expected: expected, arrived: text(range), isPart: next == nil)
        mismatch.following = next.map { lines(from: $0) } ?? ([], 0)
        if range.lowerBound < sendMark { mismatch.arrivedBeforeSend = (session.lastSendLine, true) }
        return mismatch
    }
}

/// The next line is exactly a text, or the next bytes are (`T< text`, `T< text\`).
package final class LineMatcher: Matcher {
    private let text: [UInt8]
    private let hasEnding: Bool

    package init(text: [UInt8], hasEnding: Bool) {
        self.text = text
        self.hasEnding = hasEnding
    }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        var front = feed.inbox.front
        let wantsEnding = text.first == UInt8(ascii: "\n") || text.first == UInt8(ascii: "\r")
        if !wantsEnding || hasEnding {
            guard case .at(let position) = feed.lineFront(isWhole: isWhole) else { return .pending(from: front) }
            front = position
        }
        return hasEnding ? lookForLine(feed, front, isWhole: isWhole) : lookForBytes(feed, front, isWhole: isWhole)
    }

    private func lookForLine(_ feed: Feed, _ front: Int, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        guard let end = feed.lineEnd(from: front) else {
            let rest = inbox.bytes(from: front)
            guard isWhole, !rest.isEmpty else { return .pending(from: front) }
            if feed.hasEnded, rest.elementsEqual(text) {
                return .impossible(
                    "no newline at the end",
                    hints: [
                        "to expect it so, write: \(feed.session.name)< \(Escapes.escaped(Array(rest), isPart: true))"
                    ])
            }
            return feed.hasEnded || !text.starts(with: rest)
                ? difference(feed, front, front..<inbox.end, next: nil) : .pending(from: front)
        }
        let line = inbox.bytes(in: front..<end.text)
        let hasReturn = feed.framing == .line && line.last == UInt8(ascii: "\r")
        // The line feed at the end of a datagram belongs to its ending, unless the text asks for it.
        let isWholeDatagram = inbox.feedEndsMessage && inbox.bytes(in: front..<end.next).elementsEqual(text)
        guard isWholeDatagram || line.dropLast(hasReturn ? 1 : 0).elementsEqual(text) else {
            return difference(feed, front, front..<end.text, next: end.next)
        }
        return .found(Match(start: front, end: end.next, takesMessage: end.text == end.next))
    }

    private func lookForBytes(_ feed: Feed, _ front: Int, isWhole: Bool) -> Finding {
        let arrived = feed.inbox.bytes(from: front).prefix(text.count)
        if arrived.elementsEqual(text) { return .found(Match(start: front, end: front + text.count)) }
        if text.starts(with: arrived) { return .pending(from: front) }
        // The words show the whole line, so that any split of the stream gives the same failure.
        guard let end = feed.lineEnd(from: front) else {
            return isWhole ? difference(feed, front, front..<feed.inbox.end, next: nil) : .pending(from: front)
        }
        return difference(feed, front, front..<end.text, next: end.next)
    }

    private func difference(_ feed: Feed, _ front: Int, _ range: Range<Int>, next: Int?) -> Finding {
        let hasPassedEnding = front > feed.inbox.front
        let hints =
            feed.restHint(at: front)
            + (text.isEmpty && hasPassedEnding
                ? ["the ending of the line that was read in part has been passed over: it is no line of its own"] : [])
        return .differs(
            "the line differs", feed.mismatch(.text(text, isPart: !hasEnding), range, next: next), hints: hints)
    }
}

/// The next line matches a regex (`T<~ regex`).
package final class LinePatternMatcher: Matcher {
    private let regex: Regex
    private let source: String

    package init(regex: Regex, source: String) {
        self.regex = regex
        self.source = source
    }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        guard case .at(let front) = feed.lineFront(isWhole: isWhole) else { return .pending(from: inbox.front) }
        let end = feed.lineEnd(from: front)
        guard let textEnd = end?.text ?? (feed.hasEnded && front < inbox.end ? inbox.end : nil) else {
            return .pending(from: front)
        }
        let line = feed.text(front..<textEnd)
        let outcome = line.withUnsafeBytes {
            regex.search($0, from: 0, isWhole: true, beginsLine: feed.beginsLine(at: front))
        }
        switch outcome {
        case .match(let groups):
            return .found(
                Match(
                    start: front, end: end?.next ?? textEnd,
                    takesMessage: end.map { $0.text == $0.next } ?? false,
                    captures: groups.map { $0.map { Array(line[$0]) } }, groups: regex.groups))
        case .limit(let why): return .tooComplex(why, source)
        case .none, .partial:
            return .differs(
                "the line does not match", feed.mismatch(.pattern(source), front..<textEnd, next: end?.next),
                hints: feed.restHint(at: front))
        }
    }
}

extension Finding {
    /// A regex that needs more steps than it is given.
    static func tooComplex(_ why: String, _ source: String) -> Finding {
        .impossible("pattern too complex: \(why)", hints: ["pattern: \(source)"])
    }
}

/// The stream ends, or is reset; strictly now, or after whatever is still unread.
package final class EndMatcher: Matcher {
    private let wantsReset: Bool
    private let isStrict: Bool

    package init(wantsReset: Bool, isStrict: Bool) {
        self.wantsReset = wantsReset
        self.isStrict = isStrict
    }

    package var acceptsEnd: Bool { true }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        if feed.framing.isDatagram { return .impossible("UDP has no end of stream") }
        if isStrict {
            guard case .at(let front) = feed.lineFront(isWhole: isWhole) else { return .pending(from: inbox.front) }
            guard front == inbox.end, inbox.messageEnds?.isEmpty != false else {
                return .impossible("more data instead of the \(wantsReset ? "reset" : "end of the stream")")
            }
        }
        guard feed.hasEnded else { return .pending(from: inbox.end) }
        switch feed.session.channel.input {
        case .open: return .pending(from: inbox.end)
        case .ended where !wantsReset, .reset where wantsReset, .cut where wantsReset:
            return .found(Match(start: inbox.end, end: inbox.end, takesEnd: true))
        case .ended: return .impossible("expected a reset, got the end of the stream")
        case .reset: return .impossible("expected the end of the stream, got a reset")
        case .cut:
            return .impossible(
                "cut without close_notify, not ended cleanly",
                hints: ["if its peer ends so, say: set \(feed.session.name) cut-is-eof on"])
        case .failed, .oversized, .closed: return .impossible(feed.session.inputState)
        }
    }

    package func neededFrom(_ feed: Feed) -> Int { isStrict ? feed.inbox.front : feed.inbox.end }
}

/// The next N bytes.
package final class BytesMatcher: Matcher {
    private let count: Int

    package init(count: Int) {
        self.count = count
    }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        guard inbox.count >= count else { return .pending(from: inbox.front) }
        let end = inbox.front + count
        return .found(Match(start: inbox.front, end: end, captures: [feed.bytes(inbox.front..<end)]))
    }
}

/// The next N lines; they are captured without the ending of the last one.
package final class LinesMatcher: Matcher {
    private let count: Int
    private var found = 0
    /// Lines have been found through this position, with the front and the revision as they were.
    private var searched = 0
    private var front = -1
    private var revision = 0

    package init(count: Int) {
        self.count = count
    }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        guard case .at(let front) = feed.lineFront(isWhole: isWhole) else { return .pending(from: inbox.front) }
        if inbox.messageEnds != nil { return lookForMessages(feed, front) }
        if front != self.front || revision != inbox.revision {
            (self.front, revision) = (front, inbox.revision)
            found = 0
            searched = front
        }
        while found < count {
            guard let feed = inbox.bytes(from: searched).firstIndex(of: UInt8(ascii: "\n")) else { break }
            searched += feed + 1
            found += 1
        }
        guard found == count else { return .pending(from: front) }
        let text = count == 0 ? [] : feed.bytes(front..<(searched - 1))
        return .found(Match(start: front, end: searched, captures: [Self.withoutCarriageReturns(text)]))
    }

    private func lookForMessages(_ feed: Feed, _ front: Int) -> Finding {
        let inbox = feed.inbox
        let ends = Array((inbox.messageEnds ?? []).drop { front > inbox.front && $0 <= front }.prefix(count))
        guard ends.count == count else { return .pending(from: front) }
        let lines = zip([front] + ends, ends).map { feed.bytes($0..<inbox.textEnd(ofMessage: $0..<$1)) }
        let end = ends.last ?? front
        return .found(
            Match(
                start: front, end: end, takesMessage: end == front && count == 1,
                captures: [Array(lines.joined(separator: [UInt8(ascii: "\n")]))]))
    }

    private static func withoutCarriageReturns(_ text: [UInt8]) -> [UInt8] {
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return Array(
            lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }.joined(separator: [UInt8(ascii: "\n")]))
    }
}

/// Nothing arrives until the deadline.
package final class NothingMatcher: Matcher {
    package init() {}

    package var acceptsEnd: Bool { true }
    package var succeedsLate: Bool { true }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        guard case .at(let front) = feed.lineFront(isWhole: isWhole) else { return .pending(from: inbox.front) }
        let hasMessage = inbox.messageEnds?.contains { front == inbox.front || $0 > front } ?? false
        if front < inbox.end || hasMessage {
            return .impossible(front < feed.sendMark ? "unread data is left from before the last send" : "something arrived")
        }
        // A stream that has ended brings nothing more.
        let isOver = feed.hasEnded || isWhole
        return isOver ? .found(Match(start: front, end: front)) : .pending(from: front)
    }
}

/// Something is not found until the deadline; what arrives stays unread.
package final class NotMatcher: Matcher {
    private let unwanted: any Matcher
    private let description: String

    package init(_ unwanted: any Matcher, description: String) {
        self.unwanted = unwanted
        self.description = description
    }

    package var acceptsEnd: Bool { true }
    package var succeedsLate: Bool { true }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let finding = unwanted.look(at: feed, isWhole: isWhole)
        switch finding {
        case .found(let match):
            return .impossible(match.end <= feed.sendMark ? "\(description) is unread" : "\(description) arrived")
        case .impossible, .differs: return finding
        case .pending where isWhole: return .found(Match(start: feed.inbox.front, end: feed.inbox.front))
        case .pending: return finding
        }
    }

    package func neededFrom(_ feed: Feed) -> Int { unwanted.neededFrom(feed) }
}

/// Everything until nothing has arrived for a while, or the stream has ended.
package final class SilenceMatcher: Matcher {
    private let time: Duration
    private let clock: () -> Instant
    private var lastEnd = -1
    private var lastArrival: Instant

    package init(time: Duration, since start: Instant, clock: @escaping () -> Instant) {
        self.time = time
        self.clock = clock
        lastArrival = start
    }

    package var acceptsEnd: Bool { true }

    /// When the silence is long enough, as far as is known.
    package var due: Instant { lastArrival + time }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        if inbox.end != lastEnd {
            if lastEnd >= 0 { lastArrival = clock() }
            lastEnd = inbox.end
        }
        guard feed.hasEnded || clock() >= due else { return .pending(from: inbox.front) }
        return .found(Match(start: inbox.front, end: inbox.end, captures: [Array(inbox.bytes)]))
    }
}
