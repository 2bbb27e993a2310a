import Script
import VM

/// `break`: leaves the innermost loop.
struct BreakCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "break", summary: "leave the innermost loop", forms: [Form()],
            text: "The loop is the 'while', 'repeat' or 'for' around this line.",
            examples: ["while 1 == 1 {\n    expect a /n=(\\d+)/\n    if ${1} > 9 {\n        break\n    }\n}"],
            caveats: [
                "It cannot leave a 'test', a 'branch' or a defined command."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        try compiler.requireLoop(call)
        compiler.emitLeave(call.range, isBreak: true)
    }
}

/// `continue`: begins the next round of the innermost loop.
struct ContinueCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "continue", summary: "start the next round of the innermost loop", forms: [Form()],
            text: "The rest of the block is skipped.",
            examples: ["for i in 1..5 {\n    if ${i} == 3 {\n        continue\n    }\n    a> ${i}\n}"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        try compiler.requireLoop(call)
        compiler.emitLeave(call.range, isBreak: false)
    }
}

extension Compiler {
    fileprivate func requireLoop(_ call: CommandCall) throws(ScriptError) {
        guard place.loop == nil else { return }
        throw ScriptError(
            call.range, "'\(call.description.name)' outside a loop",
            hint: "use it inside while, repeat or for; it cannot leave a test, a branch or a defined command")
    }
}
