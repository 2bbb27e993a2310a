import CPlatform
import Reactor
import Script
import Wire

/// How far a matcher has come.
enum Progress {
    case matched
    /// More data could decide it.
    case pending
    /// It cannot be met any more; the words say how, with what was wanted and what arrived below.
    case failed(String, details: [String] = [])
}

/// Looks for one thing at the front of one session's inbox, going on where it stopped.
protocol Matcher: AnyObject {
    /// `isWhole`: nothing more will come, or nothing more is waited for, so that what is there counts as it is.
    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress
    /// Gives up what can be, because the inbox is full; false when nothing can.
    func makeRoom(_ conversation: Conversation) -> Bool
    /// Whether the end of the stream is no failure by itself.
    var acceptsEnd: Bool { get }
    /// Whether reaching the deadline is success.
    var succeedsLate: Bool { get }
}

extension Matcher {
    func makeRoom(_ conversation: Conversation) -> Bool { false }
    var acceptsEnd: Bool { false }
    var succeedsLate: Bool { false }
}

/// Where the next line begins, after the rest of a line of which only the ending is left.
private enum LineFront {
    case at(Int)
    /// A carriage return is there, and what follows it is not known.
    case unknown
}

extension Conversation {
    /// The line words pass over a line's ending when that is all that is left of the line.
    fileprivate func lineFront(isWhole: Bool) -> LineFront {
        let inbox = session.inbox
        guard !frontBeginsLine, let first = inbox.bytes.first else { return .at(inbox.front) }
        if first == UInt8(ascii: "\n") { return .at(inbox.front + 1) }
        guard first == UInt8(ascii: "\r") else { return .at(inbox.front) }
        if inbox.count == 1 { return isWhole ? .at(inbox.front) : .unknown }
        return .at(inbox.bytes[1] == UInt8(ascii: "\n") ? inbox.front + 2 : inbox.front)
    }

    /// The bytes of a range of the inbox.
    fileprivate func bytes(_ range: Range<Int>) -> [UInt8] {
        Array(session.inbox.bytes(from: range.lowerBound).prefix(range.count))
    }

    /// The line that ends with the line feed at `end`, without its ending.
    fileprivate func line(through end: Int) -> [UInt8] {
        var line = bytes(session.inbox.front..<end)
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }
}

/// The next line is exactly a text, or the next bytes are (`T< text`, `T< text\`).
final class LineMatcher: Matcher {
    private let text: [UInt8]
    private let hasEnding: Bool

    init(text: [UInt8], hasEnding: Bool) {
        self.text = text
        self.hasEnding = hasEnding
    }

    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress {
        let wantsEnding = text.first == UInt8(ascii: "\n") || text.first == UInt8(ascii: "\r")
        if !wantsEnding || hasEnding {
            guard case .at(let front) = conversation.lineFront(isWhole: isWhole) else { return .pending }
            conversation.consume(through: front)
        }
        return hasEnding ? checkLine(conversation, isWhole: isWhole) : checkBytes(conversation, isWhole: isWhole)
    }

    private func checkLine(_ conversation: Conversation, isWhole: Bool) -> Progress {
        let inbox = conversation.session.inbox
        guard let end = inbox.nextLineFeed() else {
            guard isWhole, !inbox.isEmpty else { return .pending }
            let rest = Array(inbox.bytes.prefix(1024))
            if conversation.inputHasEnded, rest == text {
                return .failed(
                    "no newline at the end",
                    details: ["to expect it so, write: \(conversation.name)< \(Escapes.escaped(rest, isPart: true))"])
            }
            return conversation.inputHasEnded || !text.starts(with: rest)
                ? difference(conversation, rest, isPart: true) : .pending
        }
        let line = inbox.bytes.prefix(end - inbox.front)
        let length = line.last == UInt8(ascii: "\r") ? line.count - 1 : line.count
        guard line.prefix(length).elementsEqual(text) else {
            return difference(conversation, Array(line.prefix(length)), isPart: false)
        }
        conversation.consume(through: end + 1)
        return .matched
    }

