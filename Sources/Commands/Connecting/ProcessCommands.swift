import Engine
import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// `signal`: sends a signal to a program.
struct SignalCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "signal", summary: "send a signal to a program",
            forms: [
                Form(
                    .parameter(.target),
                    .parameter(Parameter("SIGNAL", .checked(signalProblem), suggestions: SignalName.all)))
            ],
            options: [CommandOption("--group", "signal the whole process group, as ^C at a terminal does")],
            text: "SIGNAL is a name such as TERM, SIGTERM or HUP, or a number.",
            examples: ["spawn server redis-server --port 7000\nsignal server TERM\nwait server status 0"],
            caveats: [
                "Signalling a program that has ended is a failure."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let signal = Value(try call.required("SIGNAL"), .checked(signalProblem)) {
            SignalName.number(of: String(decoding: $0, as: UTF8.self))
        }
        compiler.emit(
            SignalInstruction(
                target: try call.target(), signal: signal, isForGroup: call.has(option: "--group"), range: call.range))
    }
}

private func signalProblem(_ bytes: [UInt8]) -> String? {
    let text = Escapes.visible(bytes)
    return SignalName.number(of: text) == nil ? "'\(text)' is not a signal; write TERM, HUP, USR1 or a number" : nil
}

private struct SignalInstruction: Instruction {
    let target: Target
    let signal: Value<Int32>
    let isForGroup: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let number = try signal.evaluate(in: strand)
        for session in try strand.sessions(target, orFail: .connection) {
            let child = try session.requireChild()
            if let ending = child.ending {
                throw Failure(.connection, "\(session.name): cannot signal: the program \(ending.description)")
            }
            let name = SignalName.name(of: number).replacing("signal ", by: "")
            world.transcript.statement(
                "signal \(session.name) \(name)" + (isForGroup ? " --group" : ""))
            child.send(signal: number, toGroup: isForGroup)
        }
        return .next
    }
}

/// Returns the program status that `3` or `TERM` denotes; nil if the text is neither a number nor a signal.
private func statusNumber(_ text: String) -> Int? {
    Literals.count(text) ?? SignalName.number(of: text).map { 128 + Int($0) }
}

extension Parameter {
    fileprivate static var exitStatus: Parameter {
        Parameter(
            "N",
            .checked { bytes in
                let text = Escapes.visible(bytes)
                return statusNumber(text) == nil
                    ? "'\(text)' is not an exit status or a signal; write a number, or a name such as TERM" : nil
            },
            suggestions: SignalName.all)
    }
}

/// `wait`: waits until a program has ended.
struct WaitCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "wait", summary: "wait for a program to end",
            forms: [
                Form(
                    .parameter(Parameter("NAME", .session)),
                    .optional([.keyword("status"), .parameter(.exitStatus)]), .within)
            ],
            resultNames: ["status"],
            text: """
                ${status} is then its exit status, or 128 plus the signal number if a signal killed it. With 'status \
                N' (a number or a signal name) any other status is a failure.
                """,
            examples: ["spawn job sh -c \"exit 3\"\nwait job status 3 within 2s\nprint \"it ended with ${status}\""],
            caveats: [
                "Output that the program wrote before its end can still be read."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            WaitInstruction(
                name: try call.target("NAME"),
                status: call.argument("N").map {
                    Value($0, Parameter.exitStatus.kind) { statusNumber(String(decoding: $0, as: UTF8.self)) }
                }, limit: call.within,
                range: call.range))
    }
}

private struct WaitInstruction: Instruction {
    let name: Target
    let status: Value<Int>?
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let sessions = try strand.sessions(name, orFail: .expectation)
        for session in sessions { _ = try session.requireChild() }
        let given = try limit?.evaluate(in: strand)
        return .wait(
            EndingWait(
                sessions, status: try status?.evaluate(in: strand),
                limit: given.map(world.settings.scaled) ?? world.defaultLimit(for: sessions),
                world))
    }
}

/// Waits until programs have ended.
private final class EndingWait: Wait {
    private let sessions: [Session]
    var queues: [WaitQueue] { sessions.map(\.waiters) }
    var limit: Duration?
    let wanted = "the end of the program"
    private let status: Int?
    private let world: World
    private var timer: Timer?
    /// The number of bytes received from each session when its program was found to have ended.
    private var heard: [String: Int] = [:]

    init(_ sessions: [Session], status: Int?, limit: Duration, _ world: World) {
        self.sessions = sessions
        self.status = status
        self.limit = limit
        self.world = world
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        for session in sessions {
            guard let ending = session.child?.ending else {
                guard isLate else { return false }
                throw failure(session, "timed out after \(shown(limit ?? .zero)): the program is still running")
            }
            guard isLate || hasCompleteOutput(session, strand) else { return false }
            session.noteEnding()
            if status != nil { session.isEndAwaited = true }
            strand.setResult("status", to: Array(String(ending.status).utf8))
            if let status, ending.status != status {
                throw failure(session, "expected status \(status), but the program \(ending.description)")
            }
        }
        return true
    }

    func cancel() {
        if let timer { world.loop.cancel(timer) }
    }

    /// When a program ends, its output is available but may not have been read; processes it started may keep the
    /// output open. So the output counts as complete when a turn of the loop receives nothing more.
    private func hasCompleteOutput(_ session: Session, _ strand: Strand) -> Bool {
        let received = session.channel.bytesReceived
        if session.inputHasEnded || heard[session.name] == received { return true }
        // A terminal is hung up when its session leader ends, so the end of the stream always arrives.
        if session.channel.kind == .terminal { return false }
        heard[session.name] = received
        cancel()
        timer = world.loop.schedule(after: .zero) { [weak strand] in strand?.wake() }
        return false
    }

    private func failure(_ session: Session, _ message: String) -> Failure {
        var failure = Failure(.expectation, "\(session.name): \(message)")
        failure.details = [.excerpt(session.excerpt())]
        failure.exchanges = session.exchanges
        return failure
    }
}

extension Session {
    /// Returns the program of the session; throws if there is none.
    fileprivate func requireChild() throws(Failure) -> ChildProcess {
        guard let child else {
            throw Failure(.expectation, "\(name): not a program; 'spawn' starts one")
        }
        return child
    }
}
