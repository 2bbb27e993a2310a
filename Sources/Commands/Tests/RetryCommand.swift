import Engine
import Reactor
import Results
import Script
import VM

/// `retry`: repeats a block until it passes.
struct RetryCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "retry", summary: "repeat a block until it passes",
            forms: [
                Form(
                    .parameter(.duration), .optional([.keyword("every"), .parameter(Parameter("PAUSE", .duration))]),
                    content: .statements)
            ],
            text: """
                Give up after D. An attempt begins PAUSE (100ms) after the start of the previous one, or when that \
                ends if it takes longer. Use it to poll for a condition instead of sleeping.
                """,
            examples: ["retry 10s every 200ms {\n    replica> GET x\n    replica<~ ^\\$1\n    replica< 7\n}"],
            caveats: [
                """
                A wait that gets no answer uses up the whole of D, so nothing is repeated. Limit the waits in the \
                block: expect a "ready" within 200ms, or set a timeout 200ms before an arrow line.
                """,
                """
                No wait in the block lasts longer than D. If all attempts fail, the failure of the last one is \
                reported.
                """,
                """
                After a failed attempt, the sessions it opened are closed, and unread data of the sessions it talked \
                to is discarded.
                """,
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let start = compiler.position
        compiler.emit(
            RetryInstruction(
                time: Value(duration: try call.required("D")),
                every: call.argument("PAUSE").map { Value(duration: $0) }, pause: start + 1, range: call.range))
        compiler.emit(PauseInstruction(range: call.range))
        compiler.depth += 1
        compiler.compile(call.block)
        compiler.depth -= 1
        compiler.emit(EndScopeInstruction(range: call.range))
    }
}

private struct RetryInstruction: Instruction {
    let time: Value<Duration>
    let every: Value<Duration>?
    /// The position at which an attempt begins, including the pause before it.
    let pause: Int
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let time = world.settings.scaled(try time.evaluate(in: strand))
        let every = try every?.evaluate(in: strand) ?? RetryGuardian.everyDefault
        let now = world.loop.readClock()
        strand.enter(
            Scope(guardian: RetryGuardian(time: time, every: every, start: now, position: pause), holds: true))
        return .jump(pause)
    }
}

/// Waits until the next attempt may begin.
private struct PauseInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        let world = strand.world
        guard let guardian = strand.guardian(RetryGuardian.self) else { return .next }
        let rest = guardian.next - world.loop.readClock()
        guard rest > .zero else {
            guardian.begin(at: world.loop.readClock())
            return .next
        }
        return .wait(PauseWait(guardian: guardian, limit: rest, world))
    }
}

private final class PauseWait: Wait {
    let wanted = "the next attempt"
    let succeedsLate = true
    var limit: Duration?
    private let guardian: RetryGuardian
    private unowned let world: World

    init(guardian: RetryGuardian, limit: Duration, _ world: World) {
        self.guardian = guardian
        self.limit = limit
        self.world = world
    }

    func check(_ strand: Strand, isLate: Bool) -> Bool {
        if isLate { guardian.begin(at: world.loop.readClock()) }
        return isLate
    }
}

/// Handles the failures of a `retry` and begins again, until its time has passed.
private final class RetryGuardian: Guardian {
    static let everyDefault = Duration.milliseconds(100)

    let deadline: Instant?
    /// The instant at which the next attempt may begin.
    private(set) var next: Instant
    private let time: Duration
    private let every: Duration
    private let position: Int
    private var attempts = 0

    init(time: Duration, every: Duration, start: Instant, position: Int) {
        self.time = time
        self.every = every
        self.position = position
        deadline = start + time
        next = start
    }

    func begin(at time: Instant) {
        attempts += 1
        next = time + every
    }

    func recover(from failure: Failure, in strand: Strand, _ holdings: Holdings?) throws(Failure) {
        let world = strand.world
        guard failure.status != .skipped else { throw failure }
        let now = world.loop.readClock()
        holdings?.closeAll()
        holdings?.discardUnread("discarded after the failed attempt")
        guard let deadline, now < deadline, next < deadline else {
            var failure = failure
            let count = counted(attempts, "attempt")
            failure.details.append(
                .text(
                    "'retry' gave up after \(shown(time)) and \(count); the failure shown is that of the last attempt"))
            throw failure
        }
        strand.enter(Scope(guardian: self, holds: true))
        strand.position = position
    }
}
