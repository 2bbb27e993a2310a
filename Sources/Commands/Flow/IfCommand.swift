import Results
import Script
import VM

/// `if`: runs a block if a condition holds.
struct IfCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "if", summary: "run a block if a condition holds",
            forms: [Form(.condition, content: .statements)], alternative: .conditions,
            text: """
                COND is A == B or A != B (bytes); A < B, <=, > or >= (two numbers, two durations or two sizes); \
                A =~ /regex/ (sets the captures); 'defined NAME' (the variable has a value); or 'open NAME' (the \
                session is open and its peer has not ended it). 'not' in front negates a condition, 'and' and 'or' \
                combine conditions: 'not' binds first, then 'and', then 'or'.
                """,
            examples: [
                "if ${version} >= 7 {\n    a> NEW\n} else if ${version} =~ /^6/ {\n    a> OLD\n} else {\n"
                    + "    skip \"too old\"\n}"
            ],
            caveats: [
                "== compares bytes: 1 and 1.0 differ, and so do 1s and 1000ms."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        var jumps: [Int] = []
        for part in [call] + call.alternatives {
            guard let condition = part.condition else { throw ScriptError(part.range, "missing condition") }
            let start = compiler.position
            compiler.emit(JumpInstruction(destination: 0, range: part.range))
            compiler.compile(block: part.block)
            jumps.append(compiler.position)
            compiler.emit(JumpInstruction(destination: 0, range: part.range))
            compiler.replace(
                at: start,
                with: ConditionInstruction(
                    condition: condition, is: false, destination: compiler.position, range: part.range))
        }
        compiler.compile(block: call.otherwise ?? [])
        for jump in jumps {
            compiler.replace(at: jump, with: JumpInstruction(destination: compiler.position, range: call.range))
        }
    }
}

/// Jumps if a condition holds, or if it does not; otherwise continues with the next instruction.
struct ConditionInstruction: Instruction {
    let range: SourceRange
    private let question: Question
    private let isWanted: Bool
    private let destination: Int

    /// Jumps if the result of the condition is `isWanted`.
    init(condition: Condition, is isWanted: Bool, destination: Int, range: SourceRange) {
        question = Question(condition)
        self.isWanted = isWanted
        self.destination = destination
        self.range = range
    }

    func execute(in strand: Strand) throws(Failure) -> Step {
        return try question.holds(in: strand, range, nil) == isWanted ? .jump(destination) : .next
    }
}
