import Reactor
import Script

/// `test`: a named test, whose failure is counted and does not stop the script.
struct TestCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "test", summary: "run a block as a named test",
            forms: [Form(.parameter(Parameter("NAME", .text)), content: .statements)],
            text: """
                A failure inside ends the test and is counted, and the script goes on behind it. What the test has opened \
                is closed after it; after a failed one, what other sessions had sent and was not read is forgotten. \
                'skip' ends it without a failure. Tests do not nest, and stand in no strand. With --filter only those \
                run whose NAME matches.
                """,
            examples: ["test \"answers a ping\" {\n    open a localhost:8080\n    a> ping\n    a< PING\n}"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let place = compiler.place
        guard !place.isInTest else { throw ScriptError(call.range, "a test stands inside another test") }
        guard !place.isInStrand else { throw ScriptError(call.range, "a test stands in no branch and no trigger") }
        let start = compiler.position
        compiler.emit(JumpInstruction(destination: 0, range: call.range))
        compiler.depth += 1
        compiler.compileTest(call.block)
        compiler.depth -= 1
        compiler.emit(FlushTestInstruction(range: call.range))
        compiler.emit(PassTestInstruction(range: call.range))
        compiler.replace(
            at: start,
            with: TestInstruction(
                name: Value(string: try call.required("NAME")), end: compiler.position, range: call.range))
    }
}

private struct TestInstruction: Instruction {
    let name: Value<String>
    let end: Int
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let name = try name.evaluate(in: strand)
        guard !strand.guardians.contains(where: { $0 is TestGuardian }) else {
            throw Failure(.expectation, "a test runs inside another test")
        }
        guard strand.title == nil else { throw Failure(.expectation, "a test runs in no branch and no trigger") }
        guard interpreter.results.picks(name) else { return .jump(end) }
        interpreter.transcript.note("test \(TestGuardian.quoted(name))")
        strand.enter(
            Scope(
                guardian: TestGuardian(name: name, range: range, began: interpreter.loop.readClock(), end: end)))
        return .next
    }
}

/// Waits until the kernel has taken what was sent by the sessions that are about to be closed.
private struct FlushTestInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let opened = strand.guardian(TestGuardian.self)?.sessions ?? []
        let waiting = opened.filter { $0.channel.bytesWaiting > 0 }
        guard !waiting.isEmpty else { return .next }
        return .wait(SendWait(waiting, most: 0, limit: interpreter.defaultLimit(for: waiting)))
    }
}

private struct PassTestInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let guardian = strand.guardian(TestGuardian.self)
        let losses = (guardian?.sessions ?? []).compactMap { session in
            session.takeLoss().map { "\(session.name): \($0)" }
        }
        if let loss = losses.first {
            throw Failure(.connection, loss, details: Array(losses.dropFirst()), range: range)
        }
        strand.leaveScope()
        guardian?.end(.passed, interpreter)
        return .next
    }
}

/// Takes the failure of a test, and what it has opened.
private final class TestGuardian: Guardian {
    private let name: String
    private let range: SourceRange
    private let began: Instant
    private let position: Int
    private var opened: [(name: String, peer: AnyObject)] = []

    init(name: String, range: SourceRange, began: Instant, end: Int) {
        self.name = name
        self.range = range
        self.began = began
        position = end
    }

    /// A name as messages show it.
    static func quoted(_ name: String) -> String { "\"\(Escapes.escaped(name.losslessBytes))\"" }

    /// The sessions that the test has opened.
    var sessions: [Session] { opened.compactMap { $0.peer as? Session } }

    func opened(_ name: String, _ peer: AnyObject) {
        opened.append((name, peer))
    }

    func recover(from failure: Failure, in strand: Strand, _ interpreter: Interpreter) throws(Failure) {
        if failure.status == .skipped {
            end(.skipped(failure.message), interpreter)
        } else {
            var failure = failure
            failure.trace = (failure.trace ?? []) + ["in test \(Self.quoted(name)), at \(range.description)"]
            end(.failed(failure), interpreter)
            for session in interpreter.sessions.all { session.drain() }
        }
        strand.position = position
    }

    /// The failure is told as the script's; here it only counts.
    func abandon(with failure: Failure, _ interpreter: Interpreter) {
        end(.failed(failure), interpreter, isTold: true)
    }

    /// Notes how it ended, and closes what it has opened.
    func end(_ outcome: TestResults.Outcome, _ interpreter: Interpreter, isTold: Bool = false) {
        let took = interpreter.loop.readClock() - began
        for session in sessions { interpreter.transcript.showPart(of: session) }
        let quoted = Self.quoted(name)
        switch outcome {
        case .passed: interpreter.transcript.note("test \(quoted) passed in \(shown(took))")
        case .skipped(let why):
            interpreter.transcript.note("test \(quoted) skipped" + (why.isEmpty ? "" : ": \(why)"))
        case .failed(let failure):
            interpreter.transcript.note("test \(quoted) failed in \(shown(took))")
            if !isTold { interpreter.report(failure) }
        }
        interpreter.results.add(
            TestResults.Record(name: name, range: range, outcome: outcome, duration: took))
        for (name, peer) in opened { interpreter.close(name, peer) }
    }
}
