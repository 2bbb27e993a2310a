import Reactor
import Script

/// `drain`: forgets what arrived and was not read.
struct DrainCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "drain", summary: "forget what arrived and was not read",
            forms: [Form(.parameter(.target), .optional([.keyword("for"), .parameter(.duration)]))],
            text: "With 'for D' everything that arrives within D is forgotten too.",
            examples: ["drain a", "drain * for 200ms"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            DrainInstruction(
                target: try call.target(), time: call.word("D").map { Value(duration: $0) }, range: call.range))
    }
}

private struct DrainInstruction: Instruction {
    let target: Target
    let time: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let sessions = try strand.sessions(target, orFail: .expectation)
        let wait = DrainWait(sessions, limit: try time?.evaluate(in: strand))
        guard wait.limit != nil else {
            wait.drain()
            return .next
        }
        return .wait(wait)
    }
}

private final class DrainWait: Wait {
    let wanted = "the end of the time to drain"
    let sessions: [Session]
    var limit: Duration?
    let succeedsLate = true
    let isReading = true

    init(_ sessions: [Session], limit: Duration?) {
        self.sessions = sessions
        self.limit = limit
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        drain()
        return isLate
    }

    func drain() {
        for session in sessions { session.drain() }
    }
}
