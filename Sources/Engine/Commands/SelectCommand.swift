import Reactor
import Script
import Wire

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
                name in ${session}. Of what is there at once, the first branch counts; in one session what comes first in \
                its stream. Without a 'timeout' branch the end of the limit is a failure.
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

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        var candidates: [SelectWait.Candidate] = []
        var wanted: [() -> String] = []
        for branch in branches {
            let (describe, matcher) = try branch.expectation(strand)
            let sessions = try strand.sessions(branch.target, orFail: .expectation)
            for session in sessions {
                candidates.append(
                    SelectWait.Candidate(
                        session: session, matcher: matcher(), position: branch.position, wanted: describe))
            }
            let names = sessions.map(\.name).joined(separator: ",")
            wanted.append { "\(names) \(describe())" }
        }
        var time = interpreter.defaultLimit(for: candidates.map(\.session))
        if let limit { time = interpreter.settings.scaled(try limit.evaluate(in: strand)) }
        return .wait(
            SelectWait(
                candidates, timeout: timeout, wanted: { wanted.map { $0() }.joined(separator: ", or ") }, limit: time,
                range: range, interpreter))
    }
}

/// Waits for the first of several matches.
private final class SelectWait: Wait {
    /// What one branch waits for in one session.
    struct Candidate {
        let session: Session
        let matcher: any Matcher
        let position: Int
        let wanted: () -> String
    }

    let isReading = true
    var limit: Duration?
    private(set) var destination: Int?
    private let candidates: [Candidate]
    private let timeout: Int?
    private let describe: () -> String
    private let range: SourceRange
    private let interpreter: Interpreter
    private let began: Instant

    init(
        _ candidates: [Candidate], timeout: Int?, wanted: @escaping () -> String, limit: Duration, range: SourceRange,
        _ interpreter: Interpreter
    ) {
        self.candidates = candidates
        self.timeout = timeout
        describe = wanted
        self.limit = limit
        self.range = range
        self.interpreter = interpreter
        began = interpreter.loop.readClock()
    }

    var wanted: String { describe() }

    var sessions: [Session] {
        var found: [Session] = []
        for candidate in candidates where !found.contains(where: { $0 === candidate.session }) {
            found.append(candidate.session)
        }
        return found
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        var first: (candidate: Candidate, match: Match)?
        var pending = false
        var problem: Failure?
        for candidate in candidates {
            // Of one session, what comes first in its stream; of several, the first branch.
            if let first, first.candidate.session !== candidate.session { continue }
            do throws(Failure) {
                switch try look(candidate, isLate) {
                case .matched(let match):
                    if let first, first.match.start <= match.start { continue }
                    first = (candidate, match)
                default: pending = true
                }
            } catch {
                problem = problem ?? error
            }
        }
        if let (candidate, match) = first {
            let front = candidate.session.channel.inbox.front
            match.take(from: candidate.session, by: strand)
            interpreter.matched(candidate.session, skippedFrom: front, since: began)
            return goOn(strand, at: candidate.position, session: candidate.session.name)
        }
        if !pending, let problem { throw problem }
        guard isLate else { return false }
        guard let timeout else {
            throw failure(sessions, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
        }
        return goOn(strand, at: timeout, session: nil)
    }

    private func goOn(_ strand: Strand, at position: Int, session: String?) -> Bool {
        strand.enter(Scope(names: session.map { [("session", Array($0.utf8))] } ?? []))
        destination = position
        return true
    }

    /// How far one candidate is; throws when it can no longer happen.
    private func look(_ candidate: Candidate, _ isLate: Bool) throws(Failure) -> Progress {
        let session = candidate.session
        let hasEnded = session.inputHasEnded
        var progress = candidate.matcher.check(session, isWhole: hasEnded || isLate)
        if case .pending = progress, session.channel.inbox.isFull, !hasEnded {
            let isAlone = candidates.count { $0.session === session } == 1
            if isAlone, candidate.matcher.makeRoom(session), !isLate { return .pending }
            progress = candidate.matcher.check(session, isWhole: true)
            if case .pending = progress {
                throw failure(
                    [session],
                    "the inbox is full (\(shown(bytes: session.channel.inbox.limit))) and \(candidate.wanted()) is not in it"
                )
            }
        }
        switch progress {
        case .matched: return progress
        case .failed(let words, _), .differs(let words, _): throw failure([session], words)
        case .pending where hasEnded && !candidate.matcher.acceptsEnd:
            throw failure([session], "\(session.inputState) while waiting for \(wanted)")
        case .pending where session.refusal != nil:
            throw failure([session], "\(session.refusal ?? "") while waiting for \(wanted)")
        case .pending: return progress
        }
    }

    private func failure(_ sessions: [Session], _ words: String) -> Failure {
        let names = sessions.map(\.name).joined(separator: ",")
        var failure = Failure(.expectation, "\(names): \(words)", range: range)
        for session in sessions {
            let report = FailureReport(session, interpreter.redactor)
            failure.details += sessions.count > 1 ? ["\(session.name):"] + report.arrived : report.arrived
            failure.toldEnds.append(session.name)
            if failure.lastExchanges.isEmpty { failure.lastExchanges = report.exchanges }
        }
        return failure
    }
}
