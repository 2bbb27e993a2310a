import Engine
import Glibc
import Reactor
import Script

/// One run of the program: the loop, the output, the signals, and the scripts one after the other.
final class Shell {
    let invocation: Invocation
    let loop = EventLoop()
    let registry = CommandRegistry.standard()
    let reader: ScriptReader
    let start: Instant
    private let temporary = TemporaryDirectory()
    private let redactor = Redactor()
    private var transcriptFile: TranscriptFile?
    private var signals: Signals?
    private var interpreter: Interpreter?
    private var maxTimer: Timer?
    /// Why the run has to end before its script does: a signal, or the limit of its time.
    private(set) var interruption: Failure.Status?
    /// What the run is at when no statement waits: the end of its sessions, or standard input.
    private var endsInput = false
    var readsInput = false
    /// Who takes a signal before the shell does; true if that was all.
    var handleSignal: (Int32) -> Bool = { _ in false }

    init(_ invocation: Invocation) {
        self.invocation = invocation
        reader = ScriptReader(registry: registry, invocation: invocation)
        start = loop.readClock()
    }

    /// Runs what the options ask for; returns the exit status.
    func run() -> Int32 {
        if invocation.printsManual {
            writeAll(Array(Manual(registry.table).commandSection.utf8), to: STDOUT_FILENO)
            return 0
        }
        let scripts: [CheckedScript]
        do {
            scripts = try reader.readAll()
        } catch {
            say(error.words)
            return error.status.rawValue
        }
        if invocation.checksOnly { return 0 }
        // Only now: a script that is wrong costs nobody an old transcript.
        transcriptFile = invocation.transcript.map(TranscriptFile.init)
        if let problem = transcriptProblem {
            say(problem)
            return Failure.Status.connection.rawValue
        }
        let hasScript = !scripts.isEmpty
        let isAtTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        let hasPrompt = isAtTerminal && (!hasScript || invocation.staysAtPrompt)
        catchSignals(hasPrompt ? [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT] : [SIGINT, SIGTERM, SIGHUP])
        if hasScript { return runAll(scripts, thenPrompts: hasPrompt) }
        return hasPrompt ? Prompt(self).run() : PipedScript(self).run()
    }

    /// Puts everything away.
    func end() {
        temporary.remove()
        signals?.end()
    }

    /// A new world for a script: its own sessions and variables.
    func makeInterpreter(output: any Output) -> Interpreter {
        var settings = Settings()
        settings.timeout = invocation.timeout ?? settings.timeout
        settings.linger = invocation.linger ?? settings.linger
        settings.timeoutScale = invocation.timeoutScale
        settings.isVerbose = invocation.isVerbose
        settings.autoColor = ColorChoice.auto.isColored(STDOUT_FILENO)
        let transcript = Transcript(on: loop, start: start, redactor: redactor, sinks: sinks(output))
        transcript.usesColor = invocation.color.isColored(STDOUT_FILENO)
        transcript.showsTimestamps = invocation.showsTimestamps
        let definitions = invocation.definitions.map { ($0.name, Array($0.value.utf8)) }
        let interpreter = Interpreter(
            on: loop, settings: settings, variables: Variables(Dictionary(definitions) { _, last in last }),
            redactor: redactor, transcript: transcript, output: output, registry: registry)
        interpreter.environment = { [temporary] name in
            if name == "tmp" { return temporary.path }
            return name.hasPrefix("env.") ? environmentValue(String(name.dropFirst(4))) : nil
        }
        self.interpreter = interpreter
        return interpreter
    }

    /// Runs statements until they end; nil when they passed, otherwise the status of the run.
    func run(_ statements: [Statement], in interpreter: Interpreter, isTyped: Bool = false) -> Int32? {
        interpreter.start(statements, isTyped: isTyped)
        while interpreter.isRunning {
            interpreter.turn()
            if interpreter.output.isBroken { return Failure.Status.connection.rawValue }
        }
        switch interpreter.result {
        case .passed, nil: return nil
        case .cancelled:
            interpreter.transcript.note("interrupted")
            return nil
        case .exited(let status): return status ?? 0
        case .failed(let failure):
            report(failure, in: interpreter)
            return failure.status.rawValue
        }
    }

    /// Lets the sessions that are still open come to their end (muxsh(1), END OF INPUT).
    func endInput(of interpreter: Interpreter) -> Int32 {
        endsInput = true
        defer { endsInput = false }
        let ending = EndOfInput(interpreter)
        while !ending.isOver && interruption == nil && !interpreter.output.isBroken { interpreter.turn() }
        if let interruption { return interruption.rawValue }
        for note in ending.stillOpen + ending.problems {
            interpreter.output.diagnose(Array(redactor.redacted("muxsh: \(note)\n").utf8))
        }
        return ending.problems.isEmpty ? 0 : Failure.Status.connection.rawValue
    }

