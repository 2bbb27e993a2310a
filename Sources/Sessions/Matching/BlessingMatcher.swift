import Reactor
import Results
import Script
import Wire

/// A matcher that waits for a silence besides the data.
package protocol AwaitsSilence: Matcher {
    /// The time at which the silence is long enough, if nothing more arrives.
    var due: Instant { get }
}

/// Matches any next line, or part of one, and keeps what it is: with --bless and --learn, one that differs is accepted.
package final class BlessingMatcher: AwaitsSilence {
    private let expected: LineMatcher
    private let isPart: Bool
    /// The arrow line of the script, and the text that it expects.
    package let arrow: ArrowLine
    package let text: [UInt8]
    /// What has arrived, without its ending; nil until then.
    package private(set) var actual: [UInt8]?
    /// Returns the values to be captured from what has arrived, with their names.
    private let captures: ([UInt8]) -> [(name: String, value: [UInt8])]
    private let clock: () -> Instant
    private var lastEnd = -1
    private var lastArrival: Instant

    /// A part of a line ends when nothing has arrived for this long.
    private static let silence = Duration.milliseconds(100)

    package init(
        _ arrow: ArrowLine, text: [UInt8], isPart: Bool = false, clock: @escaping () -> Instant,
        captures: @escaping ([UInt8]) -> [(name: String, value: [UInt8])] = { _ in [] }
    ) {
        expected = LineMatcher(text: text, hasEnding: !isPart)
        self.arrow = arrow
        self.text = text
        self.isPart = isPart
        self.captures = captures
        self.clock = clock
        lastArrival = clock()
    }

    package var due: Instant { lastArrival + Self.silence }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        let finding = expected.look(at: feed, isWhole: isWhole)
        if case .found(let match) = finding { return found(text, match) }
        guard case .at(let front) = feed.lineFront(isWhole: isWhole) else { return finding }
        if isPart { return part(of: feed, from: front) ?? finding }
        guard case .differs = finding, let end = feed.lineEnd(from: front) else { return finding }
        let line = feed.inbox.bytes(in: front..<end.text)
        let hasReturn = feed.framing == .line && line.last == UInt8(ascii: "\r")
        return found(
            Array(line.dropLast(hasReturn ? 1 : 0)),
            Match(start: front, end: end.next, takesMessage: end.text == end.next))
    }

    /// Returns the beginning of the line that has arrived, if that is all for now.
    private func part(of feed: Feed, from front: Int) -> Finding? {
        let inbox = feed.inbox
        if inbox.end != lastEnd {
            lastArrival = clock()
            lastEnd = inbox.end
        }
        let end = feed.lineEnd(from: front)?.text ?? inbox.end
        guard end > front, feed.hasEnded || clock() >= due else { return .pending(from: inbox.front) }
        return found(Array(inbox.bytes(in: front..<end)), Match(start: front, end: end))
    }

    private func found(_ arrived: [UInt8], _ match: Match) -> Finding {
        actual = arrived
        let values = captures(arrived)
        guard !values.isEmpty else { return .found(match) }
        var match = match
        match.captures = [arrived] + values.map(\.value)
        match.groups = values.enumerated().map { (name: $1.name, number: $0 + 1) }
        return .found(match)
    }
}
