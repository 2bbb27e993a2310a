import Results
import Script
import Wire

/// One thing that is awaited in one session: decides whether it is met or can no longer be met.
package final class Awaited {
    package let session: Session
    package let feed: Feed
    package let matcher: any Matcher
    /// Returns what is wanted, as text; called when it is not met.
    private let describe: () -> String
    /// The match, with the front and the revision of the inbox at that time: another reader may have taken it since.
    private var found: (match: Match, front: Int, revision: Int)?
    /// Whether the match counts from the front on, so nothing may be dropped before it.
    private let keepsAll: Bool

    package init(
        _ feed: Feed, _ matcher: any Matcher, keepsAll: Bool = false, wanted describe: @escaping () -> String
    ) {
        session = feed.session
        self.feed = feed
        self.matcher = matcher
        self.keepsAll = keepsAll
        self.describe = describe
    }

    package var wanted: String { describe() }

    /// The state of what is awaited.
    package enum Verdict {
        /// - Parameter isCut: whether it counts only because the time is up; more data could have lengthened it.
        case met(Match, isCut: Bool)
        /// Not yet; a match may begin at this position or later.
        case pending(from: Int)
        /// Not yet; ask again in the next turn, whatever happens.
        case unfinished
        case unmet(Unmet)
    }

    /// Why it can no longer be met.
    package struct Unmet {
        package enum Reason {
            /// The time is up.
            case late
            /// The inbox is full and does not contain it.
            case full
            /// The stream has ended.
            case ended
            /// The sent data was refused (UDP).
            case refused
            /// Different data arrived.
            case different
        }

        package let reason: Reason
        /// The reason as text, to follow the session's name.
        package let message: String
        package var mismatch: Mismatch?
        package var hints: [String] = []
    }

    /// Decides by the data available now, without consuming it. `isLate` marks the last decision, at the deadline.
    package func decide(isLate: Bool, limit: Duration?) -> Verdict {
        if let found, found.front == feed.inbox.front, found.revision == feed.inbox.revision {
            return .met(found.match, isCut: false)
        }
        let hasEnded = feed.hasEnded
        let finding = matcher.look(at: feed, isWhole: hasEnded)
        if case .unfinished = finding, isLate { return decideLate(limit) }
        if case .pending(let position) = finding {
            if isLate, !hasEnded { return decideLate(limit) }
            if hasEnded, !matcher.acceptsEnd {
                return unmet(.ended, "\(session.inputState) while waiting for \(wanted)", hint: matcher.hint)
            }
            if !matcher.succeedsLate, let refusal = session.refusal {
                return unmet(.refused, "\(refusal), while waiting for \(wanted)")
            }
            if isLate { return late(limit) }
            if feed.isFull, neededFrom <= feed.inbox.front { return decideFull() }
            return .pending(from: position)
        }
        return verdict(finding, isCut: false)
    }

    /// The position before which no data is needed any more.
    var neededFrom: Int { keepsAll ? feed.inbox.front : matcher.neededFrom(feed) }

    /// Decides at the deadline: the available data counts as complete.
    private func decideLate(_ limit: Duration?) -> Verdict {
        var finding = matcher.look(at: feed, isWhole: true)
        // This is the last look.
        while case .unfinished = finding { finding = matcher.look(at: feed, isWhole: true) }
        if case .pending = finding { return late(limit) }
        return verdict(finding, isCut: !matcher.succeedsLate)
    }

    private func late(_ limit: Duration?) -> Verdict {
        if matcher.succeedsLate {
            return .met(Match(start: feed.inbox.front, end: feed.inbox.front), isCut: false)
        }
        if let refusal = session.refusal { return unmet(.refused, "\(refusal), while waiting for \(wanted)") }
        return unmet(
            .late, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)", hint: matcher.hint)
    }

    /// Decides when the inbox is full and nothing can be dropped: the available data counts as complete.
    private func decideFull() -> Verdict {
        // Unwanted data may still arrive, in more than one read.
        if matcher.succeedsLate { return .pending(from: feed.inbox.front) }
        let finding = matcher.look(at: feed, isWhole: true)
        guard case .pending = finding else { return verdict(finding, isCut: false) }
        let limit = shown(bytes: feed.inbox.limit)
        return unmet(
            .full, "inbox full (\(limit)) before \(wanted) arrived", hint: "raise the limit: set inbox SIZE")
    }

    private func verdict(_ finding: Finding, isCut: Bool) -> Verdict {
        switch finding {
        case .found(let match):
            found = (match, feed.inbox.front, feed.inbox.revision)
            return .met(match, isCut: isCut)
        case .pending(let position): return .pending(from: position)
        case .unfinished: return .unfinished
        case .impossible(let message, let hints):
            return .unmet(Unmet(reason: .different, message: message, hints: hints))
        case .differs(let message, let mismatch, let hints):
            return .unmet(Unmet(reason: .different, message: message, mismatch: mismatch, hints: hints))
        }
    }

    private func unmet(_ reason: Unmet.Reason, _ message: String, hint: String? = nil) -> Verdict {
        .unmet(Unmet(reason: reason, message: message, hints: hint.map { [$0] } ?? []))
    }

    /// Returns the failure of a wait that cannot be met because of `unmet`.
    package func failure(_ unmet: Unmet, at range: SourceRange) -> Failure {
        var failure = Failure(.expectation, "\(session.name): \(unmet.message)", range: range)
        let isLate = unmet.reason == .late
        if var mismatch = unmet.mismatch, unmet.reason == .different {
            mismatch.state = session.state(isLate: isLate)
            mismatch.hints = unmet.hints
            failure.details = [.mismatch(mismatch)]
        } else {
            let hints = unmet.hints.map { Failure.Detail.text($0) }
            failure.details = matcher.nearest(in: feed).map { [.mismatch($0)] } ?? []
            // Hints about the received data come before it; hints about other possible reasons come after it.
            failure.details += unmet.reason == .different ? hints : []
            if matcher.showsScreen, let picture = session.screenPicture {
                failure.details += picture.map { Failure.Detail.text($0) }
            } else {
                failure.details.append(.excerpt(session.excerpt(of: feed, isLate: isLate)))
            }
            failure.details += unmet.reason == .different ? [] : hints
        }
        failure.reportedEnds = [session.name]
        failure.reportedRefusals = unmet.reason == .refused ? [session.name] : []
        failure.exchanges = session.exchanges
        return failure
    }
}

