import Reactor
import Script
import Wire

/// What a matcher has found; nothing is consumed until it is taken.
struct Match {
    /// Where in the stream it begins: of several matches in one session the first counts.
    let start: Int
    /// The position through which it consumes.
    let end: Int
    /// It takes a whole message, which may be empty.
    var takesMessage = false
    /// It takes the end of the stream, in whatever way that ended.
    var takesEnd = false
    /// The captures it sets, or nil for none.
    var captures: [[UInt8]?]?
    var groups: [(name: String, number: Int)] = []

    /// Consumes it, and sets the captures.
    func take(from session: Session, by strand: Strand) {
        consume(from: session)
        if let captures { strand.capture(captures, groups: groups) }
    }

    /// Consumes it.
    func consume(from session: Session) {
        if takesEnd { session.hasToldEnd = true }
        if takesMessage, end == session.channel.inbox.front {
            session.channel.inbox.consumeMessage()
        } else {
            session.consume(through: end)
        }
    }
}

/// How far a matcher has come.
enum Progress {
    case matched(Match)
    /// More data could decide it.
    case pending
    /// It cannot be met any more; the words say how, with what was wanted and what arrived below.
    case failed(String, details: [String] = [])
    /// The first unread line is another one; the details show it.
    case differs(String, details: [String])
}

/// Looks for one thing at the front of one session's inbox, going on where it stopped.
protocol Matcher: AnyObject {
    /// `isWhole`: nothing more will come, or nothing more is waited for, so that what is there counts as it is.
    func check(_ session: Session, isWhole: Bool) -> Progress
    /// Gives up what can be, because the inbox is full; false when nothing can.
    func makeRoom(_ session: Session) -> Bool
    /// Whether the end of the stream is no failure by itself.
    var acceptsEnd: Bool { get }
    /// Whether reaching the deadline is success.
    var succeedsLate: Bool { get }
    /// Why it may not have been met, for the text of a failure.
    var hint: String? { get }
}

extension Matcher {
    func makeRoom(_ session: Session) -> Bool { false }
    var acceptsEnd: Bool { false }
    var succeedsLate: Bool { false }
    var hint: String? { nil }
}

/// Where the next line begins, after the rest of a line of which only the ending is left.
private enum LineFront {
    case at(Int)
    /// A carriage return is there, and what follows it is not known.
    case unknown
}

extension Session {
    /// The line words pass over a line's ending when that is all that is left of the line.
    fileprivate func lineFront(isWhole: Bool) -> LineFront {
        let inbox = channel.inbox
        guard !frontBeginsLine, let first = inbox.bytes.first else { return .at(inbox.front) }
        if framing.isDatagram, let end = inbox.nextLineEnd(), end.text == inbox.front { return .at(end.next) }
        guard framing == .line else { return .at(inbox.front) }
        if first == UInt8(ascii: "\n") { return .at(inbox.front + 1) }
        guard first == UInt8(ascii: "\r") else { return .at(inbox.front) }
        if inbox.count == 1 { return isWhole ? .at(inbox.front) : .unknown }
        return .at(inbox.bytes[1] == UInt8(ascii: "\n") ? inbox.front + 2 : inbox.front)
    }

    /// Says that what is unread is no whole line.
    fileprivate var restHint: [String] {
        frontBeginsLine
            ? []
            : ["this is the rest of a line: its beginning has been read, and 'expect' stops behind what it has found"]
    }

    /// The bytes of a range of the inbox.
    func bytes(_ range: Range<Int>) -> [UInt8] {
        Array(channel.inbox.bytes(in: range))
    }

    /// The first line, whose text ends at `end`, without its ending.
    fileprivate func line(through end: Int) -> [UInt8] {
        var line = bytes(channel.inbox.front..<end)
        if framing == .line, line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }
}

/// The next line is exactly a text, or the next bytes are (`T< text`, `T< text\`).
final class LineMatcher: Matcher {
    private let text: [UInt8]
    private let hasEnding: Bool
    /// Whether the ending of a line that was read before has been passed over.
    private var hasPassedEnding = false

