import Script
import VM

/// `while`: repeats a block while a condition holds.
struct WhileCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "while", summary: "repeat a block while a condition holds",
            forms: [Form(.condition, content: .statements)],
            text: "COND is as for 'if'. 'break' leaves the loop, 'continue' starts the next round.",
            examples: ["while ${n} < 10 {\n    let n ${n} + 1\n}"],
            caveats: [
                "A loop that waits for a server to change state polls it without a pause: use retry instead."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        guard let condition = call.condition else { throw ScriptError(call.range, "missing condition") }
        let start = compiler.position
        compiler.emit(JumpInstruction(destination: 0, range: call.range))
        // The condition follows the body, so a round needs no extra jump.
        compiler.compileLoop(call.block, scopes: 0) { compiler in
            let question = compiler.position
            compiler.replace(at: start, with: JumpInstruction(destination: question, range: call.range))
            compiler.emit(
                ConditionInstruction(condition: condition, is: true, destination: start + 1, range: call.range))
            return question
        }
    }
}
