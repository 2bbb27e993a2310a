import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// `select`: waits for the first of several things.
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
            name: "select", summary: "wait for the first of several things",
            forms: [Form(.within, content: .rows(branch))],
            text: """
                The block holds branches: 'T PATTERN {', 'T eof {', 'T reset {', 'T bytes N {', 'T lines N {', \
                'T hex HEX {' and 'timeout {', each with a block. The one that happens first runs, with the session's \
                name in ${session}. Of several sessions the first branch counts; of one session what comes first in its \
                stream, so a branch waits while another may still begin before it. Without a 'timeout' branch the end of the limit is a failure.
                """,
            examples: [
                "select within 2s {\n    a,b /^READY/ {\n        print \"${session} is ready\"\n    }\n"
                    + "    a eof {\n        fail \"a has gone\"\n    }\n    timeout {\n        print \"too slow\"\n    }\n}"
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
                if timeout != nil { throw ScriptError(row.range, "there is a 'timeout' branch already") }
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
            compiler.compile(row.block)
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
            wanted.append { "\(names) \(describe())" }
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
    /// What one branch waits for in one session.
    final class Candidate {
        let awaited: Awaited
        let position: Int
        let range: SourceRange
        /// It cannot happen any more, because what it needed is gone from a full inbox.
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
    private let candidates: [Candidate]
    private let timeout: Int?
    private let describe: () -> String
    private let range: SourceRange
    private unowned let world: World
    private let began: Instant

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
    }

    var wanted: String { describe() }
    var queues: [WaitQueue] { feeds.map(\.waiters) }

    private var feeds: [Feed] {
        var found: [Feed] = []
        for candidate in candidates where !found.contains(where: { $0 === candidate.awaited.feed }) {
            found.append(candidate.awaited.feed)
        }
        return found
    }

    /// What is known of the candidates: those that are met, those that may still be, and why the first other is not.
    private struct Standing {
        var met: [(candidate: Candidate, match: Match, isCut: Bool)] = []
        var pending: [(candidate: Candidate, from: Int)] = []
        var problem: Failure?
        var hasLate = false
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        let standing = look(isLate: isLate)
        if let (candidate, match, isCut) = first(of: standing) {
            if isCut { world.noteCut(candidate.awaited, candidate.range, limit: limit) }
            world.met(candidate.awaited, match, since: began)
            strand.take(match, from: candidate.awaited.feed)
            return goOn(strand, at: candidate.position, session: candidate.awaited.session.name)
        }
        if standing.pending.isEmpty, standing.met.isEmpty, !standing.hasLate, let problem = standing.problem {
            throw problem
        }
        guard isLate else {
            makeRoom(for: standing.pending.map(\.candidate))
            return false
        }
        guard let timeout else { throw late }
        return goOn(strand, at: timeout, session: nil)
    }

    private func look(isLate: Bool) -> Standing {
        var standing = Standing()
        for candidate in candidates where !candidate.isOver {
            switch candidate.awaited.decide(isLate: isLate, limit: limit) {
            case .met(let match, let isCut): standing.met.append((candidate, match, isCut))
            case .pending(let position): standing.pending.append((candidate, position))
            case .unmet(let unmet):
                if unmet.reason == .full { candidate.isOver = true }
                if unmet.reason == .late { standing.hasLate = true }
                guard unmet.reason != .late, standing.problem == nil else { continue }
                var failure = candidate.awaited.failure(unmet)
                failure.range = range
                standing.problem = failure
            }
        }
        return standing
    }

    /// Of several sessions the first branch; in one session what comes first in its stream, and so nothing while
    /// another may still turn out to come before it.
    private func first(of standing: Standing) -> (candidate: Candidate, match: Match, isCut: Bool)? {
        for (candidate, _, _) in standing.met {
            let feed = candidate.awaited.feed
            let rivals = standing.met.filter { $0.candidate.awaited.feed === feed }
            guard let first = rivals.min(by: { $0.match.start < $1.match.start }) else { continue }
            let isOpen = standing.pending.contains { other in
                guard other.candidate.awaited.feed === feed else { return false }
                return other.from < first.match.start
                    || other.from == first.match.start && isBefore(other.candidate, first.candidate)
            }
            if !isOpen { return first }
        }
        return nil
    }

    private func isBefore(_ one: Candidate, _ other: Candidate) -> Bool {
        candidates.first { $0 === one || $0 === other } === one
    }

    /// Of a full inbox all that no branch needs any more goes.
    private func makeRoom(for pending: [Candidate]) {
        guard Feed.makeRoom(for: pending.map(\.awaited)) else { return }
        for candidate in candidates
        where !pending.contains(where: { $0 === candidate }) && candidate.awaited.feed.isFull {
            candidate.isOver = true
        }
    }

    private func goOn(_ strand: Strand, at position: Int, session: String?) -> Bool {
        strand.enter(Scope(names: session.map { [("session", Array($0.utf8))] } ?? []))
        destination = position
        return true
    }

    /// The time is over, and nothing has happened.
    private var late: Failure {
        let sessions = feeds.map(\.session)
        let names = sessions.map(\.name).joined(separator: ",")
        var failure = Failure(
            .expectation, "\(names): timed out after \(shown(limit ?? .zero)) waiting for \(wanted)", range: range)
        for feed in feeds {
            if feeds.count > 1 { failure.details.append(.text("\(feed.session.name):")) }
            failure.details.append(.excerpt(feed.session.excerpt(of: feed, isLate: true)))
            failure.toldEnds.append(feed.session.name)
            if failure.exchanges?.entries.isEmpty != false { failure.exchanges = feed.session.exchanges }
        }
        return failure
    }
}
