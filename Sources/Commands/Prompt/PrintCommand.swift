import Engine
import Results
import Script
import VM
import Wire

/// `print`: writes text to standard output.
struct PrintCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "print", summary: "write text to standard output",
            forms: [Form(.repeating(Parameter("TEXT", .text))), Form()],
            options: [CommandOption("--raw", "write the bytes unchanged, without a newline at the end")],
            text: """
                The arguments are separated by one space each. Control bytes other than newline and tab are escaped.
                """,
            examples: ["print \"version: ${version}\"", "print done"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            PrintInstruction(arguments: call.arguments("TEXT"), isRaw: call.has(option: "--raw"), range: call.range))
    }
}

private struct PrintInstruction: Instruction {
    let arguments: [Argument]
    let isRaw: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        var text: [UInt8] = []
        for (index, argument) in arguments.enumerated() {
            if index > 0 { text.append(UInt8(ascii: " ")) }
            text += try strand.expand(argument.template)
        }
        world.print(text, isRaw: isRaw)
        return .next
    }
}

extension World {
    /// Writes a line of a command's output; at a prompt, one screen at a time.
    func page(_ text: String) {
        transcript.printed(diagnostics.page(text), isPage: true)
    }

    /// Writes output of a script or a command, with a newline unless `isRaw`.
    func print(_ text: [UInt8], isRaw: Bool = false) {
        transcript.printed(diagnostics.print(text, isRaw: isRaw))
    }
}
