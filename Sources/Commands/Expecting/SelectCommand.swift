import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// `select`: waits for the first of several events.
struct SelectCommand: Command {
    private static var branch: CommandDescription {
        CommandDescription(
            name: "", summary: "",
            forms: [Form(.keyword("timeout"), content: .statements)]
                + Expectation.forms.map { Form(elements: [.parameter(.target)] + $0, content: .statements) },
            blockNames: ["session"])
    }

    static var description: CommandDescription {
        CommandDescription(
            name: "select", summary: "wait for the first of several events",
            forms: [Form(.within, content: .rows(branch))],
            text: """
                The block contains branches: 'T PATTERN {', 'T eof {', 'T reset {', 'T bytes N {', 'T lines N {', 'T \
                hex HEX {' and 'timeout {', each with its own block. The branch whose event happens first runs, with \
                the session's name in ${session}.
                """,
            examples: [
                "select within 2s {\n    a,b /^READY/ {\n        print \"${session} is ready\"\n    }\n"
                    + "    a eof {\n        fail \"a has gone\"\n    }\n    timeout {\n        print \"too slow\"\n    }\n}"
            ],
            caveats: [
                "Without a 'timeout' branch the end of the time limit is a failure.",
                """
                With several branches on one session the match that comes first in the stream wins; a branch waits \
                while another one could still match earlier. Between sessions the first branch listed wins.
                """,
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        guard !call.block.isEmpty else {
            throw ScriptError(call.range, "select needs a branch", hint: "write T PATTERN { … } inside")
        }
        let start = compiler.position
        compiler.emit(JumpInstruction(destination: 0, range: call.range))
        var branches: [SelectInstruction.Branch] = []
        var timeout: Int?
        var ends: [Int] = []
        for case .command(let row) in call.block {
            if row.keywords.contains("timeout") {
                if timeout != nil { throw ScriptError(row.range, "duplicate 'timeout' branch") }
                timeout = compiler.position
            } else {
                let target = try row.target()
                compiler.read(target)
                branches.append(
                    SelectInstruction.Branch(
                        target: target, expectation: try Expectation.make(row), position: compiler.position,
                        range: row.range))
            }
            compiler.depth += 1
            compiler.compile(block: row.block)
            compiler.depth -= 1
            compiler.emit(EndScopeInstruction(range: row.range))
            ends.append(compiler.position)
            compiler.emit(JumpInstruction(destination: 0, range: row.range))
        }
        for end in ends {
            compiler.replace(at: end, with: JumpInstruction(destination: compiler.position, range: call.range))
        }
        compiler.replace(
            at: start,
            with: SelectInstruction(branches: branches, timeout: timeout, limit: call.within, range: call.range))
    }
}

private struct SelectInstruction: Instruction {
    struct Branch {
        let target: Target
        let expectation: Expectation.Factory
        let position: Int
        let range: SourceRange
    }

    let branches: [Branch]
    let timeout: Int?
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        var candidates: [SelectWait.Candidate] = []
        var wanted: [() -> String] = []
        for branch in branches {
            let (describe, matcher) = try branch.expectation(strand)
            let sessions = try strand.sessions(branch.target, orFail: .expectation)
            for session in sessions {
                candidates.append(
                    SelectWait.Candidate(
                        Awaited(world.feed(of: session, for: strand), matcher(), wanted: describe),
                        position: branch.position, range: branch.range))
            }
            let names = sessions.map(\.name).joined(separator: ",")
            wanted.append { "\(names): \(describe())" }
        }
        var time = world.defaultLimit(for: candidates.map(\.awaited.session))
        if let limit { time = world.settings.scaled(try limit.evaluate(in: strand)) }
        return .wait(
            SelectWait(
                candidates, timeout: timeout, wanted: { wanted.map { $0() }.joined(separator: ", or ") }, limit: time,
                range: range, world))
    }
}

/// Waits for the first of several matches.
private final class SelectWait: Wait {
    /// The expectation of one branch for one session.
    struct Candidate {
        let awaited: Awaited
        let position: Int
        let range: SourceRange
        /// Whether it can no longer match, because the data it needed was dropped from a full inbox.
        var isOver = false

        init(_ awaited: Awaited, position: Int, range: SourceRange) {
            self.awaited = awaited
            self.position = position
            self.range = range
        }
    }

    let isReading = true
    var limit: Duration?
    private(set) var destination: Int?
    private var candidates: [Candidate]
    private let timeout: Int?
    private let describe: () -> String
    private let range: SourceRange
    private unowned let world: World
    private let began: Instant
    private let silence: SilenceTimer

    init(
        _ candidates: [Candidate], timeout: Int?, wanted: @escaping () -> String, limit: Duration, range: SourceRange,
        _ world: World
    ) {
        self.candidates = candidates
        self.timeout = timeout
        describe = wanted
        self.limit = limit
        self.range = range
        self.world = world
        began = world.loop.readClock()
        silence = SilenceTimer(on: world.loop)
    }

