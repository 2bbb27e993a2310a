import Script
import VM

/// `source`: runs the lines of another file in this place.
struct SourceCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "source", summary: "run the lines of another file here",
            forms: [Form(.parameter(Parameter("FILE", .script)))],
            text: """
                FILE is relative to the file that says it, and is read and checked before anything runs. Its sessions and \
                variables are those of this script. A file cannot include itself.
                """,
            examples: ["source login.mux"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(PassInstruction(range: call.range))
        compiler.compile(call.block)
    }
}
