import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// The world of one script: its sessions, triggers and settings, and the strands that run in it.
///
/// `turn()` lets the ready strands run, hands over the output and lets the loop wait once.
package final class World: SessionObserver, Host {
    package let loop: EventLoop
    package let sessions: SessionTable
    package let children: Children
    package let transcript: Transcript
    /// What must not be shown.
    package let secrets: Redactor
    package let diagnostics: Diagnostics
    package let output: any Output
    package let results: TestResults
    package let latencies = Latencies()
    package let variables: Variables
    package let definitions = Definitions()
    package var settings: Settings
    /// The built-in names that the composition knows: `file`, `dir`, `tmp`, `env.NAME`.
    package var environment: (String) throws(Failure) -> SystemString? = { _ in nil }
    /// Told of every change of a session, for the end of input and the prompt.
    package var onChange: ((Session) -> Void)?

    /// The lines typed before, at a prompt; nil where there is none.
    package var history: (() -> [String])?
    /// Where typed lines go, when they are no commands.
    package var talk: Talk?
    /// What the statements that run are: lines of a script, or one line that was just typed.
    package private(set) var entry = Entry.script(isWhole: false)

    package private(set) lazy var scheduler = Scheduler(
        on: loop, host: self, variables: variables, definitions: definitions
    ) { [unowned self] status in end(.exited(status)) }
    package private(set) lazy var triggers = Triggers(self)
    private var main: Strand?
    /// Lines of which it was said that a pattern was met by its limit.
    private var cutLines: Set<String> = []
    private var lastCaptures: [[UInt8]?] = []
    /// Whether no session is read because the reader of our output is far behind.
    package private(set) var isHolding = false
    /// How the last statements ended, or how a trigger ended the script beside them: nil while they run.
    package private(set) var outcome: Outcome?

    /// How statements ended.
    package typealias Outcome = Scheduler.Outcome

    /// Where statements come from.
    package enum Entry {
        /// A script. When it is whole no statements will follow, so that what none of these reads need not be kept.
        case script(isWhole: Bool)
        /// A line typed at the prompt: the screen shows already what it says, and a send first forgets what was shown.
        case typed
    }

    package init(
        on loop: EventLoop, settings: Settings, variables: Variables, secrets: Redactor, transcript: Transcript,
        output: any Output, results: TestResults = TestResults(), children: Children? = nil
    ) {
        let children = children ?? Children(on: loop, state: ProcessState())
        self.children = children
        sessions = SessionTable(children: children)
        self.loop = loop
        self.settings = settings
        self.variables = variables
        self.secrets = secrets
        diagnostics = Diagnostics(output, hiding: secrets)
        self.transcript = transcript
        self.output = output
        self.results = results
        transcript.hidesStatements = { [unowned self] in isTyped }
    }

    /// Whether statements are running.
    package var isRunning: Bool { main != nil }

    /// What the running statements wait for.
    package var waiting: String? { main?.wait?.wanted }

    /// Whether what runs is a line that was just typed.
    package var isTyped: Bool { if case .typed = entry { true } else { false } }

    /// Begins to run a script; `turn()` until `isRunning` is false, then look at `outcome`.
    package func start(_ script: CompiledScript, as entry: Entry = .script(isWhole: false)) {
        outcome = nil
        self.entry = entry
        for definition in script.definitions { definitions[definition.name] = definition }
        for (name, value) in script.secrets { secrets.add(name: name, value: value) }
        if case .script(isWhole: true) = entry {
            triggers.readers = script.program.reach.readable
        } else {
            triggers.readers = nil
        }
        let strand = Strand(program: script.program, captures: lastCaptures, on: scheduler)
        main = strand
        strand.onEnd = { [unowned self, unowned strand] outcome in
            lastCaptures = strand.captures
            main = nil
            self.entry = .script(isWhole: false)
            self.outcome = outcome
            if case .passed = outcome { return }
            triggers.cancelAll()
        }
        scheduler.start(strand)
    }

    /// Ends what runs with a failure: an interrupt, the time limit of the run.
    package func stop(_ failure: Failure) {
        triggers.cancelAll()
        if let main { scheduler.stop(main, failure) }
    }

    /// Gives up what runs, without a failure.
    package func cancel() {
        if let main { scheduler.cancel(main) }
    }

    /// A strand beside the script ends all of it.
    package func end(_ outcome: Outcome) {
        if let main { return scheduler.end(main, outcome) }
        triggers.cancelAll()
        self.outcome = outcome
    }

    /// Hands over how a trigger ended the script while no statements ran, once.
    package func takeStrayOutcome() -> Outcome? {
        guard main == nil, let outcome else { return nil }
        defer { self.outcome = nil }
        switch outcome {
        case .passed, .cancelled: return nil
        case .failed, .exited: return outcome
        }
    }

    /// Lets ready strands run, then waits once for the loop.
    package func turn() {
        let wasRunning = isRunning
        scheduler.runReady()
        output.flush()
        holdIfCongested()
        // The caller has to look at the outcome before anything is waited for.
        if wasRunning && !isRunning { return }
        if scheduler.hasReady && !output.isCongested { loop.requestImmediateTurn() }
        loop.turn()
    }

    /// Lets ready strands run as far as they can now.
    package func runReady() {
        scheduler.runReady()
    }

    package func sessionChanged(_ session: Session) {
        triggers.look(at: session)
        onChange?(session)
    }

    /// Shows a failure on standard error, secrets hidden, after all that was said before it.
    package func report(_ failure: Failure) {
        for session in sessions.all {
            if settings.isAtPrompt {
                session.voice.showPart()
            } else {
                session.voice.showRest()
            }
        }
        diagnostics.report(failure)
    }

    /// The limit of a wait here that names none.
    package func defaultLimit(for sessions: [Session]) -> Duration {
        let own = sessions.compactMap(\.timeout).max()
        return settings.scaled(own ?? settings.timeout)
    }

    /// An expectation was met, and is about to be consumed: with -v the transcript says what it passes over and how long
    /// it took. One that counts only because its time is over is noted.
    package func met(
        _ awaited: Awaited, _ match: Match, isCut: Bool, isLate: Bool, at range: SourceRange, since began: Instant,
        limit: Duration?
    ) {
        if isLate, awaited.feed.isLent(before: match.end) {
            note(awaited, range, "was held back for 'on' until the time limit; anchor the pattern of 'on' with ^")
        } else if isCut {
            note(
                awaited, range,
                "matched only at its time limit of \(shown(limit ?? .zero)), because more data could have lengthened the "
                    + "match; end the pattern with what follows the match, or use .*? to stop early")
        }
        guard settings.isVerbose else { return }
        let took = shown(loop.readClock() - began)
        let count = match.end - awaited.feed.inbox.front
        transcript.note("\(awaited.session.name): met after \(took), \(shown(bytes: count)) consumed")
    }

    /// Only the end of the time has met a wait: said once for each line of a script.
    private func note(_ awaited: Awaited, _ range: SourceRange, _ message: String) {
        guard cutLines.insert("\(range.source.identity ?? range.source.name):\(range.line)").inserted else { return }
        diagnostics.report(line: "\(range.description): note: \(awaited.session.name): \(awaited.wanted) \(message)")
    }

    package func session(_ session: Session, warns message: String) {
        diagnostics.report(line: "muxsh: \(session.name): \(message)")
    }

    package func sessionIsDone(_ session: Session) {
        guard sessions[session.name] === session else { return }
        session.voice.showRest()
        transcript.statement("close \(session.name)")
        sessions.remove(session.name)
    }

    /// Closes a service at the end of the block that opened it, and the connections that it has accepted.
    package func close(_ service: any Service, named name: String) {
        guard sessions.service(named: name) === service else { return }
        transcript.statement("close \(name)")
        sessions.removeService(name)
        for session in sessions.all where session.listener == name { sessions.remove(session.name) }
    }

    /// What a strand reads of a session.
    package func feed(of session: Session, for strand: Strand) -> Feed {
        session.filter == nil ? session.feed : triggers.feed(of: session, for: strand)
    }

    // MARK: Host

    package var isCongested: Bool { output.isCongested }
    package var isTracing: Bool { settings.isVerbose }

    package func trace(_ range: SourceRange) {
        transcript.note("\(range.source.name):\(range.line): \(String(lossless: range.shownStatement))")
    }

    /// With a failed wait it tells of the programs that have failed, each with the last that it said: they may be the
    /// reason. Programs that were to end as they did are no news.
    package func explained(_ failure: Failure) -> Failure {
        var failure = failure
        for session in sessions.all {
            guard let ending = session.child?.ending, ending.status != 0, !session.isEndAwaited else { continue }
            // A strand's failure has told of those that were dead by then.
            failure.add(DeadProgram(name: session.name, ending: ending.description, lastLine: session.lastLine))
        }
        return failure
    }

    package func told(_ failure: Failure) {
        for name in failure.reportedEnds {
            if let session = sessions[name], session.inputHasEnded { session.hasToldEnd = true }
        }
        for name in failure.reportedRefusals { _ = sessions[name]?.takeRefusal() }
    }

    /// While the reader of our output is far behind, no session is read: memory stays bounded.
    private func holdIfCongested() {
        guard output.isCongested != isHolding else { return }
        isHolding.toggle()
        for session in sessions.all { session.channel.hold(isHolding, for: .output) }
    }
}

extension Strand {
    /// The world that the strand runs in: the one place where commands reach it.
    package var world: World { unsafeDowncast(scheduler.host, to: World.self) }
}
