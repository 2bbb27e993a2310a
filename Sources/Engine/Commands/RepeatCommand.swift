import Script

/// `repeat`: runs a block a number of times.
struct RepeatCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "repeat", summary: "run a block N times",
            forms: [
                Form(
                    .parameter(Parameter("N", .count)),
                    .optional([.keyword("as"), .parameter(Parameter("I", .newVariable))]))
            ],
            hasBlock: true,
            text: "With 'as I', ${I} counts the rounds from 1.",
            examples: ["repeat 3 as i {\n    a> ping ${i}\n    a< PING ${i}\n}"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let start = compiler.position
        let name = call.word("I")?.template.literalText
        compiler.emit(RoundInstruction(body: start + 1, range: call.range))
        try compiler.compile(call.block)
        compiler.emit(RoundInstruction(body: start + 1, range: call.range))
        compiler.replace(
            at: start,
            with: LoopInstruction(
                count: Value(count: try call.required("N")), name: name, end: compiler.position, range: call.range))
    }
}

/// Enters the loop, or passes over it when there is no round.
private struct LoopInstruction: Instruction {
    let count: Value<Int>
    let name: String?
    let end: Int
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let count = try count.evaluate(in: strand)
        guard count > 0 else { return .jump(end) }
        strand.enter(Strand.Scope(remaining: count, name: name))
        return .next
    }
}

/// Begins the next round, or leaves the loop.
private struct RoundInstruction: Instruction {
    let body: Int
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        strand.nextRound() ? .jump(body) : .next
    }
}
