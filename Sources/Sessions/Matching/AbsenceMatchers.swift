import Reactor
import Results
import Script
import Wire

/// Matches if nothing arrives until the deadline.
package final class NothingMatcher: Matcher {
    package init() {}

    package var acceptsEnd: Bool { true }
    package var succeedsLate: Bool { true }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let inbox = feed.inbox
        guard case .at(let front) = feed.lineFront(isWhole: isWhole) else { return .pending(from: inbox.front) }
        let hasMessage = inbox.messageEnds?.contains { front == inbox.front || $0 > front } ?? false
        if front < inbox.end || hasMessage {
            return .impossible(
                front < feed.sendMark ? "unread data from before the last send" : "something arrived")
        }
        // No more data arrives after the end of a stream.
        let isOver = feed.hasEnded || isWhole
        return isOver ? .found(Match(start: front, end: front)) : .pending(from: front)
    }
}

/// Matches if something is not found until the deadline; arriving data stays unread.
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
        case .unfinished: return finding
        case .pending where isWhole: return .found(Match(start: feed.inbox.front, end: feed.inbox.front))
        case .pending: return finding
        }
    }

    package func neededFrom(_ feed: Feed) -> Int { unwanted.neededFrom(feed) }
}

/// Matches everything until nothing has arrived for a while, or the stream has ended.
package final class SilenceMatcher: AwaitsSilence {
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
