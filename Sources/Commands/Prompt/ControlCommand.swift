import Reactor
import Results
import Script
import VM

/// `control`: lets other prompts attach.
struct ControlCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "control", summary: "let other prompts attach",
            forms: [Form(.keyword("off")), Form(.parameter(Parameter("PATH", .path)))],
            text: """
                'muxsh attach PATH' is then a second prompt on the same sessions: it has its own line and its own \
                'talk', and everything is shown at both. 'muxsh attach PATH -c LINE' runs one command, for scripts. The \
                entries run one after the other, and Ctrl-C stops only one's own. PATH is a Unix socket that only the \
                same user can use. 'control off' detaches all prompts. The option --control does the same for a whole run.

                A script can thus be looked into while it runs: the entries of attached prompts run alongside it, and a \
                failure of theirs does not end it.
                """,
            examples: ["control /tmp/muxsh.control", "control off"],
            caveats: [
                "'interact', 'edit' and 'let --ask' need the terminal of the run: they do not work at attached prompts.",
                "A prompt that does not read its output is detached.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(AttachmentInstruction(path: call.argument("PATH").map { Value(path: $0) }, range: call.range))
    }
}

private struct AttachmentInstruction: Instruction {
    let path: Value<SystemString>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard let control = world.control else {
            throw Failure(.expectation, "no prompts can attach here", range: range)
        }
        guard let path = try path?.evaluate(in: strand) else {
            try control(nil)
            return .next
        }
        try control(path)
        world.transcript.hint("to attach: muxsh attach \(quotedArgument(path.description))")
        return .next
    }
}
