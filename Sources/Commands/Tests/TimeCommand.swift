import Engine
import Reactor
import Results
import Script
import VM

/// `time`: measures how long a block takes.
struct TimeCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "time", summary: "measure how long a block takes",
            forms: [Form(.parameter(Parameter("NAME", .text)), content: .statements)],
            text: """
                The figures of all runs under NAME are written to standard output at the end of the script (at the \
                prompt, after the command): number of runs, runs per second, minimum, maximum, 50th, 90th and 99th \
                percentile, and a small histogram. The script reads them as ${NAME.count}, ${NAME.rate} (runs a \
                second) and the durations ${NAME.min}, ${NAME.mean}, ${NAME.p50}, ${NAME.p90}, ${NAME.p99}, \
                ${NAME.p999} and ${NAME.max}.
                """,
            examples: [
                "repeat 1000 {\n    time ping {\n        a> PING\n        a< +PONG\n    }\n}\ncheck ${ping.p99} < 50ms"
            ],
            caveats: [
                "A run that fails is not counted.",
                """
                The time includes the work of muxsh, which serves all sessions in one thread. To measure the server \
                under less load, pause between the runs: repeat N every D.
                """,
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        if let name = call.argument("NAME"), let text = name.template.literalText, isReservedName(text) {
            throw ScriptError(name.range, "'\(text)' is a built-in name and cannot name a block of 'time'")
        }
        compiler.emit(StartTimeInstruction(name: Value(string: try call.required("NAME")), range: call.range))
        compiler.depth += 1
        compiler.compile(block: call.block)
        compiler.depth -= 1
        compiler.emit(StopTimeInstruction(range: call.range))
    }
}

private struct StartTimeInstruction: Instruction {
    let name: Value<String>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        // In a round of an open schedule, the wait for a late round counts too.
        let began = strand.takeDueTime() ?? world.loop.readClock()
        strand.enter(Scope(guardian: Stopwatch(name: name, began: began)))
        return .next
    }
}

private struct StopTimeInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        let world = strand.world
        if let stopwatch = strand.guardian(Stopwatch.self) {
            world.latencies.add(stopwatch.name, from: stopwatch.began, to: world.loop.readClock())
        }
        strand.leaveScope()
        return .next
    }
}

private final class Stopwatch: Guardian {
    let name: String
    let began: Instant

    init(name: String, began: Instant) {
        self.name = name
        self.began = began
    }

    func recover(from failure: Failure, in strand: Strand, _ holdings: Holdings?) throws(Failure) {
        throw failure
    }
}

extension World {
    /// Prints the measurements of `time` since the last report.
    package func printLatencies() {
        for line in latencies.takeReport() { print(Array(line.utf8)) }
    }
}
