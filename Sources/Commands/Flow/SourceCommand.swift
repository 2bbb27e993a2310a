import Script
import VM

/// `source`: runs the lines of another file at this point.
struct SourceCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "source", summary: "run the lines of another file",
            forms: [Form(.parameter(Parameter("FILE", .script)))],
            text: """
                FILE is relative to the file that contains this line. It is read and checked before anything runs. \
                It shares the sessions and variables of the script.
                """,
            examples: ["source login.mux"],
            caveats: [
                "FILE must be constant. A file cannot include itself."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(PassInstruction(range: call.range))
        compiler.compile(call.block)
    }
}
