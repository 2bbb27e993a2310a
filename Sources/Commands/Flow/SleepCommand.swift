import Results
import Script
import VM

/// `sleep`: lets time pass; everything else in the loop goes on.
struct SleepCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "sleep", summary: "let time pass",
            forms: [Form(.keyword("forever")), Form(.parameter(.duration))],
            text: """
                Sessions and services go on meanwhile. 'sleep forever' ends by ^C or SIGTERM, for a script that serves. To \
                wait for an answer use expect, which goes on as soon as it is there.
                """,
            examples: ["sleep 200ms", "sleep forever"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(SleepInstruction(time: call.word("D").map { Value(duration: $0) }, range: call.range))
    }
}

private struct SleepInstruction: Instruction {
    let time: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        .wait(SleepWait(limit: try time?.evaluate(in: strand)))
    }
}

private final class SleepWait: Wait {
    var limit: Duration?
    let succeedsLate = true
    var wanted: String { "the end of the sleep" }

    init(limit: Duration?) {
        self.limit = limit
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool { isLate }
}
