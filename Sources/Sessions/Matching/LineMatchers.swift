import Reactor
import Results
import Script
import Wire

/// Matches if the next line is exactly a text, or the next bytes are (`T< text`, `T< text\`).
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
                        "to expect the line without a newline, write: \(feed.session.name)< \(Escapes.escaped(Array(rest), isPart: true))"
                    ])
            }
            return feed.hasEnded || !text.starts(with: rest)
                ? difference(feed, front, front..<inbox.end, next: nil) : .pending(from: front)
        }
        let line = inbox.bytes(in: front..<end.text)
        let hasReturn = feed.framing == .line && line.last == UInt8(ascii: "\r")
        // The line feed at the end of a datagram belongs to its ending, unless the text includes it.
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
        // The failure shows the whole line, so it is the same for any split of the stream.
        guard let end = feed.lineEnd(from: front) else {
            return isWhole ? difference(feed, front, front..<feed.inbox.end, next: nil) : .pending(from: front)
        }
        return difference(feed, front, front..<end.text, next: end.next)
    }

    /// A hint if the expected text is what arrived, followed by a time limit.
    private func limitHint(_ feed: Feed, _ range: Range<Int>) -> [String] {
        let arrived = Array(feed.inbox.bytes(in: range))
        let rest = Array(" within ".utf8)
        guard text.starts(with: arrived + rest),
            Literals.duration(String(decoding: text[(arrived.count + rest.count)...], as: UTF8.self)) != nil
        else { return [] }
        let limit = String(decoding: text[(arrived.count + 1)...], as: UTF8.self)
        return ["a line after an arrow has no limit; write: expect \(feed.session.name) \"…\" \(limit)"]
    }

    private func difference(_ feed: Feed, _ front: Int, _ range: Range<Int>, next: Int?) -> Finding {
        let hasPassedEnding = front > feed.inbox.front
        let hints =
            feed.restHint(at: front)
            + (text.isEmpty && hasPassedEnding
                ? ["the line ending left over from an earlier match was skipped: it does not count as a line"] : [])
            + limitHint(feed, range)
        return .differs(
            "the line differs", feed.mismatch(.text(text, isPart: !hasEnding), range, next: next), hints: hints)
    }
}

/// Matches if the next line matches a regex (`T<~ regex`).
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
        case .none, .partial, .paused:
            return .differs(
                "the line does not match", feed.mismatch(.pattern(source), front..<textEnd, next: end?.next),
                hints: feed.restHint(at: front))
        }
    }
}
