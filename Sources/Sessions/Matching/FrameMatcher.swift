import Reactor
import Results
import Script
import Wire

/// Matches the next frame of a format; the bytes that belong to it are consumed, and its content is captured.
package final class FrameMatcher: Matcher {
    private let format: FrameFormat
    /// How many bytes after `front` contain no end, in this revision of the inbox.
    private var searched = 0
    private var front = -1
    private var revision = 0

    package init(_ format: FrameFormat) {
        self.format = format
    }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        if inbox.front != front || inbox.revision != revision {
            (front, revision, searched) = (inbox.front, inbox.revision, 0)
        }
        switch format.front(of: inbox.bytes, searched: searched) {
        case .invalid: return .impossible("the length of the frame is too large")
        case .incomplete(let length) where length > inbox.limit:
            return .impossible(
                "a frame of \(shown(bytes: length)) is longer than the inbox (\(shown(bytes: inbox.limit)))")
        case .incomplete:
            searched = inbox.count
            return .pending(from: front)
        case .frame(let content, let next):
            let bytes = feed.bytes((front + content.lowerBound)..<(front + content.upperBound))
            return .found(Match(start: front, end: front + next, captures: [bytes]))
        }
    }
}

/// Matches everything up to the end of the stream, which it takes too.
package final class RestMatcher: Matcher {
    package init() {}

    package var acceptsEnd: Bool { true }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        if !feed.framing.hasEnd { return .impossible("UDP has no end of stream") }
        guard feed.hasEnded else { return .pending(from: inbox.front) }
        switch feed.session.channel.input {
        case .open: return .pending(from: inbox.front)
        case .ended:
            return .found(
                Match(start: inbox.front, end: inbox.end, takesEnd: true, captures: [Array(inbox.bytes)]))
        case .reset: return .impossible("expected the end of the stream, got a reset")
        case .cut, .failed, .oversized, .closed: return .impossible(feed.session.inputState)
        }
    }
}

/// Skips whole lines until one matches, and consumes that with its ending.
package final class LineSearch: Matcher {
    /// What the line has to contain.
    package enum Wanted {
        case text([UInt8])
        case regex(Regex, source: String)
    }

    private let wanted: Wanted
    /// No line before this position matches, in this revision of the inbox.
    private var searched = 0
    private var revision = 0

    package init(_ wanted: Wanted) {
        self.wanted = wanted
    }

    package func neededFrom(_ feed: Feed) -> Int { max(searched, feed.inbox.front) }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        if revision != inbox.revision { (revision, searched) = (inbox.revision, 0) }
        var position = searched
        if position <= inbox.front {
            guard case .at(let front) = feed.lineFront(isWhole: isWhole) else { return .pending(from: inbox.front) }
            position = front
        }
        let began = feed.session.clock()
        while true {
            let end = feed.lineEnd(from: position)
            // The last line of a stream may have no ending.
            guard let textEnd = end?.text ?? (feed.hasEnded && position < inbox.end ? inbox.end : nil) else {
                searched = position
                return .pending(from: position)
            }
            let next = end?.next ?? textEnd
            let line = feed.text(position..<textEnd)
            switch match(line) {
            case .found(let captures, let groups):
                return .found(
                    Match(
                        start: position, end: next, takesMessage: textEnd == next && end != nil, captures: captures,
                        groups: groups))
            case .tooComplex(let why, let source): return .tooComplex(why, source)
            case .none: break
            }
            // An empty message has no bytes to move over.
            guard next > position else { return .impossible("an empty message does not match") }
            position = next
            searched = next
            guard feed.session.clock() - began < .milliseconds(50) else { return .unfinished }
        }
    }

    private enum Outcome {
        case none
        case found([[UInt8]?], [(name: String, number: Int)])
        case tooComplex(String, String)
    }

    private func match(_ line: [UInt8]) -> Outcome {
        switch wanted {
        case .text(let text):
            let place = line.withUnsafeBytes { line in text.withUnsafeBytes { find($0, in: line) } }
            return place == nil ? .none : .found([text], [])
        case .regex(let regex, let source):
            switch line.withUnsafeBytes({ regex.search($0, from: 0, isWhole: true, beginsLine: true) }) {
            case .match(let groups): return .found(groups.map { $0.map { Array(line[$0]) } }, regex.groups)
            case .limit(let why): return .tooComplex(why, source)
            case .none, .partial, .paused: return .none
            }
        }
    }
}
