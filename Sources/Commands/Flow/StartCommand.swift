import Engine
import Reactor
import Results
import Script
import VM

/// `start`: runs a block concurrently with the script.
struct StartCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "start", summary: "run a block concurrently with the script",
            forms: [Form(.parameter(Parameter("NAME", .text)), content: .statements)],
            startsStrand: true,
            text: """
                The script continues immediately; 'join NAME' waits for the end of the block. A failure in it fails \
                the running test, or the script. The block ends with the script, or with the test that started it.
                """,
            examples: [
                "start watcher {\n    expect a \"alarm\" within 1m\n    print \"alarm\"\n}\nsleep 1s\njoin watcher within 1m"
            ],
            caveats: [
                "A NAME can be used again after its block has ended.",
                "'start' is not allowed inside 'parallel', 'on' and 'start'.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        guard !compiler.place.isInStrand else {
            throw ScriptError(call.range, "'start' is not allowed inside 'parallel', 'on' or 'start'")
        }
        compiler.emit(
            StartInstruction(
                name: Value(string: try call.required("NAME")), program: compiler.strand(call), range: call.range))
    }
}

private struct StartInstruction: Instruction {
    let name: Value<String>
    let program: Program
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        guard strand.place == nil else {
            throw Failure(.expectation, "'start' is not allowed inside 'parallel', 'on' or 'start'")
        }
        let name = try name.evaluate(in: strand)
        try strand.scheduler.requireRoom(forStrands: 1)
        let new = Strand(
            program: program, place: Strand.Place(title: "start \(visible(name))", range: range),
            environment: strand.environment, on: strand.scheduler)
        let background = try strand.world.startBackground(name, new)
        strand.holdings?.open(background)
        return .next
    }
}

/// `join`: waits for the end of a block of `start`.
struct JoinCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "join", summary: "wait for the end of a started block",
            forms: [Form(.parameter(Parameter("NAME", .text)), .within)],
            text: "If the block has already ended, join passes.",
            examples: ["start job {\n    sleep 10ms\n}\njoin job within 5s"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            JoinInstruction(name: Value(string: try call.required("NAME")), limit: call.within, range: call.range))
    }
}

private struct JoinInstruction: Instruction {
    let name: Value<String>
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard let background = try world.background(named: try name.evaluate(in: strand)) else { return .next }
        guard !background.contains(strand) else {
            throw Failure(.expectation, "a block cannot wait for its own end", range: range)
        }
        return .wait(
            JoinWait(
                background, limit: world.settings.scaled(try limit?.evaluate(in: strand) ?? world.settings.timeout)))
    }
}

private final class JoinWait: Wait {
    var limit: Duration?
    var wanted: String { "the end of '\(visible(background.name))'" }
    var queues: [WaitQueue] { [background.waiters] }
    private let background: Background

    init(_ background: Background, limit: Duration) {
        self.background = background
        self.limit = limit
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !background.isOpen { return true }
        guard !isLate else {
            throw Failure(.expectation, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
        }
        return false
    }
}
