import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// Waits until an expectation is met for each of several sessions. Consumes nothing before all are met.
final class ExpectationWait: Wait {
    var wanted: String { describe() }
    var limit: Duration?
    let isReading = true
    private let describe: () -> String
    private let all: [Awaited]
    private let range: SourceRange
    private unowned let world: World
    private let began: Instant
    private let silence: SilenceTimer

    /// - Parameters:
    ///   - wanted: a description of the expectation, for messages.
    ///   - limit: the time limit, already scaled.
    init(
        _ all: [Awaited], wanted: @escaping () -> String, limit: Duration?, range: SourceRange, _ world: World
    ) {
        self.all = all
        describe = wanted
        self.limit = limit
        self.range = range
        self.world = world
        began = world.loop.readClock()
        silence = SilenceTimer(on: world.loop)
    }

    var queues: [WaitQueue] { all.map(\.feed.waiters) }
    var succeedsLate: Bool { all.contains { $0.matcher.succeedsLate } }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        cancel()
        // A silence ends when nothing arrives, not even the end of an incomplete line.
        let isLast = isLate || all.contains { $0.matcher is SilenceMatcher }
        if isLast { for awaited in all { awaited.feed.lend() } }
        defer { if isLast { Standing.end(all) } }
        let standing = Standing(of: all, isLate: isLate, limit: limit)
        if let (index, unmet) = standing.unmet.first { throw all[index].failure(unmet, at: range) }
        guard standing.pending.isEmpty else {
            Feed.makeRoom(for: standing.pending.map { all[$0.index] })
            if standing.isUnfinished { strand.wake() }
            silence.schedule(for: all, strand)
            return false
        }
        for (index, match, isCut) in standing.met {
            world.met(all[index], match, isCut: isCut, isLate: isLate, at: range, since: began, limit: limit)
            strand.take(match, from: all[index].feed)
            if let matcher = all[index].matcher as? BlessingMatcher, let actual = matcher.actual {
                world.blessing?.note(matcher.arrow, expected: matcher.text, arrived: actual)
            }
        }
        return true
    }

    func cancel() { silence.cancel() }
}

extension Strand {
    /// Consumes a match and sets the captures.
    func take(_ match: Match, from feed: Feed) {
        feed.consume(match)
        if let captures = match.captures { capture(captures, groups: match.groups) }
    }
}
