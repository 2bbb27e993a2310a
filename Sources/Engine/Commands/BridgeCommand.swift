import Reactor
import Script
import Wire

/// `bridge`: passes on what each of two sessions says to the other.
struct BridgeCommand: Command {
    static var description: CommandDescription {
        let first = Element.parameter(Parameter("A", .session))
        let second = Element.parameter(Parameter("B", .session))
        return CommandDescription(
            name: "bridge", summary: "pass on between two sessions",
            forms: [
                Form(first, second, .keyword("for"), .parameter(.duration)), Form(first, second, .within),
            ],
            text: """
                What arrives from A is sent to B and the other way round, bytes as they are, until both sides have \
                ended; with 'for D' it goes on behind the bridge after D, with 'within D' a bridge that lasts longer is a \
                failure. An end of stream is passed on, and so is a reset; a side that does not read holds up the other. \
                Both sessions are in the transcript: the lines of B, with its 'open', are a script that plays the \
                client again (for a protocol whose lines end in CRLF open B with --eol crlf, so that sent lines end so then). \
                With --frame on one side each of its frames is a line of the other; a datagram is passed \
                on as one. What was unread before is passed on too.
                """,
            examples: [
                "listen proxy :8080\naccept proxy client within 1m\nopen server localhost:80\nbridge client server"
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let first = try call.target("A")
        let second = try call.target("B")
        compiler.read(first)
        compiler.read(second)
        compiler.emit(
            BridgeInstruction(
                first: first, second: second, limit: call.word("D").map { Value(duration: $0) },
                endsInTime: call.keywords.contains("for"), range: call.range))
    }
}

private struct BridgeInstruction: Instruction {
    let first: Target
    let second: Target
    let limit: Value<Duration>?
    let endsInTime: Bool
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let ends =
            try strand.sessions(first, orFail: .connection) + strand.sessions(second, orFail: .connection)
        guard ends.count == 2, ends[0] !== ends[1] else {
            throw Failure(.expectation, "a bridge needs two sessions", range: range)
        }
        let given = try limit?.evaluate(in: strand)
        let limit = endsInTime ? given : given.map(interpreter.settings.scaled)
        return .wait(BridgeWait(ends[0], ends[1], limit: limit, endsInTime: endsInTime, interpreter))
    }
}

/// Passes on in both directions until both have ended.
private final class BridgeWait: Wait {
    let sessions: [Session]
    let isReading = true
    var limit: Duration?
    var succeedsLate: Bool { endsInTime }
    var wanted: String { "the end of both \(sessions[0].name) and \(sessions[1].name)" }
    private let endsInTime: Bool
    private let interpreter: Interpreter
    private var lanes: [Lane]
    private var hasBegun = false

    init(_ first: Session, _ second: Session, limit: Duration?, endsInTime: Bool, _ interpreter: Interpreter) {
        sessions = [first, second]
        self.limit = limit
        self.endsInTime = endsInTime
        self.interpreter = interpreter
        lanes = [
            Lane(from: first, to: second, interpreter.transcript),
            Lane(from: second, to: first, interpreter.transcript),
        ]
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !hasBegun {
            hasBegun = true
            interpreter.transcript.note("bridge \(sessions[0].name) \(sessions[1].name)")
        }
        for index in lanes.indices { try lanes[index].advance() }
        let isOver = lanes.allSatisfy(\.isOver)
        if isOver || isLate { cancel() }
        if isLate, !isOver, !endsInTime {
            throw Failure(.expectation, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
        }
        return isOver || isLate
    }

    func cancel() {
        for index in lanes.indices {
            lanes[index].showPart()
            lanes[index].source.channel.hold(false, for: .bridge)
        }
    }
}

/// One direction of a bridge.
private struct Lane {
    let source: Session
    let sink: Session
    private let transcript: Transcript
    private(set) var isOver = false

    /// More than this waiting for the sink holds up the source.
    private static let highWater = 256 * 1024
    private static let longestPart = 65536