    init(text: [UInt8], hasEnding: Bool) {
        self.text = text
        self.hasEnding = hasEnding
    }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        let wantsEnding = text.first == UInt8(ascii: "\n") || text.first == UInt8(ascii: "\r")
        if !wantsEnding || hasEnding {
            guard case .at(let front) = session.lineFront(isWhole: isWhole) else { return .pending }
            if front > session.channel.inbox.front { hasPassedEnding = true }
            session.consume(through: front)
        }
        return hasEnding ? checkLine(session, isWhole: isWhole) : checkBytes(session, isWhole: isWhole)
    }

    private func checkLine(_ session: Session, isWhole: Bool) -> Progress {
        let inbox = session.channel.inbox
        guard let end = inbox.nextLineEnd() else {
            guard isWhole, !inbox.isEmpty else { return .pending }
            let rest = Array(inbox.bytes.prefix(1024))
            if session.inputHasEnded, rest == text {
                return .failed(
                    "no newline at the end",
                    details: ["to expect it so, write: \(session.name)< \(Escapes.escaped(rest, isPart: true))"])
            }
            return session.inputHasEnded || !text.starts(with: rest)
                ? difference(session, rest, isPart: true) : .pending
        }
        let line = inbox.bytes.prefix(end.text - inbox.front)
        let hasReturn = session.framing == .line && line.last == UInt8(ascii: "\r")
        let length = hasReturn ? line.count - 1 : line.count
        // The line feed at the end of a datagram belongs to its ending, unless the text asks for it.
        let isWholeDatagram = session.framing == .datagram && bytesEqual(inbox, end, text)
        guard isWholeDatagram || line.prefix(length).elementsEqual(text) else {
            return difference(session, Array(line.prefix(length)), isPart: false)
        }
        return .matched(Match(start: inbox.front, end: end.next, takesMessage: end.text == end.next))
    }

    private func bytesEqual(_ inbox: Inbox, _ end: Inbox.LineEnd, _ text: [UInt8]) -> Bool {
        inbox.bytes.prefix(end.next - inbox.front).elementsEqual(text)
    }

    private func checkBytes(_ session: Session, isWhole: Bool) -> Progress {
        let inbox = session.channel.inbox
        let arrived = Array(inbox.bytes.prefix(text.count))
        if arrived == text { return .matched(Match(start: inbox.front, end: inbox.front + text.count)) }
        if text.starts(with: arrived) { return .pending }
        // The words show the whole line, so that any split of the stream gives the same failure.
        guard let end = inbox.nextLineEnd() else {
            return isWhole ? difference(session, Array(inbox.bytes.prefix(1024)), isPart: true) : .pending
        }
        return difference(session, session.line(through: end.text), isPart: false)
    }

    private func difference(_ session: Session, _ arrived: [UInt8], isPart: Bool) -> Progress {
        var wanted = "\(session.name)< \(Escapes.escaped(text, isPart: !hasEnding))"
        var shown = "\(session.name)< \(Escapes.escaped(arrived, isPart: isPart))"
        // Characters that are composed in another way look the same: then the bytes tell them apart.
        if wanted == shown, !wanted.utf8.elementsEqual(shown.utf8) {
            wanted = "\(session.name)< \(Escapes.escapedToASCII(text, isPart: !hasEnding))"
            shown = "\(session.name)< \(Escapes.escapedToASCII(arrived, isPart: isPart))"
        }
        let same = zip(wanted.unicodeScalars, shown.unicodeScalars).prefix { $0 == $1 }.count
        return .differs(
            "the line differs",
            details: [
                "expected: " + wanted, "arrived:  " + shown,
                "          " + String(repeating: " ", count: same) + "^",
            ] + session.restHint
                + (text.isEmpty && hasPassedEnding
                    ? ["the ending of the line that was read in part has been passed over: it is no line of its own"]
                    : []))
    }
}

/// The next line matches a regex (`T<~ regex`).
final class LinePatternMatcher: Matcher {
    private let regex: Regex
    private let source: String

    init(regex: Regex, source: String) {
        self.regex = regex
        self.source = source
    }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        guard case .at(let front) = session.lineFront(isWhole: isWhole) else { return .pending }
        session.consume(through: front)
        let inbox = session.channel.inbox
        let end = inbox.nextLineEnd()
        guard let textEnd = end?.text ?? (session.inputHasEnded && !inbox.isEmpty ? inbox.end : nil) else {
            return .pending
        }
        let line = session.line(through: textEnd)
        let outcome = line.withUnsafeBytes {
            regex.search($0, from: 0, isWhole: true, beginsLine: session.frontBeginsLine)
        }
        switch outcome {
        case .match(let groups):
            return .matched(
                Match(
                    start: inbox.front, end: end?.next ?? textEnd,
                    takesMessage: end.map { $0.text == $0.next } ?? false,
                    captures: groups.map { $0.map { Array(line[$0]) } }, groups: regex.groups))
        case .limit(let why): return .failed("the pattern was given up: \(why)", details: ["pattern: \(source)"])
        case .none, .partial:
            return .differs(
                "the line does not match",
                details: [
                    "expected: \(session.name)<~ \(source)",
                    "arrived:  \(session.name)< \(Escapes.escaped(Array(line.prefix(1024))))"
                        + (end == nil ? "\\" : ""),
                ] + session.restHint)
        }
    }
}

