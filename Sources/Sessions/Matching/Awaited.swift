import Results
import Script
import Wire

/// One thing that is awaited in one session: the place that decides whether it is met, or cannot be met any more.
package final class Awaited {
    package let session: Session
    package let feed: Feed
    package let matcher: any Matcher
    /// What is wanted, in words; asked for when it is not met.
    private let describe: () -> String
    /// What was found, and the revision of the inbox that it was found in.
    private var found: (match: Match, revision: Int)?

    package init(_ feed: Feed, _ matcher: any Matcher, wanted describe: @escaping () -> String) {
        session = feed.session
        self.feed = feed
        self.matcher = matcher
        self.describe = describe
    }

    package var wanted: String { describe() }

    /// Where it stands.
    package enum Verdict {
        /// - Parameter isCut: it counts because the time is over; more data could have lengthened it.
        case met(Match, isCut: Bool)
        /// Not yet; a match may begin at this position or later.
        case pending(from: Int)
        case unmet(Unmet)
    }

    /// Why it cannot be met any more.
    package struct Unmet {
        package enum Reason {
            /// The time is over.
            case late
            /// The inbox is full, and it is not in it.
            case full
            /// The stream has ended.
            case ended
            /// What was sent was refused (UDP).
            case refused
            /// What arrived is something else.
            case different
        }

        package let reason: Reason
        /// In words, after the session's name.
        package let words: String
        package var mismatch: Mismatch?
        package var hints: [String] = []
    }

    /// Decides by what is there now; nothing is consumed. `isLate` at the deadline, for the last time.
    package func decide(isLate: Bool, limit: Duration?) -> Verdict {
        if let found, found.revision == feed.inbox.revision { return .met(found.match, isCut: false) }
        let hasEnded = feed.hasEnded
        let finding = matcher.look(at: feed, isWhole: hasEnded)
        if case .pending(let position) = finding {
            if isLate, !hasEnded { return decideLate(limit) }
            if hasEnded, !matcher.acceptsEnd {
                return unmet(.ended, "\(session.inputState) while waiting for \(wanted)", hint: matcher.hint)
            }
            if !matcher.succeedsLate, let refusal = session.refusal {
                return unmet(.refused, "\(refusal) while waiting for \(wanted)")
            }
            if isLate { return late(limit) }
            if feed.isFull, matcher.neededFrom(feed) <= feed.inbox.front { return decideFull() }
            return .pending(from: position)
        }
        return verdict(finding, isCut: false)
    }

    /// Nothing more is waited for: what is there counts as it is.
    private func decideLate(_ limit: Duration?) -> Verdict {
        let finding = matcher.look(at: feed, isWhole: true)
        if case .pending = finding { return late(limit) }
        return verdict(finding, isCut: !matcher.succeedsLate)
    }

    private func late(_ limit: Duration?) -> Verdict {
        if matcher.succeedsLate {
            return .met(Match(start: feed.inbox.front, end: feed.inbox.front), isCut: false)
        }
        if let refusal = session.refusal { return unmet(.refused, "\(refusal) while waiting for \(wanted)") }
        return unmet(
            .late, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)", hint: matcher.hint,
            mismatch: matcher.nearest(in: feed))
    }

    /// Nothing more fits in, and nothing can go: what is there counts as it is.
    private func decideFull() -> Verdict {
        let finding = matcher.look(at: feed, isWhole: true)
        guard case .pending(let position) = finding else { return verdict(finding, isCut: false) }
        if matcher.succeedsLate { return .pending(from: position) }
        let limit = shown(bytes: feed.inbox.limit)
        return unmet(
            .full, "inbox full (\(limit)) before \(wanted) arrived", hint: "raise it with: set inbox SIZE")
    }

    private func verdict(_ finding: Finding, isCut: Bool) -> Verdict {
        switch finding {
        case .found(let match):
            found = (match, feed.inbox.revision)
            return .met(match, isCut: isCut)
        case .pending(let position): return .pending(from: position)
        case .impossible(let words, let hints): return .unmet(Unmet(reason: .different, words: words, hints: hints))
        case .differs(let words, let mismatch, let hints):
            return .unmet(Unmet(reason: .different, words: words, mismatch: mismatch, hints: hints))
        }
    }

    private func unmet(
        _ reason: Unmet.Reason, _ words: String, hint: String? = nil, mismatch: Mismatch? = nil
    ) -> Verdict {
        .unmet(Unmet(reason: reason, words: words, mismatch: mismatch, hints: hint.map { [$0] } ?? []))
    }

    /// The failure of a wait that has come to nothing because of this.
    package func failure(_ unmet: Unmet) -> Failure {
        var failure = Failure(.expectation, "\(session.name): \(unmet.words)")
        let isLate = unmet.reason == .late
        if var mismatch = unmet.mismatch, unmet.reason == .different {
            mismatch.state = session.state(isLate: isLate)
            mismatch.hints = unmet.hints
            failure.details = [.mismatch(mismatch)]
        } else {
            let hints = unmet.hints.map { Failure.Detail.text($0) }
            failure.details = unmet.mismatch.map { [.mismatch($0)] } ?? []
            // What is wrong with what arrived comes before it; what else may be the reason, after it.
            failure.details += unmet.reason == .different ? hints : []
            failure.details.append(.excerpt(session.excerpt(of: feed, isLate: isLate)))
            failure.details += unmet.reason == .different ? [] : hints
        }
        failure.toldEnds = [session.name]
        failure.toldRefusals = unmet.reason == .refused ? [session.name] : []
        failure.exchanges = session.exchanges
        return failure
    }
}

extension Feed {
    /// Makes room in a full inbox: what none of those who look at it needs any more is dropped.
    ///
    /// - Returns: whether something was dropped.
    package static func makeRoom(for pending: [Awaited]) -> Bool {
        var hasDropped = false
        for feed in pending.map(\.feed) where feed.isFull {
            let needed = pending.filter { $0.feed === feed }.map { $0.matcher.neededFrom(feed) }.min() ?? 0
            guard needed > feed.inbox.front else { continue }
            feed.consume(through: needed)
            hasDropped = true
        }
        return hasDropped
    }
}