/// The states of several things that are awaited together.
package struct Standing {
    package private(set) var met: [(index: Int, match: Match, isCut: Bool)] = []
    package private(set) var pending: [(index: Int, from: Int)] = []
    package private(set) var unmet: [(index: Int, unmet: Awaited.Unmet)] = []
    /// Whether one of them has to be asked again in the next turn.
    package private(set) var isUnfinished = false

    /// Withholds again what was lent for the last look and not read; call this when the wait is over.
    package static func end(_ all: [Awaited]) {
        for awaited in all { awaited.feed.reclaim() }
    }

    /// Decides each of them, except those for which `isOver` is true. If `isLate`, withheld parts of lines count too.
    package init(
        of all: [Awaited], isLate: Bool, limit: Duration?, isOver: (Int) -> Bool = { _ in false }
    ) {
        if isLate { for awaited in all { awaited.feed.lend() } }
        for (index, awaited) in all.enumerated() where !isOver(index) {
            switch awaited.decide(isLate: isLate, limit: limit) {
            case .met(let match, let isCut): met.append((index, match, isCut))
            case .pending(let position): pending.append((index, position))
            case .unfinished:
                pending.append((index, awaited.feed.inbox.front))
                isUnfinished = true
            case .unmet(let unmet): self.unmet.append((index, unmet))
            }
        }
    }
}

extension Feed {
    /// Makes room in full inboxes by dropping data that no pending wait needs any more.
    ///
    /// - Returns: whether something was dropped.
    @discardableResult
    package static func makeRoom(for pending: [Awaited]) -> Bool {
        var hasDropped = false
        for feed in pending.map(\.feed) where feed.isFull {
            let needed = pending.filter { $0.feed === feed }.map(\.neededFrom).min() ?? 0
            guard needed > feed.inbox.front else { continue }
            feed.drop(through: needed, "searched, then discarded: inbox full")
            hasDropped = true
        }
        return hasDropped
    }
}
