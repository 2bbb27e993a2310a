import Script
import VM
import Wire

/// `define`: turns a block into a command.
struct DefineCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "define", summary: "define a command",
            forms: [
                Form(
                    .parameter(Parameter("NAME", .newCommand)),
                    .optional([.repeating(Parameter("PARAM", .localVariable))]), content: .statements)
            ],
            text: """
                'NAME ARG…' then runs the block with each ${PARAM} set to the argument in its place. A command can \
                be used before the line that defines it, and may call itself.
                """,
            examples: ["define login who {\n    a> USER ${who}\n    a<~ ^\\+OK\n}\nlogin joe"],
            caveats: [
                """
                Parameters are local to the call, and so are variables of 'let --local'. 'let' sets a variable of the \
                script, or of the block of 'on' or 'parallel' that calls the command: this is how to return a result.
                """,
                """
                ${session}, ${error} and loop variables of the caller are not visible inside: pass them as \
                parameters.
                """,
                "A /regex/ cannot be passed as an argument: it would be searched for as text.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        guard let name = call.argument("NAME")?.template.literalText else { return }
        let program = compiler.subprogram(call.block) { $0.isInDefinition = true }
        compiler.define(
            Definition(
                name: name, parameters: call.arguments("PARAM").compactMap(\.template.literalText), program: program))
    }
}
