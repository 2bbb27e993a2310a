import Reactor
import Results
import Script
import Wire

/// The match of a matcher; nothing is consumed until the match is taken.
package struct Match {
    /// Where in the stream it begins: of several matches in one session, the earliest counts.
    package let start: Int
    /// The position through which it consumes.
    package let end: Int
    /// Whether it takes a whole message, which may be empty.
    var takesMessage = false
    /// Whether it takes the end of the stream, however the stream ended.
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

/// The result of a look at the unread data.
package enum Finding {
    case found(Match)
    /// More data could decide it; a match may begin at this position or later.
    case pending(from: Int)
    /// The available data has not been searched completely; the search continues after other work had a turn.
    case unfinished
    /// It can no longer be met: the reason as text, and hints.
    case impossible(String, hints: [String] = [])
    /// The first unread line is a different one.
    case differs(String, Mismatch, hints: [String] = [])
}

/// Looks for one thing in the unread data of one session. Consumes nothing, and remembers only how far it has searched.
package protocol Matcher: AnyObject {
    /// - Parameter isWhole: whether no more data will come or be waited for, so the available data counts as complete.
    func look(at feed: Feed, isWhole: Bool) -> Finding
    /// Returns the position before which no data is needed any more: it may be dropped when the inbox is full.
    func neededFrom(_ feed: Feed) -> Int
    /// Whether the end of the stream alone is not a failure.
    var acceptsEnd: Bool { get }
    /// Whether reaching the deadline is success.
    var succeedsLate: Bool { get }
    /// Whether a failure shows the screen of the program instead of the received data.
    var showsScreen: Bool { get }
    /// A possible reason why it was not met, for the text of a failure.
    var hint: String? { get }
    /// Returns the data that came closest to a match, for the text of a failure.
    func nearest(in feed: Feed) -> Mismatch?
}

extension Matcher {
    package func neededFrom(_ feed: Feed) -> Int { feed.inbox.front }
    package var acceptsEnd: Bool { false }
    package var succeedsLate: Bool { false }
    package var showsScreen: Bool { false }
    package var hint: String? { nil }
    package func nearest(in feed: Feed) -> Mismatch? { nil }
}

/// Where the next line begins, after the leftover ending of a partly read line.
enum LineFront {
    case at(Int)
    /// There is a carriage return, and the byte after it is not known yet.
    case unknown
}

extension Feed {
    /// Returns where the next line begins. Line expectations skip a line ending that is all that is left of its line.
    func lineFront(isWhole: Bool) -> LineFront {
        guard !frontBeginsLine, let first = inbox.bytes.first else { return .at(inbox.front) }
        if framing.keepsMessages, let end = inbox.nextLineEnd(), end.text == inbox.front { return .at(end.next) }
        guard framing == .line else { return .at(inbox.front) }
        if first == UInt8(ascii: "\n") { return .at(inbox.front + 1) }
        guard first == UInt8(ascii: "\r") else { return .at(inbox.front) }
        if inbox.count == 1 { return isWhole ? .at(inbox.front) : .unknown }
        return .at(inbox.bytes[1] == UInt8(ascii: "\n") ? inbox.front + 2 : inbox.front)
    }

    /// Returns the end of the first line that begins at `front`: the front, or the position after a skipped ending.
    func lineEnd(from front: Int) -> Inbox.LineEnd? {
        if let ends = inbox.messageEnds {
            // A datagram of which only the ending was left is skipped as a whole.
            guard let end = front > inbox.front ? ends.first(where: { $0 > front }) : ends.first else { return nil }
            return Inbox.LineEnd(text: inbox.textEnd(ofMessage: front..<end), next: end)
        }
        if front == inbox.front { return inbox.nextLineEnd() }
        guard let end = inbox.bytes(from: front).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        return Inbox.LineEnd(text: front + end, next: front + end + 1)
    }

    /// Whether a line begins at `front`: the front, or the position after a skipped ending.
    package func beginsLine(at front: Int) -> Bool { front > inbox.front || frontBeginsLine }

    /// Returns a hint that the unread data is not a whole line; empty if a line begins at `front`.
    func restHint(at front: Int) -> [String] {
        beginsLine(at: front)
            ? []
            : ["this is the rest of a line: an earlier 'expect' consumed its beginning, up to its match"]
    }

    /// Returns the bytes of a range of the inbox.
    package func bytes(_ range: Range<Int>) -> [UInt8] {
        Array(inbox.bytes(in: range))
    }

    /// Returns the text of a line without the carriage return of its ending.
    package func text(_ range: Range<Int>) -> [UInt8] {
        var line = bytes(range)
        if framing == .line, line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }

    /// Returns the mismatch of the line at `range`, with the lines after it.
    func mismatch(_ expected: Mismatch.Expected, _ range: Range<Int>, next: Int?) -> Mismatch {
        var mismatch = Mismatch(
            session: session.name, expected: expected, arrived: text(range), isPart: next == nil)
        mismatch.following = next.map { lines(from: $0) } ?? ([], 0)
        if range.lowerBound < sendMark { mismatch.arrivedBeforeSend = (session.lastSendLine, true) }
        return mismatch
    }
}

extension Finding {
    /// Returns the finding for a regex that exceeds its step limit.
    static func tooComplex(_ why: String, _ source: String) -> Finding {
        .impossible("pattern too complex: \(why)", hints: ["pattern: \(source)"])
    }
}
