import Library
import Script
import VM

/// `source`: runs the lines of another file at this point.
struct SourceCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "source", summary: "run the lines of another file",
            forms: [Form(.parameter(Parameter("FILE", .script, suggestions: Library.names.map { "<\($0)>" })))],
            text: """
                FILE is relative to the file that contains this line. It is read and checked before anything runs. \
                It shares the sessions and variables of the script.

                source <http>, <imap>, <redis> and <smtp> include commands for these protocols (muxsh(7), LIBRARIES); \
                a library is included only once.
                """,
            examples: ["source login.mux", "source <http>"],
            caveats: [
                "FILE must be constant. A file cannot include itself."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(PassInstruction(range: call.range))
        compiler.compile(call.block)
    }
}
