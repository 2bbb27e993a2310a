import Results
import Script
import VM

/// `defer`: runs a block when the block around it ends.
struct DeferCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "defer", summary: "run a block at the end, however the end comes",
            forms: [Form(content: .statements)],
            text: """
                The block runs when the test, the call of a defined command, or the script around it ends: after the \
                last line, after a failure, 'skip' or 'exit', and after ^C or --max-time. Several such blocks run in \
                reverse order. A failure in one is reported and does not replace an earlier failure.
                """,
            examples: [
                "open db localhost:6379 --eol crlf\ndb> SET job 1\ndefer {\n    db> DEL job\n    db< :1\n}\ndb< +OK"
            ],
            caveats: [
                "Parameters, loop variables and captures have the values of the 'defer' line.",
                "A second ^C ends muxsh immediately.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let program = compiler.subprogram(call.block) { _ in }
        compiler.emit(
            DeferInstruction(
                definition: Definition(name: "defer", parameters: [], program: program), range: call.range))
    }
}

private struct DeferInstruction: Instruction {
    let definition: Definition
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        strand.defer(definition, at: range)
        return .next
    }
}

/// Calls the next block of `defer` of the test that ends, or skips the jump that follows.
private struct RunDeferredInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        strand.nextDeferred().map { .call($0) } ?? .jump(strand.position + 2)
    }
}

extension Compiler {
    /// Emits the loop that runs the blocks of `defer` at the end of a test.
    mutating func emitDeferred(_ range: SourceRange) {
        let start = position
        emit(RunDeferredInstruction(range: range))
        emit(JumpInstruction(destination: start, range: range))
    }
}
