import Script

/// `help`: the commands, one command, or the arrow lines.
struct HelpCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "help", summary: "explain the commands",
            forms: [Form(.optional([.parameter(Parameter("COMMAND", .command))]))],
            text: "'help' lists the commands, 'help COMMAND' explains one, 'help arrows' explains the arrow lines.",
            examples: ["help", "help expect", "help arrows"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(HelpInstruction(topic: call.word("COMMAND"), range: call.range))
    }
}

private struct HelpInstruction: Instruction {
    let topic: Word?
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let manual = Manual(interpreter.registry.table)
        guard let topic else {
            interpreter.print(Array(manual.overview.utf8))
            return .next
        }
        let name = try strand.text(topic.template)
        guard let text = name == "arrows" ? Manual.arrows : manual.help(for: name) else {
            let nearest = interpreter.registry.table.nearest(to: name).map { "; did you mean '\($0)'?" } ?? ""
            throw Failure(.expectation, "there is no command '\(name)'\(nearest)", range: topic.range)
        }
        interpreter.print(Array(text.utf8))
        return .next
    }
}
