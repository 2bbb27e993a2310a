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
                    .optional([.keyword("as"), .parameter(Parameter("I", .localVariable))]), content: .statements)
            ],
            text: """
                With 'as I', ${I} counts the rounds from 1. 'break' leaves the loop, 'continue' starts the next \
                round.
                """,
            examples: ["repeat 3 as i {\n    a> ping ${i}\n    a< PING ${i}\n}"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let count = Value(count: try call.required("N"))
        let name = call.argument("I")?.template.literalText
        compiler.compileRounds(call) { strand throws(Failure) in
            let count = try count.evaluate(in: strand)
            return Rounds(name: name, items: count > 0 ? [.numbers(1...count)] : [])
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
        try strand.nextRound() ? .jump(body) : .next
    }
}
