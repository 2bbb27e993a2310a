import Engine
import Reactor
import Results
import Script
import VM

/// `repeat`: repeats a block a given number of times.
struct RepeatCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "repeat", summary: "repeat a block N times",
            forms: [
                Form(
                    .parameter(Parameter("N", .count)),
                    .optional([.keyword("as"), .parameter(Parameter("I", .localVariable))]),
                    .optional([.keyword("every"), .parameter(.duration)]), content: .statements)
            ],
            text: """
                With 'as I', ${I} counts the rounds from 1. 'break' leaves the loop, 'continue' starts the next \
                round.

                With 'every D' the rounds keep to a schedule: the first begins immediately, the next one D later, and \
                so on, however long they take. A round that is late begins immediately, and the first 'time' in it \
                measures from when it was due: so a slow answer counts for all that had to wait for it.
                """,
            examples: [
                "repeat 3 as i {\n    a> ping ${i}\n    a< PING ${i}\n}",
                "repeat 1000 every 5ms {\n    time ping {\n        a> PING\n        a< +PONG\n    }\n}",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let count = Value(count: try call.required("N"))
        let name = call.argument("I")?.template.literalText
        let interval = call.argument("D").map { Value(duration: $0) }
        compiler.compileRounds(call) { strand throws(Failure) in
            let count = try count.evaluate(in: strand)
            var rounds = Rounds(name: name, items: count > 0 ? [.numbers(1...count)] : [])
            if let interval = try interval?.evaluate(in: strand) {
                rounds.schedule = Schedule(from: strand.world.loop.readClock(), every: interval)
            }
            return rounds
        }
    }
}

extension Compiler {
    /// Compiles a loop over the rounds that `rounds` returns.
    mutating func compileRounds(_ call: CommandCall, rounds: @escaping (Strand) throws(Failure) -> Rounds) {
        let start = position
        emit(JumpInstruction(destination: 0, range: call.range))
        compileLoop(call.block, scopes: 1) { compiler in
            let next = compiler.position
            compiler.emit(RoundInstruction(body: start + 1, range: call.range))
            return next
        }
        replace(at: start, with: LoopInstruction(rounds: rounds, end: position, range: call.range))
    }
}

/// Enters a loop, or skips it if there is no round.
private struct LoopInstruction: Instruction {
    let rounds: (Strand) throws(Failure) -> Rounds
    let end: Int
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        strand.enter(Scope(rounds: try rounds(strand)))
        return try strand.nextRound() ? .next : .jump(end)
    }
}

/// Begins the next round, or leaves the loop.
private struct RoundInstruction: Instruction {
    let body: Int
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        guard try strand.nextRound() else { return .next }
        guard let due = strand.nextDueTime() else { return .jump(body) }
        let rest = due - strand.world.loop.readClock()
        return rest > .zero ? .wait(RoundWait(limit: rest, destination: body)) : .jump(body)
    }
}

/// Waits until the next round is due.
private final class RoundWait: Wait {
    var limit: Duration?
    let succeedsLate = true
    let destination: Int?
    let wanted = "the time of the next round"

    init(limit: Duration, destination: Int) {
        self.limit = limit
        self.destination = destination
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool { isLate }
}
