import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// Waits until something is met for each of several sessions. Nothing is consumed of any before all are.
final class ExpectationWait: Wait {
    var wanted: String { describe() }
    var limit: Duration?
    let isReading = true
    private let describe: () -> String
    private let all: [Awaited]
    private let range: SourceRange
    private unowned let world: World
    private let began: Instant

    /// - Parameters:
    ///   - wanted: what is waited for, as messages call it.
    ///   - limit: how long it may take; already scaled.
    init(
        _ all: [Awaited], wanted: @escaping () -> String, limit: Duration?, range: SourceRange, _ world: World
    ) {
        self.all = all
        describe = wanted
        self.limit = limit
        self.range = range
        self.world = world
        began = world.loop.readClock()
    }

    var queues: [WaitQueue] { all.map(\.feed.waiters) }
    var succeedsLate: Bool { all.contains { $0.matcher.succeedsLate } }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        var met: [(awaited: Awaited, match: Match)] = []
        var pending: [Awaited] = []
        var cut: [Awaited] = []
        for awaited in all {
            switch awaited.decide(isLate: isLate, limit: limit) {
            case .met(let match, let isCut):
                met.append((awaited, match))
                if isCut { cut.append(awaited) }
            case .pending: pending.append(awaited)
            case .unmet(let unmet): throw placed(awaited.failure(unmet))
            }
        }
        guard pending.isEmpty else {
            _ = Feed.makeRoom(for: pending)
            return false
        }
        for awaited in cut { world.noteCut(awaited, range, limit: limit) }
        for (awaited, match) in met {
            world.met(awaited, match, since: began)
            strand.take(match, from: awaited.feed)
        }
        return true
    }

    private func placed(_ failure: Failure) -> Failure {
        var failure = failure
        failure.range = range
        return failure
    }
}

extension Strand {
    /// Consumes what was found, and sets the captures.
    func take(_ match: Match, from feed: Feed) {
        feed.consume(match)
        if let captures = match.captures { capture(captures, groups: match.groups) }
    }
}
