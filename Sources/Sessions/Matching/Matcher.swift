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
    var takesMessage = false
    /// It takes the end of the stream, in whatever way that ended.
    var takesEnd = false
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
    /// What is there has not been searched to its end yet: it looks again after others have had their turn.
    case unfinished
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
        guard let end = inbox.bytes(from: front).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        return Inbox.LineEnd(text: front + end, next: front + end + 1)
    }

    /// Whether a line begins at `front`, the front or the position after an ending that is passed over.
    package func beginsLine(at front: Int) -> Bool { front > inbox.front || frontBeginsLine }

    /// Says that what is unread is no whole line.
    func restHint(at front: Int) -> [String] {
        beginsLine(at: front)
            ? []
            : ["this is the rest of a line: an earlier 'expect' consumed its beginning, up to its match"]
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

extension Finding {
    /// A regex that needs more steps than it is given.
    static func tooComplex(_ why: String, _ source: String) -> Finding {
        .impossible("pattern too complex: \(why)", hints: ["pattern: \(source)"])
    }
}
