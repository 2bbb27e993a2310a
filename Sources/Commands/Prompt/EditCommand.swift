import Results
import Script
import VM

/// `edit`: has the user edit an entry of the history.
struct EditCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "edit", summary: "edit an entry in your editor",
            forms: [Form(.optional([.parameter(Parameter("N", .count))]))],
            text: """
                Opens the last entry, or entry N of 'history', in the program that VISUAL or EDITOR names (vi). The text \
                is then the line at the prompt, and Enter runs it. Ctrl-X Ctrl-E does the same with what is being typed. \
                Sessions are served meanwhile; what they send is counted.
                """,
            examples: ["edit", "edit 12"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(EditInstruction(number: call.argument("N").map { Value(count: $0) }, range: call.range))
    }
}

private struct EditInstruction: Instruction {
    let number: Value<Int>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard !strand.isGuest, let lines = world.history?(), world.terminal != nil else {
            let place = strand.isGuest ? "the prompt of the run, not at an attached one" : "the prompt"
            throw Failure(.expectation, "'edit' works only at \(place)", range: range)
        }
        guard let number = try number?.evaluate(in: strand) else {
            world.editRequest = lines.last { $0 != "edit" } ?? ""
            return .next
        }
        guard lines.indices.contains(number - 1) else {
            throw Failure(.expectation, "the history has no entry \(number)", range: range)
        }
        world.editRequest = lines[number - 1]
        return .next
    }
}
