import Script
import VM
import Wire

/// `define`: makes a command of a block.
struct DefineCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "define", summary: "make a command of a block",
            forms: [
                Form(
                    .parameter(Parameter("NAME", .newCommand)),
                    .optional([.repeating(Parameter("PARAM", .localVariable))]), content: .statements)
            ],
            text: """
                'NAME ARG…' then runs the block with each ${PARAM} set to the word in its place. The block sees its \
                parameters and the variables of the script; 'let' of any other name sets a variable of the script, which \
                is how a result comes back. A command may call itself. It can be used before the line that defines it.
                """,
            examples: ["define login who {\n    a> USER ${who}\n    a<~ ^\\+OK\n}\nlogin joe"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        guard let name = call.word("NAME")?.template.literalText else { return }
        let program = compiler.subprogram(call.block) { $0.isInDefinition = true }
        compiler.define(
            Definition(
                name: name, parameters: call.words("PARAM").compactMap(\.template.literalText), program: program))
    }
}
