import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// `bridge`: relays data between two sessions.
struct BridgeCommand: Command {
    static var description: CommandDescription {
        let first = Element.parameter(Parameter("A", .session))
        let second = Element.parameter(Parameter("B", .session))
        return CommandDescription(
            name: "bridge", summary: "relay between two sessions",
            forms: [
                Form(first, second, .keyword("for"), .parameter(.duration)), Form(first, second, .within),
            ],
            text: """
                Data from A is sent to B and vice versa, byte for byte, until both have ended. Unread data is \
                relayed first. The end of a stream and a reset are relayed too. With 'for D' the script continues \
                with the next line after D; with 'within D' a bridge that lasts longer is a failure.

                Both sessions appear in the transcript. The lines of B, together with its 'open', are a script that \
                replays the client.
                """,
            examples: [
                "listen proxy :8080\naccept proxy client within 1m\nopen server localhost:80\nbridge client server"
            ],
            caveats: [
                "A slow reader slows the other side down (backpressure).",
                """
                With --frame on one side, each of its frames is one line on the other side. A datagram is relayed as \
                one datagram.
                """,
                "To replay a protocol whose lines end with CRLF, open B with --eol crlf.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let first = try call.target("A")
        let second = try call.target("B")
        compiler.read(first)
        compiler.read(second)
        compiler.emit(
            BridgeInstruction(
                first: first, second: second, limit: call.argument("D").map { Value(duration: $0) },
                endsInTime: call.keywords.contains("for"), range: call.range))
    }
}

private struct BridgeInstruction: Instruction {
    let first: Target
    let second: Target
    let limit: Value<Duration>?
    let endsInTime: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let ends =
            try strand.sessions(first, orFail: .connection) + strand.sessions(second, orFail: .connection)
        guard ends.count == 2, ends[0] !== ends[1] else {
            throw Failure(.expectation, "bridge needs two sessions", range: range)
        }
        let given = try limit?.evaluate(in: strand)
        let limit = endsInTime ? given : given.map(world.settings.scaled)
        let feeds = ends.map { world.feed(of: $0, for: strand) }
        return .wait(BridgeWait(feeds[0], feeds[1], limit: limit, endsInTime: endsInTime, world))
    }
}

/// Relays in both directions until both sessions have ended.
private final class BridgeWait: Wait {
    private let sessions: [Session]
    var queues: [WaitQueue] { relays.map(\.source.waiters) }
    let isReading = true
    var limit: Duration?
    var succeedsLate: Bool { endsInTime }
    var wanted: String { "both \(sessions[0].name) and \(sessions[1].name) to end" }
    private let endsInTime: Bool
    private unowned let world: World
    private let relays: [Relay]
    private var hasStarted = false
    private var timer: Timer?
    /// How long an incomplete line waits for its end.
    private static let partPause = Duration.milliseconds(50)

    init(_ first: Feed, _ second: Feed, limit: Duration?, endsInTime: Bool, _ world: World) {
        sessions = [first.session, second.session]
        self.limit = limit
        self.endsInTime = endsInTime
        self.world = world
        relays = [
            Relay(from: first, to: second.session, world.transcript),
            Relay(from: second, to: first.session, world.transcript),
        ]
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !hasStarted {
            hasStarted = true
            world.transcript.note("bridge \(sessions[0].name) \(sessions[1].name)")
        }
        for relay in relays { try relay.advance() }
        let isOver = relays.allSatisfy(\.isOver)
        if isOver || isLate { cancel() } else { passPartsLater(strand) }
        if isLate, !isOver, !endsInTime {
            throw Failure(.expectation, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
        }
        return isOver || isLate
    }

    /// Passes on incomplete lines after a while. They are held back where a trigger may match the whole line, but a
    /// peer that receives `login: ` answers before the line ends.
    private func passPartsLater(_ strand: Strand) {
        let sources = relays.map(\.source)
        guard timer == nil, sources.contains(where: \.holdsPart) else { return }
        timer = world.loop.schedule(after: Self.partPause) { [weak self, weak strand] in
            self?.timer = nil
            for source in sources { source.passPart() }
            strand?.wake()
        }
    }

    func cancel() {
        if let timer { world.loop.cancel(timer) }
        timer = nil
        for relay in relays { relay.stop() }
    }
}
