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
        let name = Element.optional([.keyword("as"), .parameter(Parameter("NAME", .newListener))])
        return CommandDescription(
            name: "bridge", summary: "relay between two sessions",
            forms: [
                Form(first, second, name, .keyword("for"), .parameter(.duration)), Form(first, second, name, .within),
            ],
            text: """
                Data from A is sent to B and vice versa, byte for byte, until both have ended. Unread data is \
                relayed first. The end of a stream and a reset are relayed too. With 'for D' the script continues \
                with the next line after D; with 'within D' a bridge that lasts longer is a failure.

                'as NAME' gives it a name while it lasts: another strand can then set faults with 'fault NAME', up from \
                A to B.

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
                first: first, second: second, name: call.argument("NAME").map { Value(name: $0) },
                limit: call.argument("D").map { Value(duration: $0) },
                endsInTime: call.keywords.contains("for"), range: call.range))
    }
}

private struct BridgeInstruction: Instruction {
    let first: Target
    let second: Target
    let name: Value<String>?
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
        let bridge = try name.map { name throws(Failure) in try world.bridge(named: try name.evaluate(in: strand)) }
        return .wait(BridgeWait(feeds[0], feeds[1], bridge, limit: limit, endsInTime: endsInTime, world))
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
    private let bridge: NamedBridge?
    private var hasStarted = false
    private var dueTimer: Timer?
    private var timer: Timer?
    /// How long an incomplete line waits for its end.
    private static let partPause = Duration.milliseconds(50)

    init(
        _ first: Feed, _ second: Feed, _ bridge: NamedBridge?, limit: Duration?, endsInTime: Bool, _ world: World
    ) {
        self.bridge = bridge
        sessions = [first.session, second.session]
        self.limit = limit
        self.endsInTime = endsInTime
        self.world = world
        relays = [
            Relay(from: first, to: second.session, flow: bridge?.flow(.up), world.transcript),
            Relay(from: second, to: first.session, flow: bridge?.flow(.down), world.transcript),
        ]
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !hasStarted {
            hasStarted = true
            let name = bridge.map { " as \($0.name)" } ?? ""
            world.transcript.note("bridge \(sessions[0].name) \(sessions[1].name)\(name)")
            bridge?.wake = { [weak strand] in strand?.wake() }
        }
        for relay in relays { try relay.advance() }
        let isOver = relays.allSatisfy(\.isOver) || relays.contains(where: \.isCut)
        wakeWhenDue(strand)
        if isOver || isLate { cancel() } else { passPartsLater(strand) }
        if isLate, !isOver, !endsInTime {
            throw Failure(.expectation, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
        }
        return isOver || isLate
    }

    /// Wakes the strand when a fault lets more data pass.
    private func wakeWhenDue(_ strand: Strand) {
        if let dueTimer { world.loop.cancel(dueTimer) }
        dueTimer = relays.compactMap(\.due).min().map { due in
            world.loop.schedule(at: due) { [weak strand] in strand?.wake() }
        }
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
        for timer in [timer, dueTimer].compactMap(\.self) { world.loop.cancel(timer) }
        (timer, dueTimer) = (nil, nil)
        bridge?.end()
        for relay in relays { relay.stop() }
    }
}
