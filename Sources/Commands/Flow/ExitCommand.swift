import Results
import Script
import VM

/// `exit`: ends the run immediately.
struct ExitCommand: Command {
    static var description: CommandDescription {
        let status = Parameter(
            "N",
            .checked { bytes in
                guard let number = Literals.count(Escapes.visible(bytes)), number <= 255 else {
                    return "an exit status must be 0 to 255"
                }
                return nil
            })
        return CommandDescription(
            name: "exit", summary: "end the run",
            forms: [Form(.optional([.parameter(status)]))],
            text: "The run ends immediately with status N (default 0).",
            examples: ["exit", "exit 77"],
            caveats: [
                "It does not wait for data that servers may still send: 'expect' that first."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(ExitInstruction(status: call.argument("N").map { Value(status: $0) }, range: call.range))
    }
}

/// `quit`: leaves the prompt.
struct QuitCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "quit", summary: "leave the prompt",
            forms: [Form()],
            text: "Like exit. ^D on an empty line does the same.",
            examples: ["quit"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(ExitInstruction(status: nil, range: call.range))
    }
}

private struct ExitInstruction: Instruction {
    let status: Value<Int>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        .exit(try status.map { value throws(Failure) in Int32(try value.evaluate(in: strand)) })
    }
}

extension Value where Result == Int {
    fileprivate convenience init(status argument: Argument) {
        self.init(argument, .checked { _ in "an exit status must be 0 to 255" }) { bytes in
            Literals.count(String(decoding: bytes, as: UTF8.self)).flatMap { $0 <= 255 ? $0 : nil }
        }
    }
}
