import Reactor
import Results
import Script
import Sessions
import VM

/// `drain`: discards unread data.
struct DrainCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "drain", summary: "discard unread data",
            forms: [Form(.parameter(.target), .optional([.keyword("for"), .parameter(.duration)]))],
            text: """
                Discard everything that has arrived and was not read. With 'for D' also discard what arrives during \
                D.
                """,
            examples: ["drain a", "drain * for 200ms"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let target = try call.target()
        compiler.drain(target)
        compiler.emit(
            DrainInstruction(
                target: target, time: call.argument("D").map { Value(duration: $0) }, range: call.range))
    }
}

private struct DrainInstruction: Instruction {
    let target: Target
    let time: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let sessions = try strand.sessions(target, orFail: .expectation)
        let feeds = sessions.map { strand.world.feed(of: $0, for: strand) }
        let wait = DrainWait(feeds, limit: try time?.evaluate(in: strand))
        guard wait.limit != nil else {
            wait.drain()
            return .next
        }
        return .wait(wait)
    }
}

private final class DrainWait: Wait {
    let wanted = "the end of the drain"
    private let feeds: [Feed]
    /// Retains the sessions during the wait.
    private let sessions: [Session]
    var queues: [WaitQueue] { feeds.map(\.waiters) }
    var limit: Duration?
    let succeedsLate = true
    let isReading = true

    init(_ feeds: [Feed], limit: Duration?) {
        self.feeds = feeds
        sessions = feeds.map(\.session)
        self.limit = limit
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        drain()
        return isLate
    }

    func drain() {
        for feed in feeds { feed.drain("drained") }
    }
}