    func cancel() { silence.cancel() }

    var wanted: String { describe() }
    var queues: [WaitQueue] { feeds.map(\.waiters) }

    private var feeds: [Feed] {
        var found: [Feed] = []
        for candidate in candidates where !found.contains(where: { $0 === candidate.awaited.feed }) {
            found.append(candidate.awaited.feed)
        }
        return found
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        cancel()
        defer { if isLate { Standing.end(candidates.map(\.awaited)) } }
        let standing = Standing(
            of: candidates.map(\.awaited), isLate: isLate, limit: limit, isOver: { candidates[$0].isOver })
        for (index, unmet) in standing.unmet where unmet.reason == .full { candidates[index].isOver = true }
        if let (index, match, isCut) = first(of: standing) {
            let (awaited, branch) = (candidates[index].awaited, candidates[index])
            world.met(awaited, match, isCut: isCut, isLate: isLate, at: branch.range, since: began, limit: limit)
            strand.take(match, from: awaited.feed)
            return goOn(strand, at: branch.position, session: awaited.session.name)
        }
        let problems = standing.unmet.filter { $0.unmet.reason != .late }
        if standing.pending.isEmpty, standing.met.isEmpty, problems.count == standing.unmet.count,
            let problem = problems.first
        {
            throw failure(problem, problems)
        }
        guard isLate else {
            makeRoom(for: standing)
            if standing.isUnfinished { strand.wake() }
            silence.schedule(for: candidates.filter { !$0.isOver }.map(\.awaited), strand)
            return false
        }
        guard let timeout else { throw late(problems) }
        return goOn(strand, at: timeout, session: nil)
    }

    /// Returns the match that wins: among several sessions that of the first branch, in one session the first in its
    /// stream. No match wins while another may still turn out to precede it.
    private func first(of standing: Standing) -> (index: Int, match: Match, isCut: Bool)? {
        for met in standing.met {
            let feed = candidates[met.index].awaited.feed
            let rivals = standing.met.filter { candidates[$0.index].awaited.feed === feed }
            guard let first = rivals.min(by: { ($0.match.start, $0.index) < ($1.match.start, $1.index) }) else {
                continue
            }
            let isOpen = standing.pending.contains { other in
                candidates[other.index].awaited.feed === feed
                    && (other.from, other.index) < (first.match.start, first.index)
            }
            if !isOpen { return first }
        }
        return nil
    }

    /// Drops data that no branch needs any more from full inboxes.
    private func makeRoom(for standing: Standing) {
        let pending = Set(standing.pending.map(\.index))
        guard Feed.makeRoom(for: pending.map { candidates[$0].awaited }) else { return }
        for index in candidates.indices where !pending.contains(index) && candidates[index].awaited.feed.isFull {
            candidates[index].isOver = true
        }
    }

    private func goOn(_ strand: Strand, at position: Int, session: String?) -> Bool {
        strand.enter(Scope(names: session.map { [("session", Array($0.utf8))] } ?? []))
        destination = position
        return true
    }

    /// No branch can match any more: the first one gives the message, and what the others report counts as reported.
    private func failure(
        _ problem: (index: Int, unmet: Awaited.Unmet), _ all: [(index: Int, unmet: Awaited.Unmet)]
    ) -> Failure {
        var failure = candidates[problem.index].awaited.failure(problem.unmet, at: range)
        describe(all, in: &failure)
        return failure
    }

    /// The time limit has passed without a match.
    private func late(_ problems: [(index: Int, unmet: Awaited.Unmet)]) -> Failure {
        let sessions = feeds.map(\.session)
        let names = sessions.map(\.name).joined(separator: ",")
        var failure = Failure(
            .expectation, "\(names): timed out after \(shown(limit ?? .zero)) waiting for \(wanted)", range: range)
        describe(problems, in: &failure)
        for feed in feeds {
            if feeds.count > 1 { failure.details.append(.text("\(feed.session.name):")) }
            failure.details.append(.excerpt(feed.session.excerpt(of: feed, isLate: true)))
            failure.reportedEnds.append(feed.session.name)
            if failure.exchanges?.entries.isEmpty != false { failure.exchanges = feed.session.exchanges }
        }
        return failure
    }

    private func describe(_ problems: [(index: Int, unmet: Awaited.Unmet)], in failure: inout Failure) {
        for (index, unmet) in problems where unmet.reason == .refused {
            let message = "\(candidates[index].awaited.session.name): \(unmet.message)"
            if failure.message != message { failure.details.append(.text(message)) }
            failure.reportedRefusals.append(candidates[index].awaited.session.name)
        }
    }
}