/// The stream ends, or is reset; strictly now, or after whatever is still unread.
final class EndMatcher: Matcher {
    private let wantsReset: Bool
    private let isStrict: Bool

    init(wantsReset: Bool, isStrict: Bool) {
        self.wantsReset = wantsReset
        self.isStrict = isStrict
    }

    var acceptsEnd: Bool { true }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        let inbox = session.channel.inbox
        if session.framing.isDatagram { return .failed("UDP has no end of stream") }
        if isStrict {
            guard case .at(let front) = session.lineFront(isWhole: isWhole) else { return .pending }
            session.consume(through: front)
            guard inbox.isEmpty else {
                return .failed("more data instead of the \(wantsReset ? "reset" : "end of the stream")")
            }
        }
        switch session.channel.input {
        case .open: return .pending
        case .ended where !wantsReset, .reset where wantsReset:
            return .matched(Match(start: inbox.end, end: inbox.end, takesEnd: true))
        case .ended: return .failed("the peer ended its side in order, without a reset")
        case .reset: return .failed("reset by the peer, not ended in order")
        case .cut where wantsReset: return .matched(Match(start: inbox.end, end: inbox.end, takesEnd: true))
        case .cut:
            return .failed(
                "cut without close_notify, not ended in order",
                details: ["if its peer ends so, say: set \(session.name) cut-is-eof on"])
        case .failed, .oversized, .closed: return .failed(session.inputState)
        }
    }

    func makeRoom(_ session: Session) -> Bool {
        guard !isStrict else { return false }
        session.consume(through: session.channel.inbox.end)
        return true
    }
}

/// The next N bytes.
final class BytesMatcher: Matcher {
    private let count: Int

    init(count: Int) {
        self.count = count
    }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        let inbox = session.channel.inbox
        guard inbox.count >= count else { return .pending }
        let end = inbox.front + count
        return .matched(Match(start: inbox.front, end: end, captures: [session.bytes(inbox.front..<end)]))
    }
}

/// The next N lines; they are captured without the ending of the last one.
final class LinesMatcher: Matcher {
    private let count: Int
    private var found = 0
    /// Lines have been found through this position, with the front where it was.
    private var searched = 0
    private var front = 0

    init(count: Int) {
        self.count = count
    }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        let inbox = session.channel.inbox
        if found == 0 {
            guard case .at(let front) = session.lineFront(isWhole: isWhole) else { return .pending }
            session.consume(through: front)
        }
        if let ends = inbox.messageEnds { return check(messages: Array(ends.prefix(count)), session) }
        if front != inbox.front {
            front = inbox.front
            found = 0
            searched = front
        }
        while found < count {
            guard let feed = inbox.bytes(from: searched).firstIndex(of: UInt8(ascii: "\n")) else { break }
            searched += feed + 1
            found += 1
        }
        guard found == count else { return .pending }
        let text = count == 0 ? [] : session.bytes(front..<(searched - 1))
        return .matched(Match(start: front, end: searched, captures: [Self.withoutCarriageReturns(text)]))
    }

    private func check(messages ends: [Int], _ session: Session) -> Progress {
        guard ends.count == count else { return .pending }
        let front = session.channel.inbox.front
        let inbox = session.channel.inbox
        let lines = zip([front] + ends, ends).map { session.bytes($0..<inbox.textEnd(ofMessage: $0..<$1)) }
        let end = ends.last ?? front
        return .matched(
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
final class NothingMatcher: Matcher {
    var acceptsEnd: Bool { true }
    var succeedsLate: Bool { true }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        guard case .at(let front) = session.lineFront(isWhole: isWhole) else { return .pending }
        session.consume(through: front)
        let inbox = session.channel.inbox
        if !inbox.isEmpty || inbox.messageEnds?.isEmpty == false { return .failed("something arrived") }
        // A stream that has ended brings nothing more.
        let isOver = session.inputHasEnded || isWhole
        return isOver ? .matched(Match(start: inbox.front, end: inbox.front)) : .pending
    }
}

/// Something is not found until the deadline; what arrives stays unread.
final class NotMatcher: Matcher {
    private let unwanted: any Matcher
    private let description: String

    init(_ unwanted: any Matcher, description: String) {
        self.unwanted = unwanted
        self.description = description
    }

    var acceptsEnd: Bool { true }
    var succeedsLate: Bool { true }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        let progress = unwanted.check(session, isWhole: isWhole)
        switch progress {
        case .matched: return .failed("\(description) arrived")
        case .failed, .differs: return progress
        case .pending where isWhole:
            let front = session.channel.inbox.front
            return .matched(Match(start: front, end: front))
        case .pending: return .pending
        }
    }

    func makeRoom(_ session: Session) -> Bool { unwanted.makeRoom(session) }
}
