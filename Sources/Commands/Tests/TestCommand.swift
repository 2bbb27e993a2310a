import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// `test`: runs a named test. A failure is counted and does not stop the script.
struct TestCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "test", summary: "run a block as a named test",
            forms: [Form(.parameter(Parameter("NAME", .text)), content: .statements)],
            text: """
                A failure ends the test and is counted, and the script continues after the test. 'skip' ends it \
                without a failure. With --filter only the tests whose names match are run.
                """,
            examples: ["test \"answers a ping\" {\n    open a localhost:8080\n    a> ping\n    a< PING\n}"],
            caveats: [
                """
                Sessions opened in the test are closed at its end. For other sessions that it talked to, unread data \
                is discarded after a failed test but kept after a passed one: drain it, or open the session inside the \
                test.
                """,
                "Tests cannot be nested, and are not allowed inside 'parallel' or 'on'.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let place = compiler.place
        guard !place.isInTest else { throw ScriptError(call.range, "a test is not allowed inside another test") }
        guard !place.isInStrand else {
            throw ScriptError(call.range, "'test' is not allowed inside 'parallel', 'on' or 'start'")
        }
        let start = compiler.position
        compiler.emit(JumpInstruction(destination: 0, range: call.range))
        compiler.depth += 1
        compiler.compileTest(call.block)
        compiler.depth -= 1
        compiler.emitDeferred(call.range)
        compiler.emit(FlushTestInstruction(range: call.range))
        compiler.emit(PassTestInstruction(range: call.range))
        let end = compiler.position
        compiler.emit(EndTestInstruction(start: start, range: call.range))
        compiler.replace(
            at: start,
            with: TestInstruction(name: Value(string: try call.required("NAME")), end: end, range: call.range))
    }
}

private struct TestInstruction: Instruction {
    let name: Value<String>
    let end: Int
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        guard !strand.guardians.contains(where: { $0 is TestGuardian }) else {
            throw Failure(.expectation, "a test is not allowed inside another test")
        }
        guard strand.place == nil else {
            throw Failure(.expectation, "'test' is not allowed inside 'parallel', 'on' or 'start'")
        }
        guard world.results.isSelected(name) else { return .jump(end + 1) }
        world.events?.add(.testBegan)
        world.transcript.note("test \(TestGuardian.quoted(name))")
        strand.enter(
            Scope(
                guardian: TestGuardian(name: name, range: range, began: world.loop.readClock(), end: end),
                holds: true, isTest: true))
        return .next
    }
}

/// Waits until the kernel has accepted the data sent by the sessions that are about to be closed.
private struct FlushTestInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let waiting = strand.heldSessions.filter { $0.channel.bytesWaiting > 0 }
        guard !waiting.isEmpty else { return .next }
        return .wait(SendWait(waiting, maximum: 0, limit: world.defaultLimit(for: waiting)))
    }
}

private struct PassTestInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let guardian = strand.guardian(TestGuardian.self)
        let holdings = strand.holdings
        let losses = strand.heldSessions.compactMap { session in
            session.takeLoss().map { "\(session.name): \($0)" }
        }
        if let loss = losses.first {
            throw Failure(.connection, loss, details: Array(losses.dropFirst()), range: range)
        }
        strand.leaveScope()
        guardian?.end(.passed, world, holdings)
        return .next
    }
}

/// Runs a test again (--repeat), or ends the run after a failure (--fail-fast).
private struct EndTestInstruction: Instruction {
    let start: Int
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        let results = strand.world.results
        if results.stops() { return .exit(nil) }
        return results.beginsNextRound() ? .jump(start) : .next
    }
}

/// Handles the failure of a test and the resources that it has opened.
private final class TestGuardian: Guardian {
    private let name: String
    private let range: SourceRange
    private let began: Instant
    private let position: Int

    init(name: String, range: SourceRange, began: Instant, end: Int) {
        self.name = name
        self.range = range
        self.began = began
        position = end
    }

    /// Returns a name as messages show it.
    static func quoted(_ name: String) -> String { "\"\(Escapes.escaped(name.losslessBytes))\"" }

    func recover(from failure: Failure, in strand: Strand, _ holdings: Holdings?) throws(Failure) {
        let world = strand.world
        if failure.status == .skipped {
            end(.skipped(failure.message), world, holdings)
        } else {
            var failure = failure
            failure.trace = (failure.trace ?? []) + ["in test \(Self.quoted(name)), at \(range.description)"]
            end(.failed(failure), world, holdings)
            holdings?.discardUnread("discarded after the failed test")
        }
        strand.position = position
    }

    /// Counts the failure without reporting it: it is reported as the script's.
    func abandon(with failure: Failure, in strand: Strand, _ holdings: Holdings?) {
        end(.failed(failure), strand.world, holdings, isReported: true)
    }

    /// Records the outcome and closes the resources that the test has opened.
    func end(_ outcome: TestResults.Outcome, _ world: World, _ holdings: Holdings?, isReported: Bool = false) {
        let took = world.loop.readClock() - began
        for session in holdings?.sessions ?? [] { session.voice.showPart() }
        let quoted = Self.quoted(name)
        switch outcome {
        case .passed: world.transcript.note("test \(quoted) passed in \(shown(took))", style: "32")
        case .skipped(let why):
            world.transcript.note("test \(quoted) skipped" + (why.isEmpty ? "" : ": \(why)"), style: "33")
        case .failed(let failure):
            world.transcript.note("test \(quoted) failed in \(shown(took))", style: "31")
            if !isReported { world.report(failure) }
        }
        world.results.add(
            TestResults.Record(name: name, range: range, outcome: outcome, duration: took))
        holdings?.closeAll()
    }
}

extension Holdings {
    /// The sessions among the resources that the block has opened.
    fileprivate var sessions: [Session] { resources.compactMap { $0 as? Session } }
}

extension Strand {
    /// The sessions opened by the innermost block that closes what it opens.
    fileprivate var heldSessions: [Session] { holdings?.sessions ?? [] }
}