    /// Closes what a script has left, and waits until its output has been taken.
    func finish(_ interpreter: Interpreter) -> Int32? {
        interpreter.sessions.removeAll()
        interpreter.output.flush()
        // Once interrupted, what nobody reads is given up; a second signal comes while it is being waited for.
        while !interpreter.output.isDrained && interruption == nil { loop.turn() }
        if let interruption { return interruption.rawValue }
        if let problem = transcriptProblem { say(problem) }
        let isIncomplete = interpreter.output.isBroken || transcriptProblem != nil
        return isIncomplete ? Failure.Status.connection.rawValue : nil
    }

    /// Shows a failure, secrets hidden.
    func report(_ failure: Failure, in interpreter: Interpreter) {
        for conversation in interpreter.sessions.all { interpreter.transcript.showPart(of: conversation) }
        interpreter.output.diagnose(Array(redactor.redacted(failure.rendered).utf8))
    }

    /// The sessions that -o asks for, as statements. Their addresses were checked with the invocation.
    func openingStatements() -> [Statement] {
        var parser = reader.parser(for: SourceText(name: "-o"))
        for session in invocation.sessions {
            parser.feed(Array("open \(session.name) \(quotedWord(session.value))".utf8))
        }
        return parser.completed
    }

    private func runAll(_ scripts: [CheckedScript], thenPrompts: Bool) -> Int32 {
        var result: Int32 = 0
        let output = SwitchedOutput(on: loop)
        for (index, script) in scripts.enumerated() {
            let interpreter = makeInterpreter(output: output)
            let stays = thenPrompts && index == scripts.count - 1
            var status = run(openingStatements() + script.statements, in: interpreter)
            if stays && interruption == nil {
                return Prompt(self).run(
                    continuing: interpreter, on: output, status: result != 0 ? result : status ?? 0)
            }
            let hasExited = status != nil
            status = status ?? endInput(of: interpreter)
            let outputStatus = finish(interpreter)
            let final = outputStatus ?? status ?? 0
            if result == 0 || result == 77 { result = final }
            if interruption != nil || outputStatus != nil { break }
            // `exit` ends the whole run, not this script alone.
            if hasExited, case .exited = interpreter.result { break }
        }
        return result
    }

    private func sinks(_ output: any Output) -> [Transcript.Sink] {
        var sinks: [Transcript.Sink] = []
        if !invocation.isQuiet { sinks.append(.display { output.write($0) }) }
        if let transcriptFile { sinks.append(.file { transcriptFile.write($0) }) }
        return sinks
    }

    /// What is wrong with the file of --transcript, as a line, or nil.
    private var transcriptProblem: String? {
        transcriptFile?.problem.map { "muxsh: cannot write \(invocation.transcript ?? ""): \($0)\n" }
    }

    private func catchSignals(_ numbers: [Int32]) {
        signals = try? Signals(numbers, on: loop) { [unowned self] number in
            if handleSignal(number) { return }
            let status: Failure.Status =
                switch number {
                case SIGTERM: .terminated
                case SIGHUP: .hangup
                default: .interrupted
                }
            interrupted(status)
        }
        if let limit = invocation.maxTime {
            maxTimer = loop.schedule(at: start + limit) { [unowned self] in timeIsOver(limit) }
        }
    }

    private func interrupted(_ status: Failure.Status) {
        // The second one leaves at once, whatever is still under way.
        if interruption != nil {
            end()
            exit(status.rawValue)
        }
        interruption = status
        let words: String =
            switch status {
            case .interrupted: "interrupted"
            case .terminated: "terminated"
            default: "hung up"
            }
        interpreter?.stop(Failure(status, words + waitingWords))
    }

    private func timeIsOver(_ limit: Duration) {
        interruption = .expectation
        let failure = Failure(.expectation, "the run took longer than \(shown(limit))" + waitingWords)
        guard let interpreter else { return }
        if interpreter.isRunning {
            interpreter.stop(failure)
        } else {
            report(failure, in: interpreter)
        }
    }

    private var waitingWords: String {
        if let wanted = interpreter?.waiting?.wanted { return " while waiting for \(wanted)" }
        guard !endsInput else {
            let names = interpreter?.sessions.all.map(\.name).joined(separator: ", ") ?? ""
            return " while waiting for the end of \(names)"
        }
        return readsInput ? " while waiting for standard input" : ""
    }

    private func say(_ text: String) {
        writeAll(Array(text.utf8), to: STDERR_FILENO)
    }
}
