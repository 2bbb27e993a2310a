import Reactor
import Results
import Script
import Wire

/// Matches the end of the stream, a reset, or either: with `isStrict` only if nothing is unread, otherwise after any unread
/// data.
package final class EndMatcher: Matcher {
    private let wantsReset: Bool
    private let isStrict: Bool
    private let acceptsAny: Bool
    private let code: UInt16?

    /// - Parameter code: the close code that is due (WebSocket), or nil for any.
    package init(wantsReset: Bool, isStrict: Bool, acceptsAny: Bool = false, code: UInt16? = nil) {
        self.code = code
        self.wantsReset = wantsReset
        self.isStrict = isStrict
        self.acceptsAny = acceptsAny
    }

    package var acceptsEnd: Bool { true }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        if !feed.framing.hasEnd { return .impossible("UDP has no end of stream") }
        if isStrict {
            guard case .at(let front) = feed.lineFront(isWhole: isWhole) else { return .pending(from: inbox.front) }
            guard front == inbox.end, inbox.messageEnds?.isEmpty != false else {
                return .impossible("more data arrived instead of the \(wantsReset ? "reset" : "end of the stream")")
            }
        }
        guard feed.hasEnded else { return .pending(from: inbox.end) }
        switch feed.session.channel.input {
        case .open: return .pending(from: inbox.end)
        case .ended where code != nil && feed.session.channel.closing?.code != code:
            let given = feed.session.channel.closing?.description ?? "closed by the peer without a code"
            return .impossible("expected close code \(code ?? 0), but \(given)")
        case .ended where !wantsReset, .reset where wantsReset || acceptsAny, .cut where wantsReset || acceptsAny:
            return .found(Match(start: inbox.end, end: inbox.end, takesEnd: true))
        case .ended: return .impossible("expected a reset, got the end of the stream")
        case .reset: return .impossible("expected the end of the stream, got a reset")
        case .cut:
            return .impossible(
                "closed without \(feed.session.channel.kind.properEnd), not ended cleanly",
                hints: ["to accept this as the end of the stream, write: set \(feed.session.name) cut-is-eof on"])
        case .failed, .oversized, .closed: return .impossible(feed.session.inputState)
        }
    }

    package func neededFrom(_ feed: Feed) -> Int { isStrict ? feed.inbox.front : feed.inbox.end }
}

/// Matches the next N bytes.
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

/// Matches the next N lines; they are captured without the ending of the last one.
package final class LinesMatcher: Matcher {
    private let count: Int
    private var found = 0
    /// The position through which lines were found, valid for `front` and `revision`.
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
            guard let end = inbox.bytes(from: searched).firstIndex(of: UInt8(ascii: "\n")) else { break }
            searched += end + 1
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
