import Results
import Script
import VM

/// `sleep`: pauses the strand; everything else in the loop continues.
struct SleepCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "sleep", summary: "pause",
            forms: [Form(.keyword("forever")), Form(.parameter(.duration))],
            text: """
                Sessions and services keep working meanwhile. 'sleep forever' lasts until ^C or SIGTERM, for scripts \
                that act as a server.
                """,
            examples: ["sleep 200ms", "sleep forever"],
            caveats: [
                """
                To wait for an answer use expect, and to wait for a condition use retry: both continue as soon as \
                possible.
                """
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(SleepInstruction(time: call.argument("D").map { Value(duration: $0) }, range: call.range))
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
