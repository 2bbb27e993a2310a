import Wire
import Commands
import Engine
import Results
import Sessions
import VM
import Glibc
import Reactor
import Script

/// One run of the program: the event loop, the output, the signals, and the scripts, which run one after the other.
final class Shell {
    let invocation: Invocation
    let loop = EventLoop()
    let registry = CommandRegistry.standard()
    private(set) lazy var reader = ScriptReader(registry: registry, invocation: invocation, files: files)
    private(set) lazy var files = FileReader(on: loop) { [unowned self] in interruption != nil }
    let start: Instant
    let standardOutput: OutputStream
    private let standardError: OutputStream
    /// All output that is written, and standard error.
    lazy var output = StandardOutput(
        reportsUseStandardOutput ? standardError : standardOutput, errors: standardError)
    /// The process state that spawned programs inherit: as it was before muxsh changed anything.
    private let stateBefore = ProcessState()
    private(set) lazy var children = Children(on: loop, state: stateBefore)
    let temporary = TemporaryDirectory()
    let secrets = Redactor()
    let passwords = Passwords()
    lazy var random = RandomNumbers(seed: invocation.seed)
    private let ports = Ports()
    lazy var diagnostics = Diagnostics(output, hiding: secrets)
    private var transcriptFile: OutputFile?
    private(set) lazy var control = ControlServer(on: loop, reader, passwords)
    let results = TestResults()
    var blessing = Blessing()
    var reports: Reports?
    /// Gives what happens to the reports that show it; nil if there are none.
    private lazy var events =
        invocation.reports.contains { $0.format.showsEvents }
        ? Events(on: loop, start: start) { [unowned self] in reports?.add($0) } : nil
    /// The number of tests that had ended when the current script began.
    var testsBefore = 0
    /// The reason why a script was skipped as a whole.
    var skipReason: String?
    var hasFailedOutsideTest = false
    var signals: Signals?
    /// The FIFO that has no reader yet.
    var awaitedFile: SystemString?
    var world: World?
    var maxTimer: Timer?
    /// Whether the blocks of `defer` have had their time after --max-time.
    var graceIsOver = false
    /// The reason why the run has to end before its script does: a signal, or its time limit.
    var interruption: Failure.Status?
    /// What the run is waiting for when no statement waits: the end of its sessions, or standard input.
    var endsInput = false
    var readsInput = false
    /// Whether the only thing left to do is to wait until the output has been read.
    var isDraining = false
    /// Ends the prompt with a status, since an entry of an attached prompt says so.
    var onExit: (Int32) -> Void = { _ in }
    /// Handles a signal before the shell does; returns true if nothing else has to be done.
    var handleSignal: (Int32) -> Bool = { _ in false }

    init(_ invocation: Invocation) {
        self.invocation = invocation
        start = loop.readClock()
        standardOutput = OutputStream(STDOUT_FILENO, on: loop)
        standardError =
            OutputStream.areSame(STDOUT_FILENO, STDERR_FILENO) ? standardOutput : OutputStream(STDERR_FILENO, on: loop)
        raiseDescriptorLimit()
        results.filter = invocation.filter.flatMap { try? Regex($0.bytes) }
        results.stopsAtFailure = invocation.stopsAtFailure
        results.rounds = invocation.rounds ?? 1
        results.onRecord = { [unowned self] in
            reports?.add($0)
            events?.add(.test($0), at: $0.range)
        }
    }

    /// Runs what the options request and waits until all output has been read; returns the exit status.
    func run() -> Int32 {
        guard catchSignals() else { return drain(Failure.Status.connection.rawValue) }
        return drain(runScripts())
    }

    /// Writes text that does not come from a script to standard output, or to standard error for a usage error. Returns
    /// the exit status.
    func show(_ text: String, isFailure: Bool) -> Int32 {
        guard catchSignals() else { return drain(Failure.Status.connection.rawValue) }
        guard !isFailure else {
            say(visibleLines(text))
            return drain(Failure.Status.usage.rawValue)
        }
        standardOutput.write(Array(visibleLines(text).utf8))
        return drain(0)
    }