    private func checkBytes(_ conversation: Conversation, isWhole: Bool) -> Progress {
        let inbox = conversation.session.inbox
        let arrived = Array(inbox.bytes.prefix(text.count))
        if arrived == text {
            conversation.consume(through: inbox.front + text.count)
            return .matched
        }
        if text.starts(with: arrived) { return .pending }
        // The words show the whole line, so that any split of the stream gives the same failure.
        guard let end = inbox.nextLineFeed() else {
            return isWhole ? difference(conversation, Array(inbox.bytes.prefix(1024)), isPart: true) : .pending
        }
        return difference(conversation, conversation.line(through: end), isPart: false)
    }

    private func difference(_ conversation: Conversation, _ arrived: [UInt8], isPart: Bool) -> Progress {
        let wanted = "\(conversation.name)< \(Escapes.escaped(text, isPart: !hasEnding))"
        let shown = "\(conversation.name)< \(Escapes.escaped(arrived, isPart: isPart))"
        let same = zip(wanted.unicodeScalars, shown.unicodeScalars).prefix { $0 == $1 }.count
        return .failed(
            "the line differs",
            details: [
                "expected: " + wanted, "arrived:  " + shown,
                "          " + String(repeating: " ", count: same) + "^",
            ])
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

    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress {
        guard case .at(let front) = conversation.lineFront(isWhole: isWhole) else { return .pending }
        conversation.consume(through: front)
        let inbox = conversation.session.inbox
        let feed = inbox.nextLineFeed()
        guard let end = feed ?? (conversation.inputHasEnded && !inbox.isEmpty ? inbox.end : nil) else {
            return .pending
        }
        let line = conversation.line(through: end)
        let outcome = line.withUnsafeBytes {
            regex.search($0, from: 0, isWhole: true, beginsLine: conversation.frontBeginsLine)
        }
        switch outcome {
        case .match(let groups):
            strand.capture(groups.map { $0.map { Array(line[$0]) } }, groups: regex.groups)
            conversation.consume(through: feed.map { $0 + 1 } ?? end)
            return .matched
        case .limit(let why): return .failed("the pattern was given up: \(why)", details: ["pattern: \(source)"])
        case .none, .partial:
            return .failed(
                "the line does not match",
                details: [
                    "expected: \(conversation.name)<~ \(source)",
                    "arrived:  \(conversation.name)< \(Escapes.escaped(Array(line.prefix(1024))))"
                        + (feed == nil ? "\\" : ""),
                ])
        }
    }
}

/// Skips ahead to a text and consumes through it.
final class TextSearch: Matcher {
    private let text: [UInt8]
    /// No occurrence begins before this position.
    private var searched = 0

    init(text: [UInt8]) {
        self.text = text
    }

    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress {
        let inbox = conversation.session.inbox
        let start = max(searched, inbox.front)
        let unseen = inbox.bytes(from: start)
        guard let base = unseen.baseAddress, unseen.count >= text.count,
            let found = text.withUnsafeBytes({ c_memmem(base, unseen.count, $0.baseAddress, $0.count) })
        else {
            searched = max(start, inbox.end - text.count + 1)
            return .pending
        }
        strand.capture([text])
        conversation.consume(through: start + (found - base) + text.count)
        return .matched
    }

    func makeRoom(_ conversation: Conversation) -> Bool {
        guard searched > conversation.session.inbox.front else { return false }
        conversation.consume(through: searched)
        return true
    }
}

/// Skips ahead to a match of a regex and consumes through it.
final class PatternSearch: Matcher {
    private let regex: Regex
    private let source: String
    /// No match begins before this position.
    private var searched = 0