    init(from source: Session, to sink: Session, _ transcript: Transcript) {
        self.source = source
        self.sink = sink
        self.transcript = transcript
    }

    /// Whether something waits to be passed on.
    var hasNews: Bool { !source.channel.inbox.isEmpty || source.channel.inbox.messageEnds?.isEmpty == false }

    /// Passes on what is there; throws when it does not fit the other side's frames.
    mutating func advance() throws(Failure) {
        guard !isOver else { return }
        if sink.channel.output == .open { try passOn() }
        guard sink.channel.output == .open else { return abandon() }
        source.channel.hold(sink.channel.bytesWaiting > Self.highWater, for: .bridge)
        if source.inputHasEnded, !hasNews || needsMessages { try passOnEnd() }
    }

    func showPart() {
        transcript.showHeldBack(of: sink)
    }

    /// Whether one side has frames: then lines are passed on, and not bytes.
    private var needsMessages: Bool {
        source.framing.prefixLength != nil || sink.framing.prefixLength != nil
            || !source.framing.isDatagram && sink.framing.isDatagram
    }

    private func passOn() throws(Failure) {
        let inbox = source.channel.inbox
        if needsMessages {
            while let end = inbox.nextLineEnd() {
                let line = inbox.bytes(in: inbox.front..<end.text)
                let isReturn = source.framing == .line && line.last == UInt8(ascii: "\r")
                try sink.send(line: Array(line.dropLast(isReturn ? 1 : 0)), at: nil)
                Match(start: inbox.front, end: end.next, takesMessage: true).consume(from: source)
            }
            guard inbox.isFull, inbox.nextLineEnd() == nil else { return }
            throw Failure(
                .connection, "\(source.name): a line does not fit into the inbox (\(shown(bytes: inbox.limit)))",
                details: ["raise it with: set inbox SIZE"])
        } else if source.framing.isDatagram {
            while let end = inbox.messageEnds?.first {
                let datagram = inbox.bytes(in: inbox.front..<end)
                transcript.sent(datagram, by: sink)
                sink.relay(datagram)
                Match(start: inbox.front, end: end, takesMessage: true).consume(from: source)
            }
        } else if !inbox.isEmpty {
            show(inbox.bytes)
            sink.relay(inbox.bytes)
            source.drain()
        }
    }

    /// Shows the whole lines; the rest waits for its end.
    private func show(_ bytes: UnsafeRawBufferPointer) {
        guard !transcript.isSilent else { return }
        guard let feed = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
            sink.heldBack += bytes
            if sink.heldBack.count > Self.longestPart { showPart() }
            return
        }
        let lines = sink.heldBack + bytes[...feed]
        sink.heldBack = []
        lines.withUnsafeBytes { transcript.sent($0, by: sink) }
        sink.heldBack = Array(bytes[(feed + 1)...])
    }

    /// The source has ended in its way, and so does our side of the sink.
    private mutating func passOnEnd() throws(Failure) {
        isOver = true
        if needsMessages {
            if let gap = source.gap { throw Failure(.connection, "\(source.name): \(gap)") }
            // A last line without its ending is a frame like the others.
            let rest = Array(source.channel.inbox.bytes)
            if !rest.isEmpty { try sink.send(line: rest, at: nil) }
            source.drain()
        }
        showPart()
        if source.channel.input == .ended || source.channel.input == .closed {
            try? sink.endOutput()
        } else {
            cut(sink, because: source)
        }
    }

    /// The sink takes nothing any more: what the source says is lost, and it is told so.
    private mutating func abandon() {
        isOver = true
        showPart()
        source.channel.hold(false, for: .bridge)
        if case .failed = sink.channel.output, !source.inputHasEnded { cut(source, because: sink) }
    }

    private func cut(_ session: Session, because other: Session) {
        guard session.channel.isOpen else { return }
        transcript.note("\(session.name): cut, because \(other.name) was: \(other.inputState)")
        session.channel.close(reset: true)
    }
}
