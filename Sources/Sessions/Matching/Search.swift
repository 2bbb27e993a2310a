import Reactor
import CPlatform
import Results
import Script
import Wire

/// Skips ahead to a text and consumes through it.
package final class TextSearch: Matcher {
    private let text: [UInt8]
    private let isHex: Bool
    /// No occurrence begins before this position, in this revision of the inbox.
    private var searched = 0
    private var revision = 0
    /// For each prefix of the text, the length of its longest proper prefix that is also its suffix (Knuth, Morris and
    /// Pratt).
    private lazy var borders = Self.borders(of: text)

    private static let maxCompared = 4096

    /// - Parameter isHex: whether the script gave the text in hexadecimal; failures then show it in hexadecimal.
    package init(text: [UInt8], isHex: Bool = false) {
        self.text = text
        self.isHex = isHex
    }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        if revision != inbox.revision { (revision, searched) = (inbox.revision, 0) }
        if feed.searchesMessages {
            return feed.searchMessages(&searched) { message in
                find(in: message).map { [$0..<($0 + text.count)] }
            }
        }
        let start = max(searched, inbox.front)
        guard let found = find(in: inbox.bytes(from: start)) else {
            searched = max(start, inbox.end - text.count + 1)
            return .pending(from: inbox.end - frontAtEnd(of: inbox.bytes(from: searched)))
        }
        return .found(Match(start: start + found, end: start + found + text.count, captures: [text]))
    }

    package func neededFrom(_ feed: Feed) -> Int { max(searched, feed.inbox.front) }

    /// For bytes given in hexadecimal, returns the place where their longest prefix has arrived.
    package func nearest(in feed: Feed) -> Mismatch? {
        let bytes = UnsafeRawBufferPointer(rebasing: feed.inbox.bytes.prefix(Self.maxCompared))
        guard isHex, !bytes.isEmpty else { return nil }
        var best = (start: 0, length: 0)
        for start in bytes.indices where bytes[start] == text[0] {
            let length = zip(bytes[start...], text).prefix { $0 == $1 }.count
            if length > best.length { best = (start, length) }
        }
        let arrived = Array(bytes[best.start...].prefix(text.count))
        return Mismatch(session: feed.session.name, expected: .hex(text), arrived: arrived, isPart: true)
    }

    private func find(in bytes: UnsafeRawBufferPointer) -> Int? {
        text.withUnsafeBytes { Sessions.find($0, in: bytes) }
    }

    /// Returns the length of the longest prefix of the text that `bytes` end with.
    private func frontAtEnd(of bytes: UnsafeRawBufferPointer) -> Int {
        var length = 0
        for byte in bytes {
            while length > 0, byte != text[length] { length = borders[length - 1] }
            if byte == text[length] { length += 1 }
            if length == text.count { length = borders[length - 1] }
        }
        return length
    }

    private static func borders(of text: [UInt8]) -> [Int] {
        var borders = [Int](repeating: 0, count: text.count)
        var length = 0
        for index in text.indices.dropFirst() {
            while length > 0, text[index] != text[length] { length = borders[length - 1] }
            if text[index] == text[length] { length += 1 }
            borders[index] = length
        }
        return borders
    }
}

/// Returns where `text` first occurs in `bytes`, or nil (memmem(3)).
func find(_ text: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress, bytes.count >= text.count else { return nil }
    return c_memmem(base, bytes.count, text.baseAddress, text.count).map { $0 - base }
}