    private func visibleLines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { visible(String($0)) }.joined(
            separator: "\n")
    }

    private func runScripts() -> Int32 {
        output.colorsMessages = invocation.color.isColored(STDERR_FILENO)
        if let path = invocation.attachment { return AttachedPrompt(self, path).run() }
        let scripts: [CheckedScript]
        do {
            scripts = try reader.readAll()
        } catch {
            if let interruption { return interruption.rawValue }
            say(error.message)
            return error.status.rawValue
        }
        if invocation.listsTests {
            list(scripts)
            return 0
        }
        if invocation.checksOnly { return 0 }
        if let runs = invocation.learningRuns { return learn(scripts, runs: runs) }
        if let status = openFiles() { return status }
        if !scripts.isEmpty { return runAll(scripts, thenPrompts: hasPrompt) }
        return hasPrompt ? Prompt(self).run() : PipedScript(self).run()
    }

    /// Prints the tests that the filter selects, a line each.
    private func list(_ scripts: [CheckedScript]) {
        for (name, range) in scripts.flatMap(\.statements.tests) where results.isSelected(name) {
            standardOutput.write(Array(visible("\(range.source.name):\(range.line): \(name)").utf8) + [0x0A])
        }
    }

    var hasPrompt: Bool {
        if invocation.attachment != nil { return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }
        return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
            && (!invocation.hasScript || invocation.staysAtPrompt)
    }

    var reportsUseStandardOutput: Bool { invocation.reports.contains { $0.path == nil } }

    /// Opens the files written besides standard output. This is done only now, so that an invalid script does not
    /// destroy an old transcript or report. Returns a status on failure.
    private func openFiles() -> Int32? {
        let reports = Reports(invocation.reports, standardOutput: standardOutput, on: loop)
        self.reports = reports
        transcriptFile = invocation.transcript.map { OutputFile(path: $0, on: loop) }
        let files = reports.files + (transcriptFile.map { [$0] } ?? [])
        while interruption == nil, let file = files.first(where: \.isAwaitingReader) {
            awaitedFile = file.path
            loop.turn()
        }
        awaitedFile = nil
        if let interruption {
            for file in files { file.abandon() }
            return interruption.rawValue
        }
        if let path = invocation.control {
            do throws(Failure) {
                try control.listen(at: path)
            } catch {
                for file in files { file.abandon() }
                say("muxsh: \(error.message)\n")
                return Failure.Status.connection.rawValue
            }
        }
        if let problem = fileProblem ?? reports.problem {
            for file in files { file.abandon() }
            say(problem)
            return Failure.Status.connection.rawValue
        }
        output.files = files.compactMap(\.stream) + (reportsUseStandardOutput ? [standardOutput] : [])
        reports.begin(diagnostics)
        return nil
    }

    /// Waits until all output has been read. Unread output is dropped when a signal arrives or the time limit is
    /// reached.
    private func drain(_ status: Int32) -> Int32 {
        isDraining = true
        let wasInterrupted = interruption != nil
        output.flush()
        while !output.isDrained && interruption == nil { loop.turn() }
        // A reader that is gone needs no message; any other problem is reported.
        if let problem = standardOutput.problem, problem != EPIPE {
            say("muxsh: cannot write standard output: \(problem == EBADF ? "it is closed" : errorMessage(problem))\n")
        }
        if !wasInterrupted, let interruption { return interruption.rawValue }
        return status == 0 && standardOutput.isBroken ? Failure.Status.connection.rawValue : status
    }

    /// Cleans up.
    func end() {
        control.close("the run has ended")
        temporary.remove()
        signals?.end()
    }

    /// Returns a new world for a script, with its own sessions and variables.
    func makeWorld(output: SwitchedOutput) -> World {
        var settings = Settings()
        settings.timeout = invocation.timeout ?? settings.timeout
        settings.linger = invocation.linger ?? settings.linger
        settings.timeoutScale = invocation.timeoutScale ?? 1
        settings.isVerbose = invocation.isVerbose
        settings.autoColor = ColorChoice.auto.isColored(STDOUT_FILENO)
        let transcript = Transcript(on: loop, start: start, redactor: secrets, sinks: sinks(output))
        transcript.usesColor = invocation.color.isColored(STDOUT_FILENO)
        transcript.showsTimestamps = invocation.showsTimestamps
        let definitions = invocation.definitions.map { ($0.name, $0.value.losslessBytes) }
        let world = World(
            on: loop, settings: settings, variables: Variables(Dictionary(definitions) { _, last in last }),
            secrets: secrets, transcript: transcript, output: output, results: results,
            children: children)
        world.environment = { [temporary] name throws(Failure) in
            if name == "tmp" { return try temporary.path() }
            guard name.hasPrefix("env."), let name = SystemString(name.dropFirst(4).utf8) else { return nil }
            return Environment.value(of: name)
        }
        if invocation.bless != nil || blessing.learned != nil { world.blessing = blessing }
        world.events = events
        world.random = random
        world.ports = ports
        let terminal = Environment.setting("TERM")?.description ?? ""
        world.sessions.has256Colors = terminal.includes("256color") || Environment.setting("COLORTERM") != nil
        self.world = world
        world.control = { [control] path throws(Failure) in try control.listen(at: path) }
        control.attach(to: world)
        return world
    }

    /// Returns the output of scripts: standard output, or standard error when a report uses standard output.
    func makeOutput() -> SwitchedOutput { SwitchedOutput(output, control) }

    /// Runs statements until they end. Returns nil when they passed, otherwise the status of the run.
    func run(
        _ script: CompiledScript, in world: World, as entry: World.Entry = .script(isWhole: false)
    ) -> Int32? {
        world.start(script, as: entry)
        return runToEnd(world)
    }

    /// Runs the blocks of `defer` at the end of a script that ended with `status`. Returns the status of their first
    /// failure if the script had none.
    func runDeferred(in world: World, after status: Int32?) -> Int32? {
        world.endBackgrounds()
        var status = status
        while !graceIsOver, !world.output.isBroken, world.startDeferred() {
            // A failure is told, but the run already has its status and its place in the reports.
            if status == nil || status == 0 {
                status = runToEnd(world) ?? status
            } else {
                while world.isRunning, !world.output.isBroken { world.turn() }
                if case .failed(let failure) = world.outcome { world.report(failure) }
            }
        }
        return status
    }

    private func runToEnd(_ world: World) -> Int32? {
        while world.isRunning {
            world.turn()
            if world.output.isBroken { return Failure.Status.connection.rawValue }
        }
        switch world.outcome {
        case .passed, nil: return nil
        case .cancelled:
            world.transcript.note("interrupted")
            return nil
        case .exited(let status): return status ?? 0
        case .failed(let failure): return status(of: failure, in: world)
        }
    }

    /// Reports a failure outside of a test, or that the script was skipped; returns its status.
    private func status(of failure: Failure, in world: World) -> Int32 {
        if failure.status == .skipped {
            skipReason = failure.message
            let place = failure.range.map { "\($0.description): " } ?? ""
            let reason = failure.message.isEmpty ? "" : ": \(failure.message)"
            world.diagnostics.report(line: "\(place)skipped\(reason)")
        } else {
            world.report(failure)
            reports?.add(failure, endsRun: !invocation.keepsGoing)
            hasFailedOutsideTest = true
        }
        return failure.status.rawValue
    }

    /// Reports the errors of a statement that cannot run.
    func refuse(_ errors: ScriptErrors, in world: World) {
        world.refuse(errors)
        guard invocation.keepsGoing, let first = errors.errors.first else { return }
        reports?.add(Failure(first), endsRun: false)
    }

    /// Returns the status with which a trigger has ended the script while no statement ran; nil when none has.
    func strayStatus(of world: World) -> Int32? {
        switch world.takeStrayOutcome() {
        case .failed(let failure): status(of: failure, in: world)
        case .exited(let status): status ?? 0
        case .passed, .cancelled, nil: nil
        }
    }

    /// Turns the loop while the prompt waits for a line. A failure of a trigger is shown, and the prompt continues.
    func turn(_ world: World) {
        world.turn()
        switch world.takeStrayOutcome() {
        case .failed(let failure): world.report(failure)
        case .exited where world.exitOfGuest != nil: onExit(world.exitOfGuest ?? 0)
        case .exited: world.transcript.note("'exit' in a trigger does not leave the prompt")
        case .passed, .cancelled, nil: break
        }
    }

    /// Closes the sessions that a script has left open, and waits until its output has been read.
    func finish(_ world: World) -> Int32? {
        for session in world.sessions.all { session.voice.showRest() }
        var recordProblem: Int32?
        do throws(Failure) {
            try world.endRecord()
        } catch {
            world.report(error)
            recordProblem = error.status.rawValue
        }
        world.sessions.removeAll()
        world.output.flush()
        while !children.isEmpty { loop.turn() }
        // After an interruption, unread output is dropped; a second signal can arrive during this wait.
        while !world.output.isDrained && interruption == nil { loop.turn() }
        if let interruption { return interruption.rawValue }
        if let problem = fileProblem { say(problem) }
        let isIncomplete = world.output.isBroken || fileProblem != nil
        return isIncomplete ? Failure.Status.connection.rawValue : recordProblem
    }

    private func sinks(_ output: SwitchedOutput) -> [Transcript.Sink] {
        var sinks: [Transcript.Sink] = []
        if !invocation.isQuiet, invocation.learningRuns == nil { sinks.append(.display { output.display($0) }) }
        if let transcriptFile { sinks.append(.file { transcriptFile.write($0) }) }
        return sinks
    }

    /// The problem with the file of --transcript, as a line, or nil.
    private var fileProblem: String? {
        transcriptFile.flatMap { file in
            file.problem.map { "muxsh: cannot write \(file.path.shown): \($0)\n" }
        }
    }

    func say(_ text: String) {
        diagnostics.report(text)
    }
}