    init(regex: Regex, source: String) {
        self.regex = regex
        self.source = source
    }

    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress {
        let inbox = conversation.session.inbox
        let start = max(searched, inbox.front)
        // Behind the front, the pattern sees a little of what it has searched: for ^, \b and look-behind. So the
        // front of the subject is the front of what is unread exactly when nothing was searched before.
        let context = max(inbox.front, start - regex.lookbehind)
        let subject = inbox.bytes(from: context)
        let beginsLine =
            context == inbox.front
            ? conversation.frontBeginsLine || conversation.frontFollowsReturn : inbox.beginsLine(at: context)
        switch regex.search(subject, from: start - context, isWhole: isWhole, beginsLine: beginsLine) {
        case .match(let groups):
            let values = groups.map { $0.map { Array(subject[$0]) } }
            strand.capture(values, groups: regex.groups)
            conversation.consume(through: context + (groups[0]?.upperBound ?? 0))
            return .matched
        case .partial(let begin):
            searched = context + begin
            return .pending
        case .none:
            // Behind a carriage return a line feed may come: then no line begins between the two.
            searched = inbox.bytes.last == UInt8(ascii: "\r") ? max(start, inbox.end - 1) : inbox.end
            return .pending
        case .limit(let why):
            return .failed("the pattern was given up: \(why)", details: ["pattern: \(source)"])
        }
    }

    func makeRoom(_ conversation: Conversation) -> Bool {
        let keep = max(conversation.session.inbox.front, searched - regex.lookbehind)
        guard keep > conversation.session.inbox.front else { return false }
        conversation.consume(through: keep)
        return true
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

    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress {
        let inbox = conversation.session.inbox
        if isStrict {
            guard case .at(let front) = conversation.lineFront(isWhole: isWhole) else { return .pending }
            conversation.consume(through: front)
            guard inbox.isEmpty else {
                return .failed("more data instead of the \(wantsReset ? "reset" : "end of the stream")")
            }
        }
        switch conversation.session.input {
        case .open: return .pending
        case .ended where !wantsReset, .reset where wantsReset:
            conversation.consume(through: inbox.end)
            return .matched
        case .ended: return .failed("the peer ended its side in order, without a reset")
        case .reset: return .failed("reset by the peer, not ended in order")
        case .failed, .closed: return .failed(conversation.inputState)
        }
    }

    func makeRoom(_ conversation: Conversation) -> Bool {
        guard !isStrict else { return false }
        conversation.consume(through: conversation.session.inbox.end)
        return true
    }
}

/// The next N bytes.
final class BytesMatcher: Matcher {
    private let count: Int

    init(count: Int) {
        self.count = count
    }

    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress {
        let inbox = conversation.session.inbox
        guard inbox.count >= count else { return .pending }
        strand.capture([conversation.bytes(inbox.front..<(inbox.front + count))])
        conversation.consume(through: inbox.front + count)
        return .matched
    }
}

/// The next N lines; they are captured without the ending of the last one.
final class LinesMatcher: Matcher {
    private let count: Int
    private var found = 0
    /// Lines have been found through this position.
    private var searched = 0

    init(count: Int) {
        self.count = count
    }

    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress {
        let inbox = conversation.session.inbox
        if found == 0 {
            guard case .at(let front) = conversation.lineFront(isWhole: isWhole) else { return .pending }
            conversation.consume(through: front)
        }
        var position = max(searched, inbox.front)
        while found < count {
            let unseen = inbox.bytes(from: position)
            guard let feed = unseen.firstIndex(of: UInt8(ascii: "\n")) else { break }
            position += feed + 1
            found += 1
        }
        searched = found == count ? position : max(position, inbox.front)
        guard found == count else { return .pending }
        let text = count == 0 ? [] : conversation.bytes(inbox.front..<(position - 1))
        strand.capture([Self.withoutCarriageReturns(text)])
        conversation.consume(through: position)
        return .matched
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

    func check(_ conversation: Conversation, _ strand: Strand, isWhole: Bool) -> Progress {
        guard case .at(let front) = conversation.lineFront(isWhole: isWhole) else { return .pending }
        conversation.consume(through: front)
        if !conversation.session.inbox.isEmpty { return .failed("something arrived") }
        // A stream that has ended brings nothing more.
        return conversation.inputHasEnded || isWhole ? .matched : .pending
    }
}