/// Skips ahead to a match of a regex and consumes through it.
package final class PatternSearch: Matcher {
    private let regex: Regex
    private let source: String
    /// No match begins before this position, in this revision of the inbox.
    private var searched = 0
    private var revision = 0
    /// Whether the search began in the middle of a line.
    private var beganInLine = false

    package init(regex: Regex, source: String) {
        self.regex = regex
        self.source = source
    }

    package var hint: String? {
        beganInLine && source.contains("^")
            ? "the unread data begins in the middle of a line, where ^ does not match" : nil
    }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        if revision != inbox.revision { (revision, searched) = (inbox.revision, 0) }
        if feed.searchesMessages { return searchMessages(of: feed) }
        let start = max(searched, inbox.front)
        // Before `start`, the pattern sees up to `lookbehind` searched bytes: for ^, \b and look-behind. The subject
        // begins at the front of the unread data if there are no more searched bytes than that.
        let context = max(inbox.front, start - regex.lookbehind)
        let subject = inbox.bytes(from: context)
        let beginsLine =
            context == inbox.front
            ? feed.frontBeginsLine || feed.frontFollowsReturn : inbox.beginsLine(at: context)
        if searched == 0, !inbox.isEmpty { beganInLine = !beginsLine }
        switch regex.search(subject, from: start - context, isWhole: isWhole, beginsLine: beginsLine, mayPause: true) {
        case .match(let groups):
            let values = groups.map { $0.map { Array(subject[$0]) } }
            let whole = groups[0] ?? 0..<0
            return .found(
                Match(
                    start: context + whole.lowerBound, end: context + whole.upperBound, captures: values,
                    groups: regex.groups))
        case .partial(let begin):
            searched = resumption(at: context + begin, from: start, in: inbox)
            return .pending(from: searched)
        case .none:
            searched = resumption(at: inbox.end, from: start, in: inbox)
            return .pending(from: searched)
        case .paused(let next):
            searched = context + next
            return .unfinished
        case .limit(let why): return .tooComplex(why, source)
        }
    }

    package func neededFrom(_ feed: Feed) -> Int { max(feed.inbox.front, searched - regex.lookbehind) }

    /// Returns where the search resumes: a line feed may follow a carriage return, and then no line begins between the
    /// two.
    private func resumption(at position: Int, from start: Int, in inbox: Inbox) -> Int {
        position == inbox.end && inbox.bytes.last == UInt8(ascii: "\r") ? max(start, position - 1) : position
    }

    private func searchMessages(of feed: Feed) -> Finding {
        var limit: String?
        let finding = feed.searchMessages(&searched, groups: regex.groups) { message in
            switch regex.search(message, from: 0, isWhole: true, beginsLine: true) {
            case .match(let groups): return groups
            case .limit(let why): limit = why
            case .none, .partial, .paused: break
            }
            return nil
        }
        if let limit { return .tooComplex(limit, source) }
        return finding
    }
}

extension Feed {
    /// How long messages are searched before other work gets a turn.
    private static let slice = Duration.milliseconds(50)

    /// Whether each message is searched separately: a match lies within one message.
    fileprivate var searchesMessages: Bool { framing.format != nil || framing.keepsMessages }

    /// Searches the messages that end after `searched`; `find` returns the ranges of a match and its groups.
    fileprivate func searchMessages(
        _ searched: inout Int, groups: [(name: String, number: Int)] = [],
        find: (UnsafeRawBufferPointer) -> [Range<Int>?]?
    ) -> Finding {
        guard let ends = inbox.messageEnds, let last = ends.last else { return .pending(from: inbox.end) }
        var index = ends.firstIndex(after: searched)
        let began = session.clock()
        while index < ends.endIndex {
            guard session.clock() - began < Self.slice else {
                searched = ends[index - 1]
                return .unfinished
            }
            let start = index == ends.startIndex ? inbox.front : ends[index - 1]
            let message = inbox.bytes(in: start..<ends[index])
            if let ranges = find(message), let whole = ranges.first ?? nil {
                return .found(
                    Match(
                        start: start + whole.lowerBound, end: start + whole.upperBound,
                        captures: ranges.map { $0.map { Array(message[$0]) } }, groups: groups))
            }
            index += 1
        }
        searched = last
        return .pending(from: last)
    }
}

extension RandomAccessCollection where Element == Int, Index == Int {
    /// Returns the index of the first element greater than `value`; the elements are in ascending order.
    fileprivate func firstIndex(after value: Int) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if self[middle] > value { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
