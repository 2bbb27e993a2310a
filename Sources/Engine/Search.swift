import CPlatform
import Script
import Wire

/// Skips ahead to a text and consumes through it.
final class TextSearch: Matcher {
    private let text: [UInt8]
    /// No occurrence begins before this position.
    private var searched = 0

    init(text: [UInt8]) {
        self.text = text
    }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        let inbox = session.channel.inbox
        if session.searchesMessages {
            return session.searchMessages(&searched) { message in
                find(in: message).map { [$0..<($0 + text.count)] }
            } ?? .pending
        }
        let start = max(searched, inbox.front)
        guard let found = find(in: inbox.bytes(from: start)) else {
            searched = max(start, inbox.end - text.count + 1)
            return .pending
        }
        return .matched(Match(start: start + found, end: start + found + text.count, captures: [text]))
    }

    private func find(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress, bytes.count >= text.count else { return nil }
        return text.withUnsafeBytes { c_memmem(base, bytes.count, $0.baseAddress, $0.count) }.map { $0 - base }
    }

    func makeRoom(_ session: Session) -> Bool {
        guard searched > session.channel.inbox.front else { return false }
        session.consume(through: searched)
        return true
    }
}

/// Skips ahead to a match of a regex and consumes through it.
final class PatternSearch: Matcher {
    private let regex: Regex
    private let source: String
    /// No match begins before this position.
    private var searched = 0
    /// The search began in the middle of a line.
    private var beganInLine = false

    init(regex: Regex, source: String) {
        self.regex = regex
        self.source = source
    }

    var hint: String? {
        beganInLine && source.contains("^")
            ? "what was unread began in the middle of a line, where ^ does not match" : nil
    }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        let inbox = session.channel.inbox
        if session.searchesMessages { return searchMessages(of: session) }
        let start = max(searched, inbox.front)
        // Behind the front, the pattern sees a little of what it has searched: for ^, \b and look-behind. So the
        // front of the subject is the front of what is unread exactly when nothing was searched before.
        let context = max(inbox.front, start - regex.lookbehind)
        let subject = inbox.bytes(from: context)
        let beginsLine =
            context == inbox.front
            ? session.frontBeginsLine || session.frontFollowsReturn : inbox.beginsLine(at: context)
        if searched == 0, !inbox.isEmpty { beganInLine = !beginsLine }
        switch regex.search(subject, from: start - context, isWhole: isWhole, beginsLine: beginsLine) {
        case .match(let groups):
            let values = groups.map { $0.map { Array(subject[$0]) } }
            let whole = groups[0] ?? 0..<0
            return .matched(
                Match(
                    start: context + whole.lowerBound, end: context + whole.upperBound, captures: values,
                    groups: regex.groups))
        case .partial(let begin):
            searched = resumption(at: context + begin, from: start, in: inbox)
            return .pending
        case .none:
            searched = resumption(at: inbox.end, from: start, in: inbox)
            return .pending
        case .limit(let why):
            return .failed("the pattern was given up: \(why)", details: ["pattern: \(source)"])
        }
    }

    /// Where the search goes on: after a carriage return a line feed may come, and then no line begins between the two.
    private func resumption(at position: Int, from start: Int, in inbox: Inbox) -> Int {
        position == inbox.end && inbox.bytes.last == UInt8(ascii: "\r") ? max(start, position - 1) : position
    }

    private func searchMessages(of session: Session) -> Progress {
        var limit: String?
        let progress = session.searchMessages(&searched, groups: regex.groups) { message in
            switch regex.search(message, from: 0, isWhole: true, beginsLine: true) {
            case .match(let groups): return groups
            case .limit(let why): limit = why
            case .none, .partial: break
            }
            return nil
        }
        if let limit { return .failed("the pattern was given up: \(limit)", details: ["pattern: \(source)"]) }
        return progress ?? .pending
    }

    func makeRoom(_ session: Session) -> Bool {
        let keep = max(session.channel.inbox.front, searched - regex.lookbehind)
        guard keep > session.channel.inbox.front else { return false }
        session.consume(through: keep)
        return true
    }
}

extension Session {
    /// Whether each message is searched alone: what is looked for lies in one of them.
    fileprivate var searchesMessages: Bool { framing.prefixLength != nil || framing.isDatagram }

    /// Searches the messages that end behind `searched`; `find` gives the ranges of a match and its groups.
    fileprivate func searchMessages(
        _ searched: inout Int, groups: [(name: String, number: Int)] = [],
        find: (UnsafeRawBufferPointer) -> [Range<Int>?]?
    ) -> Progress? {
        let inbox = channel.inbox
        guard let ends = inbox.messageEnds, let last = ends.last else { return nil }
        var index = ends.firstIndex(behind: searched)
        while index < ends.endIndex {
            let start = index == ends.startIndex ? inbox.front : ends[index - 1]
            let message = inbox.bytes(in: start..<ends[index])
            if let ranges = find(message), let whole = ranges.first ?? nil {
                return .matched(
                    Match(
                        start: start + whole.lowerBound, end: start + whole.upperBound,
                        captures: ranges.map { $0.map { Array(message[$0]) } }, groups: groups))
            }
            index += 1
        }
        searched = last
        return nil
    }
}

extension RandomAccessCollection where Element == Int, Index == Int {
    /// The index of the first element greater than `value`, in ascending elements.
    fileprivate func firstIndex(behind value: Int) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if self[middle] > value { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
