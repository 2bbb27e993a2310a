import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// The world of one script: its sessions, triggers and settings, and the strands that run in it.
///
/// `turn()` runs the ready strands, flushes the output and lets the loop wait once.
package final class World: SessionObserver, Host {
    package let loop: EventLoop
    package let sessions: SessionTable
    package let children: Children
    package let transcript: Transcript
    /// The secrets that must not be shown.
    package let secrets: Redactor
    package let diagnostics: Diagnostics
    package let output: any Output
    package let results: TestResults
    package let latencies = Latencies()
    /// The sources of `${random}` and `${port.NAME}`, which the scripts of a run share.
    package var random = RandomNumbers(seed: nil)
    package var ports = Ports()
    /// When the script began.
    let beganAt: Instant
    package let variables: Variables
    package let definitions = Definitions()
    package var settings: Settings
    /// Returns the built-in variables that the composition supplies: `file`, `dir`, `tmp`, `env.NAME`.
    package var environment: (String) throws(Failure) -> SystemString? = { _ in nil }
    /// Called on every change of a session, for the end of input and the prompt.
    package var onChange: ((Session) -> Void)?

    /// Returns the lines typed earlier at a prompt; nil without a prompt.
    package var history: (() -> [String])?
    /// Takes the terminal from the prompt, with its usual settings, and gives it back; nil without a prompt.
    package var terminal: (lend: () -> Void, takeBack: () -> Void)?
    /// The prompt of the run, and those attached to it.
    package let seat: Seat
    package var guests: [Seat] = []
    /// Lets other prompts attach at a path, or at nil no longer; nil where that is impossible.
    package var control: ((SystemString?) throws(Failure) -> Void)?
    /// Talk mode, which gets typed lines that are not commands.
    package var talk: Talk? {
        get { seat.talk }
        set {
            seat.talk = newValue
            showUnseen()
        }
    }
    /// Whether a session has the terminal: displays show nothing then.
    package var isInteracting = false {
        didSet { if !isInteracting { showUnseen() } }
    }
    /// Called when the size of the terminal has changed, while a session has it.
    package var onResize: (() -> Void)?
    /// The text that the prompt has to give to the user's editor next; nil for none.
    package var editRequest: String?
    /// How each session was opened, for `reopen`.
    package var openings: [String: OpeningRequest] = [:]
    /// The source of the running statements: the lines of a script, or one line that was just typed.
    package private(set) var entry = Entry.script(isWhole: false)

    package private(set) lazy var scheduler: Scheduler = Scheduler(
        on: loop, host: self, variables: variables, definitions: definitions
    ) { [unowned self] status in
        if let strand = scheduler.running, strand.isGuest {
            exitOfGuest = status ?? 0
            strand.onEnd(.exited(status))
        }
        end(.exited(status))
    }
    package private(set) lazy var triggers = Triggers(self)
    /// What TLS servers have given to sessions to resume them, by name; also of sessions that are closed.
    package var tickets: [String: TLSTicket] = [:]
    /// With --bless, what arrived for each expected line; nil otherwise.
    package var blessing: Blessing?
    /// Gets what happens as data; nil if no report shows it.
    package var events: Events? {
        didSet {
            transcript.events = events
            sessions.events = events
            events?.place = { [weak self] in self?.scheduler.running?.instruction?.range }
        }
    }
    /// The statement of the script that is running, and how many tests had ended before it; nil without reports.
    private var statement: (range: SourceRange, tests: Int)?
    /// The file of `record`, and where it began; nil if nothing is being recorded.
    package var record: (path: SystemString, since: Recording.Mark)?
    /// The bridges that have names, while they last.
    var bridges: [String: NamedBridge] = [:]
    /// The running strands of `start`, by name.
    var backgrounds: [String: Background] = [:]
    /// All names that `start` has used.
    var startedNames: Set<String> = []
    private var main: Strand?
    /// Script lines for which a match that counted only at the time limit was already reported.
    private var cutLines: Set<String> = []
    private var lastCaptures: [[UInt8]?] = []
    /// Whether no session is read because the reader of our output is too slow.
    package private(set) var isHolding = false
    /// The status with which an entry of an attached prompt has ended the run; nil if none has.
    package private(set) var exitOfGuest: Int32?
    /// The outcome of the last statements, or of a trigger that ended the script; nil while statements run.
    package private(set) var outcome: Outcome?

    /// How statements end.
    package typealias Outcome = Scheduler.Outcome

    /// The source of statements.
    package enum Entry {
        /// A script. If it is whole, no statements follow, so data that its statements do not read need not be kept.
        case script(isWhole: Bool)
        /// A line typed at the prompt: it is already on the screen, and a send first discards the unread data that was
        /// shown.
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
        beganAt = loop.readClock()
        seat = Seat(since: beganAt)
        self.settings = settings
        self.variables = variables
        self.secrets = secrets
        diagnostics = Diagnostics(output, hiding: secrets)
        self.transcript = transcript
        self.output = output
        self.results = results
        transcript.hidesStatements = { [unowned self] in isTyped && scheduler.running?.owner == nil }
    }

    /// Whether statements are running.
    package var isRunning: Bool { main != nil }

    /// The current wait, or nil.
    package var wait: (any Wait)? { main?.wait }

    /// The description of the current wait, or nil.
    package var waiting: String? { wait?.wanted }

    /// Whether the running statement is a line that was just typed.
    package var isTyped: Bool { if case .typed = entry { true } else { false } }

    /// Begins to run a script; call `turn()` until `isRunning` is false, then read `outcome`.
    package func start(_ script: CompiledScript, as entry: Entry = .script(isWhole: false)) {
        outcome = nil
        self.entry = entry
        know(script)
        if case .script(isWhole: true) = entry {
            triggers.readers = script.program.reach.readable
        } else {
            triggers.readers = nil
        }
        begin(Strand(program: script.program, captures: lastCaptures, on: scheduler))
    }

    /// Begins to run an entry of an attached prompt alongside the script. `prepare` gets its strand before it runs.
    package func start(_ script: CompiledScript, for seat: Seat, _ prepare: (Strand) -> Void) {
        know(script)
        let strand = Strand(program: script.program, captures: [], on: scheduler)
        strand.owner = seat
        prepare(strand)
        scheduler.start(strand)
    }

    private func know(_ script: CompiledScript) {
        for definition in script.definitions { definitions[definition.name] = definition }
        for (name, value) in script.secrets { secrets.add(name: name, value: value) }
    }

    /// Begins to run the last block of `defer` that has not run yet; false if there is none.
    package func startDeferred() -> Bool {
        guard let strand = scheduler.nextDeferred() else { return false }
        outcome = nil
        begin(strand)
        return true
    }

    private func begin(_ strand: Strand) {
        main = strand
        strand.onEnd = { [unowned self, unowned strand] outcome in
            lastCaptures = strand.captures
            main = nil
            // A failure is reported before the end of its statement.
            if case .failed(let failure) = outcome, failure.status != .skipped {
            } else {
                endStatement(outcome, strand.captures)
            }
            self.entry = .script(isWhole: false)
            self.outcome = outcome
            if case .passed = outcome { return }
            triggers.cancelAll()
            endBackgrounds()
        }
        scheduler.start(strand)
    }

    /// Notes that a statement of the script begins, and that the one before it has passed.
    package func beginStatement(_ range: SourceRange, captures: [[UInt8]?]) {
        endStatement(.passed, captures)
        statement = (range, results.records.count)
    }

    private func endStatement(_ outcome: Outcome, _ captures: [[UInt8]?]) {
        guard let (range, tests) = statement else { return }
        statement = nil
        let failure: Failure?
        let status: Int32
        switch outcome {
        case .failed(let cause): (status, failure) = (cause.status.rawValue, cause)
        case .passed: (status, failure) = (results.status(from: tests) ?? 0, nil)
        case .exited(let given): (status, failure) = (given ?? 0, nil)
        case .cancelled: (status, failure) = (Failure.Status.interrupted.rawValue, nil)
        }
        let hidden = captures.map { $0.map { secrets.redacted($0) } }
        events?.add(.done(status: status, captures: hidden, failure: failure), at: range)
    }

    /// Ends the running statements with a failure: an interrupt, or the time limit of the run.
    package func stop(_ failure: Failure) {
        triggers.cancelAll()
        if let main { scheduler.stop(main, failure) }
    }

    /// Cancels the running statements, without a failure.
    package func cancel() {
        if let main { scheduler.end(main, .cancelled) }
    }

    /// Ends the whole script from a strand that runs alongside it.
    package func end(_ outcome: Outcome) {
        if let main { return scheduler.end(main, outcome) }
        triggers.cancelAll()
        self.outcome = outcome
    }

    /// Fails the script at its current statement with the failure of a strand that runs alongside it: a running test
    /// takes it.
    package func fail(_ failure: Failure) {
        guard let main else { return end(.failed(failure)) }
        scheduler.interrupt(main, failure)
    }

    /// Returns, once, how a trigger ended the script while no statements ran.
    package func takeStrayOutcome() -> Outcome? {
        guard main == nil, let outcome else { return nil }
        defer { self.outcome = nil }
        switch outcome {
        case .passed, .cancelled: return nil
        case .failed, .exited: return outcome
        }
    }

    /// Runs the ready strands, then waits once in the loop.
    package func turn() {
        let wasRunning = isRunning
        scheduler.runReady()
        output.flush()
        holdIfCongested()
        // The caller has to look at the outcome before anything waits.
        if wasRunning && !isRunning { return }
        if scheduler.hasReady && !output.isCongested { loop.requestImmediateTurn() }
        loop.turn()
    }

    /// Runs the ready strands as far as possible now.
    package func runReady() {
        scheduler.runReady()
    }

    /// Says which sessions now in sight have sent lines that were not shown.
    private func showUnseen() {
        for (name, count) in transcript.unseenCounts where talk?.includes(name) ?? true {
            _ = transcript.takeUnseen(of: name)
            transcript.hint("\(name): \(counted(count, "line")) not shown meanwhile: show \(name) --log")
        }
    }

    /// The session that `reopen` means at a prompt without a name: that of the talk, or the last one that has ended.
    package func lastEnded(at seat: Seat) -> String? {
        if let name = seat.talk?.onlyTarget, openings[name] != nil { return name }
        return sessions.all.last { $0.inputHasEnded && openings[$0.name] != nil }?.name
    }

    package func sessionChanged(_ session: Session) {
        triggers.look(at: session)
        onChange?(session)
    }

    /// Shows a failure on standard error, with secrets hidden, after all data that arrived before it.
    package func report(_ failure: Failure) {
        for session in sessions.all {
            if settings.isAtPrompt {
                session.voice.showPart()
            } else {
                session.voice.showRest()
            }
        }
        events?.add(.failed(failure), at: failure.range)
        diagnostics.report(failure)
        if main == nil { endStatement(.failed(failure), lastCaptures) }
    }

    /// Shows the errors of a statement that cannot run.
    package func refuse(_ errors: ScriptErrors) {
        for error in errors.errors { events?.add(.failed(Failure(error)), at: error.range) }
        diagnostics.report(errors.rendered)
        guard let first = errors.errors.first else { return }
        events?.add(
            .done(status: Failure.Status.script.rawValue, captures: [], failure: Failure(first)), at: first.range)
    }

    /// Returns the default time limit of a wait in these sessions.
    package func defaultLimit(for sessions: [Session]) -> Duration {
        let own = sessions.compactMap(\.timeout).max()
        return settings.scaled(own ?? settings.timeout)
    }

    /// Reports an expectation that was met and is about to be consumed. With -v the transcript shows what it skips and
    /// how long it took. A match that counts only because its time is up is noted.
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
        if let events {
            let captures = (match.captures ?? []).map { $0.map { secrets.redacted($0) } }
            events.add(
                .matched(
                    session: awaited.session.name, wanted: secrets.redacted(awaited.wanted), captures: captures,
                    took: loop.readClock() - began), at: range)
        }
        let took = shown(loop.readClock() - began)
        guard settings.isVerbose else {
            if isTyped, settings.isAtPrompt { transcript.hint("\(awaited.session.name): met after \(took)") }
            return
        }
        let count = match.end - awaited.feed.inbox.front
        transcript.note("\(awaited.session.name): met after \(took), \(shown(bytes: count)) consumed")
    }

    /// Reports, once for each script line, that a wait was met only because its time was up.
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

    /// Closes a service, and the connections it has accepted, at the end of the block that opened it.
    package func close(_ service: any Service, named name: String) {
        guard sessions.service(named: name) === service else { return }
        transcript.statement("close \(name)")
        sessions.removeService(name)
        for session in sessions.all where session.listener == name { sessions.remove(session.name) }
    }

    /// Returns the feed that a strand reads from a session.
    package func feed(of session: Session, for strand: Strand) -> Feed {
        session.filter == nil ? session.feed : triggers.feed(of: session, for: strand)
    }

    // MARK: Host

    package var outputLimit: Int { settings.inboxLimit }

    package func derive(_ value: [UInt8], from source: [UInt8], title: String) {
        guard !secrets.isEmpty, value.count >= Self.shortestDerived, secrets.occur(in: source) else { return }
        secrets.add(derived: value, name: title)
    }

    /// A shorter value computed from a secret reveals too little to be hidden, and would hide too much other text.
    private static let shortestDerived = 4

    package var isCongested: Bool { output.isCongested }
    package var isTracing: Bool { settings.isVerbose }

    package func trace(_ range: SourceRange) {
        transcript.note("\(range.source.name):\(range.line): \(String(lossless: range.shownStatement))")
    }

    /// Adds the programs that have failed to the failure of a wait, each with its last line: they may be the reason.
    /// Programs that were expected to end that way are omitted.
    package func explained(_ failure: Failure) -> Failure {
        var failure = failure
        for session in failedPrograms {
            guard let ending = session.child?.ending else { continue }
            // A strand's failure already lists the programs that were dead by then.
            failure.add(DeadProgram(name: session.name, ending: ending.description, lastLine: session.lastLine))
        }
        return failure
    }

    /// The programs that have failed although the script does not wait for their ends.
    private var failedPrograms: [Session] {
        sessions.all.filter { session in
            session.child?.ending.map { $0.status != 0 } == true && !session.isEndAwaited
        }
    }

    /// Whether a program has failed although the script does not wait for its end.
    var hasFailedProgram: Bool { !failedPrograms.isEmpty }

    package func didReport(_ failure: Failure) {
        for name in failure.reportedEnds {
            if let session = sessions[name], session.inputHasEnded { session.hasReportedEnd = true }
        }
        for name in failure.reportedRefusals { _ = sessions[name]?.takeRefusal() }
    }

    /// Pauses reading from all sessions while the reader of our output is too slow, so memory stays bounded.
    private func holdIfCongested() {
        guard output.isCongested != isHolding else { return }
        isHolding.toggle()
        for session in sessions.all { session.channel.hold(isHolding, for: .output) }
    }
}

extension Strand {
    /// The world that the strand runs in; commands reach it only through this property.
    package var world: World { unsafeDowncast(scheduler.host, to: World.self) }

    /// The prompt whose entry it is; that of the run for strands of a script.
    package var seat: Seat { owner as? Seat ?? world.seat }

    /// Whether it is an entry of an attached prompt, which has no terminal here.
    package var isGuest: Bool { owner is Seat }
}
