import Results
import Script
import VM

/// `try`: runs a block whose failure does not stop the script.
struct TryCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "try", summary: "run a block whose failure does not stop the script",
            forms: [Form(content: .statements)], alternative: .otherwise,
            text: """
                If a line in the block fails, the rest of the block is skipped and the 'else' block runs, with the \
                first line of the failure in ${error}.
                """,
            examples: ["try {\n    open a localhost:8080\n} else {\n    print \"not there: ${error}\"\n}"],
            caveats: [
                """
                To test that something is rejected, put 'fail' after it in the 'try' block, and check ${error} in \
                the 'else' block: it holds the message of 'fail' if nothing was rejected.
                """,
                "'exit', 'skip', ^C and --max-time are not failures.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let start = compiler.position
        compiler.emit(JumpInstruction(destination: 0, range: call.range))
        compiler.depth += 1
        compiler.compile(call.block)
        compiler.depth -= 1
        compiler.emit(EndScopeInstruction(range: call.range))
        let end = compiler.position
        compiler.emit(JumpInstruction(destination: 0, range: call.range))
        let otherwise = compiler.position
        compiler.depth += 1
        compiler.compile(block: call.otherwise ?? [])
        compiler.depth -= 1
        compiler.emit(EndScopeInstruction(range: call.range))
        compiler.replace(at: end, with: JumpInstruction(destination: compiler.position, range: call.range))
        compiler.replace(at: start, with: TryInstruction(otherwise: otherwise, range: call.range))
    }
}

private struct TryInstruction: Instruction {
    let otherwise: Int
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        strand.enter(Scope(guardian: TryGuardian(otherwise: otherwise)))
        return .next
    }
}

private final class TryGuardian: Guardian {
    private let otherwise: Int

    init(otherwise: Int) {
        self.otherwise = otherwise
    }

    func recover(from failure: Failure, in strand: Strand, _ holdings: Holdings?) throws(Failure) {
        guard failure.status != .skipped else { throw failure }
        strand.enter(Scope(names: [("error", failure.firstLine.losslessBytes)]))
        strand.position = otherwise
    }
}
