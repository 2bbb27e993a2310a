import Results
import Script
import VM

/// `help`: explains the commands, one command, or a topic such as the arrow lines.
struct HelpCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "help", summary: "explain commands and topics",
            forms: [Form(.optional([.parameter(Parameter("COMMAND", .command))]))],
            text: """
                'help' lists the commands, 'help COMMAND' explains one. The topics are: \
                \(Manual.topics.map(\.name).joined(separator: ", ")).
                """,
            examples: ["help", "help expect", "help arrows"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(HelpInstruction(topic: call.argument("COMMAND"), range: call.range))
    }
}

private struct HelpInstruction: Instruction {
    let topic: Argument?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let manual = Manual(CommandRegistry.standard().table)
        guard let topic else {
            world.page(fitted(manual.overview(own: world.definitions.names), to: world.output.width))
            return .next
        }
        let name = try strand.text(topic.template)
        let topics = Manual.topics
        guard
            let text = topics.first(where: { $0.name == name })?.text()
                ?? manual.help(for: name, screen: world.output.width)
        else {
            let known = CommandRegistry.standard().table.descriptions.map(\.name) + topics.map(\.name)
            let nearest = nearestSpelling(of: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
            throw Failure(
                .expectation, "unknown command or topic '\(name)'\(nearest)",
                details: [
                    "'help' lists the commands; the help topics are \(topics.map(\.name).joined(separator: ", "))"
                ],
                range: topic.range)
        }
        world.page(fitted(text, to: world.output.width))
        return .next
    }
}
