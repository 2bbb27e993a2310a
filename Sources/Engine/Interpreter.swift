import DequeModule
import Reactor
import Script
import Wire

/// Runs compiled statements as strands in the loop: the world of one script, with its sessions and variables.
///
/// A strand runs until it waits; a change of a session, or a deadline, makes it ready again. `turn()` lets the ready
/// strands run, hands over the output and lets the loop wait once.
package final class Interpreter: SessionObserver {
    package let loop: EventLoop
    package let sessions: SessionTable
    package let children: Children
    package let transcript: Transcript
    package let redactor: Redactor
    package let variables: Variables
    package let output: any Output
    package let results: TestResults
    package let latencies = Latencies()
    package var settings: Settings
    /// The built-in names that the composition knows: `file`, `dir`, `tmp`, `env.NAME`.
    package var environment: (String) throws(Failure) -> SystemString? = { _ in nil }
    /// Told of every change of a session, for the end of input and the prompt.
    package var onChange: ((Session) -> Void)?

    /// The lines typed before, at a prompt; nil where there is none.
    package var history: (() -> [String])?
    /// Where typed lines go, when they are no commands.
    package var talk: Talk?
    /// How a failure is shown; as `Failure.rendered` unless somebody knows better.
    package var renderFailure: (Failure) -> String = { $0.rendered }

    let registry: CommandRegistry
    package let definitions = Definitions()
    let barriers = Barriers()
    private(set) lazy var triggers = Triggers(self)
    /// What runs is one line typed by hand: a send then first forgets what was already shown.
    private(set) var isTypedLine = false
    private var ready: Deque<Strand> = []
    private var main: Strand?
    private var lastCaptures: [[UInt8]?] = []
    /// Whether no session is read because the reader of our output is far behind.
    package private(set) var isHolding = false
    /// How the last statements ended, or how a trigger ended the script beside them: nil while they run.
    package private(set) var result: Result?

    /// How statements ended.
    package enum Result {
        case passed
        case failed(Failure)
        /// `exit` or `quit`, with the status if one was given.
        case exited(Int32?)
        /// Given up at the prompt, or because another strand has failed.
        case cancelled
    }

    /// How much later a deadline is looked at again that passed while nothing was read.
    private static let holdingDelay = Duration.milliseconds(200)
    /// So many strands may run beside the script at a time: each takes memory before it has done anything.
    private static let mostStrands = 100_000
    private var strandCount = 0
    /// Steps a strand may take before the loop looks at the descriptors again.
    private static let stepsInTurn = 1000

    package init(
        on loop: EventLoop, settings: Settings, variables: Variables, redactor: Redactor, transcript: Transcript,
        output: any Output, registry: CommandRegistry, results: TestResults = TestResults(), children: Children? = nil
    ) {
        let children = children ?? Children(on: loop, state: ProcessState())
        self.children = children
        sessions = SessionTable(children: children)
        self.loop = loop
        self.settings = settings
        self.variables = variables
        self.redactor = redactor
        self.transcript = transcript
        self.output = output
        self.registry = registry
        self.results = results
    }

    /// Whether statements are running.
    package var isRunning: Bool { main != nil }

    /// What the running statements wait for.
    package var waiting: String? { main?.wait?.wanted }

    /// Begins to run checked statements; `turn()` until `isRunning` is false, then look at `result`.
    ///
    /// - Parameters:
    ///   - isTyped: of what was just typed, the transcript on the screen does not show a second time what the line says.
    ///   - isWhole: no statements will follow, so that what none of these reads need not be kept.
    package func start(_ statements: [Statement], isTyped: Bool = false, isWhole: Bool = false) {
        result = nil
        var compiler = Compiler(registry: registry, redactor: redactor, definitions: definitions)
        compiler.compile(statements)
        if let error = compiler.errors.first {
            result = .failed(Failure(.script, error.message, range: error.range))
            return
        }
        triggers.readers = isWhole ? compiler.readers : nil
        let strand = Strand(program: compiler.program, captures: lastCaptures, interpreter: self)
        main = strand
        strand.whenEnded = { [unowned self, unowned strand] result in
            lastCaptures = strand.captures
            main = nil
            transcript.hidesStatements = false
            self.result = result
            if case .passed = result { return }
            triggers.cancelAll()
        }
        isTypedLine = isTyped && statements.count == 1 && statements.allSatisfy(\.isSingleLine)
        transcript.hidesStatements = isTypedLine
        wake(strand)
    }

    /// Starts a strand beside the one that runs.
    func start(_ strand: Strand) {
        strandCount += 1
        wake(strand)
    }

    /// Throws when so many strands more would be too many.
    func requireRoom(forStrands count: Int) throws(Failure) {
        guard count <= Self.mostStrands - strandCount else {
            throw Failure(.expectation, "at most \(Self.mostStrands) strands run at once")
        }
    }

    /// Ends what runs with a failure: an interrupt, the time limit of the run.
    package func stop(_ failure: Failure) {
        triggers.cancelAll()
        guard let main else { return }
        let failure = placed(failure, main)
        main.abandon(with: failure)
        finish(main, .failed(failure))
    }

    /// Gives up what runs, without a failure.
    package func cancel() {
        guard let main else { return }
        finish(main, .cancelled)
    }

    /// A strand beside the script ends all of it.
    func end(_ result: Result) {
        if let main {
            if case .failed(let failure) = result { main.abandon(with: failure) }
            return finish(main, result)
        }
        triggers.cancelAll()
        self.result = result
    }

    /// Hands over how a trigger ended the script while no statements ran, once.
    package func takeStrayResult() -> Result? {
        guard main == nil, let result else { return nil }
        defer { self.result = nil }
        switch result {
        case .passed, .cancelled: return nil
        case .failed, .exited: return result
        }
    }

    /// Lets ready strands run, then waits once for the loop.
    package func turn() {
        let wasRunning = isRunning
        runReady()
        output.flush()
        holdIfCongested()
        // The caller has to look at the result before anything is waited for.
        if wasRunning && !isRunning { return }
        if !ready.isEmpty && !output.isCongested { loop.requestImmediateTurn() }
        loop.turn()
    }

    /// Lets ready strands run as far as they can now.
    package func runReady() {
        guard !output.isCongested else { return }
        for _ in 0..<ready.count {
            guard let strand = ready.popFirst() else { return }
            strand.isReady = false
            if !strand.isFinished { resume(strand) }
        }
    }

    func sessionChanged(_ session: Session) {
        triggers.look(at: session)
        wakeWaiting(for: session)
        onChange?(session)
    }

    func sessionClosed(_ session: Session) {
        wakeWaiting(for: session)
    }

    private func wakeWaiting(for session: Session) {
        if let strand = session.reader { wake(strand) }
        for strand in session.senders { wake(strand) }
    }

    /// Makes a waiting strand look again at what it waits for.
    func wake(_ strand: Strand) {
        guard !strand.isReady, !strand.isFinished else { return }
        strand.isReady = true
        ready.append(strand)
    }

    /// Ends a strand before its time.
    func cancel(_ strand: Strand) {
        finish(strand, .cancelled)
    }

    /// A session, listener or service was opened by `strand`.
    func opened(_ name: String, _ peer: AnyObject, by strand: Strand) {
        for guardian in strand.guardians { guardian.opened(name, peer) }
    }

    /// Shows a failure on standard error, secrets hidden, behind all that was said before it.
    package func report(_ failure: Failure) {
        for session in sessions.all {
            if settings.isAtPrompt {
                transcript.showPart(of: session)
            } else {
                transcript.showRest(of: session)
            }
        }
        output.diagnose(redactor.readable(renderFailure(failure)).losslessBytes)
    }

    /// The limit of a wait here that names none.
    func defaultLimit(for sessions: [Session]) -> Duration {
        let own = sessions.compactMap(\.timeout).max()
        return settings.scaled(own ?? settings.timeout)
    }

    /// An expectation was met; with -v the transcript says what it passed over and how long it took.
    func matched(_ session: Session, skippedFrom front: Int, since began: Instant) {
        guard settings.isVerbose else { return }
        let took = shown(loop.readClock() - began)
        let count = session.channel.inbox.front - front
        transcript.note("\(session.name): met after \(took), \(shown(bytes: count)) consumed")
    }

    /// A wait has failed: with it the programs that have failed, each in a line with the last that it said. They may be why.
    private func withDeadPrograms(_ failure: Failure) -> Failure {
        var failure = failure
        // A strand's failure has told of those that were dead by then.
        failure.details += deadPrograms.filter { !failure.details.contains($0) }
        return failure
    }

    /// Programs that were to end as they did are no news.
    private var deadPrograms: [String] {
        sessions.all.compactMap { session in
            guard let ending = session.child?.ending, ending.status != 0, !session.isEndAwaited else {
                return nil
            }
            let words = session.lastLine.map { "; it said last: \(quoted($0))" } ?? ""
            return "\(session.name) \(ending.words)\(words)"
        }
    }

    /// The front of a line for a message; no secret is cut by that.
    private func quoted(_ line: [UInt8]) -> String {
        var shown: [UInt8] = []
        line.withUnsafeBytes { redactor.appendEscaped($0, to: &shown, isCutBefore: true, isCutBehind: false) }
        return String(String.UnicodeScalarView(String(decoding: shown, as: UTF8.self).unicodeScalars.prefix(200)))
    }

    // MARK: Strands

    private func resume(_ strand: Strand) {
        do throws(Failure) {
            if let wait = strand.wait {
                guard try check(wait, strand, isLate: false) else { return }
                endWait(strand)
                strand.position = wait.destination ?? strand.position + 1
            }
            try run(strand)
        } catch {
            fail(strand, error)
        }
    }

    private func run(_ strand: Strand) throws(Failure) {
        for _ in 0..<Self.stepsInTurn {
            guard let instruction = strand.instruction else {
                if strand.returnFromCall() { continue }
                return finish(strand, .passed)
            }
            if settings.isVerbose { showCommand(instruction) }
            switch try instruction.execute(in: strand, self) {
            case .next: strand.position += 1
            case .jump(let position): strand.position = position
            case .call(let call): try strand.enter(call)
            case .exit(let status): return end(.exited(status))
            case .wait(let wait):
                try refuseSecondReader(wait, strand)
                if wait.isReading {
                    for session in wait.sessions { triggers.handOver(session, to: strand) }
                }
                guard try check(wait, strand, isLate: false) else { return begin(wait, strand) }
                strand.position = wait.destination ?? strand.position + 1
            }
            if output.isCongested { break }
        }
        wake(strand)
    }

    private func check(_ wait: any Wait, _ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        do throws(Failure) {
            return try wait.check(strand, isLate: isLate)
        } catch {
            throw withDeadPrograms(error)
        }
    }

    private func refuseSecondReader(_ wait: any Wait, _ strand: Strand) throws(Failure) {
        guard wait.isReading else { return }
        for session in wait.sessions {
            guard let other = session.reader, other !== strand else { continue }
            throw Failure(
                .expectation,
                "\(session.name): two strands wait for it at once: \(strand.description) and \(other.description)")
        }
    }

    private func begin(_ wait: any Wait, _ strand: Strand) {
        strand.wait = wait
        strand.waitsFor = wait.sessions
        for session in strand.waitsFor { session.tell(strand, isReader: wait.isReading) }
        strand.isCut = false
        if let cutoff = strand.cutoff, loop.readClock() + (wait.limit ?? .seconds(31_536_000)) > cutoff {
            strand.isCut = true
            wait.limit = max(.zero, cutoff - loop.readClock())
        }
        guard let limit = wait.limit else { return }
        strand.timer = loop.schedule(after: limit) { [unowned self, unowned strand] in deadlinePassed(strand) }
    }

    private func deadlinePassed(_ strand: Strand) {
        guard let wait = strand.wait else { return }
        if isHolding {
            // Nothing could arrive meanwhile: such time does not count.
            strand.timer = loop.schedule(after: Self.holdingDelay) { [unowned self, unowned strand] in
                deadlinePassed(strand)
            }
            return
        }
        do throws(Failure) {
            if strand.isCut && wait.succeedsLate {
                throw Failure(.expectation, "the time of 'retry' was over while waiting for \(wait.wanted)")
            }
            if try check(wait, strand, isLate: true) {
                endWait(strand)
                strand.position = wait.destination ?? strand.position + 1
                wake(strand)
            }
        } catch {
            fail(strand, error)
        }
    }

    /// Gives a wait that makes progress more time, at its deadline.
    func extend(_ strand: Strand, by time: Duration) {
        guard strand.wait != nil, !strand.isCut else { return }
        strand.timer = loop.schedule(after: time) { [unowned self, unowned strand] in deadlinePassed(strand) }
    }

    /// Gives a failure to the block that takes it, or ends the strand with it.
    private func fail(_ strand: Strand, _ failure: Failure) {
        let failure = placed(failure, strand)
        for name in failure.toldEnds {
            if let session = sessions[name], session.inputHasEnded { session.hasToldEnd = true }
        }
        strand.wait?.cancel()
        endWait(strand)
        do throws(Failure) {
            try strand.recover(from: failure)
            wake(strand)
        } catch {
            finish(strand, .failed(error))
        }
    }

    private func endWait(_ strand: Strand) {
        for session in strand.waitsFor { session.forget(strand) }
        strand.waitsFor = []
        if let timer = strand.timer { loop.cancel(timer) }
        strand.timer = nil
        strand.wait = nil
    }

    private func finish(_ strand: Strand, _ result: Result) {
        guard !strand.isFinished else { return }
        strand.isFinished = true
        if strand.title != nil { strandCount -= 1 }
        strand.wait?.cancel()
        endWait(strand)
        strand.whenEnded(result)
    }

    private func placed(_ failure: Failure, _ strand: Strand) -> Failure {
        var failure = failure
        failure.range = failure.range ?? strand.instruction?.range
        if failure.trace == nil, let range = failure.range { failure.trace = strand.trace(from: range) }
        return failure
    }

    private func showCommand(_ instruction: any Instruction) {
        let range = instruction.range
        transcript.note("\(range.source.name):\(range.line): \(String(lossless: range.shownStatement))")
    }

    /// While the reader of our output is far behind, no session is read: memory stays bounded.
    private func holdIfCongested() {
        guard output.isCongested != isHolding else { return }
        isHolding.toggle()
        for session in sessions.all { session.channel.hold(isHolding, for: .output) }
    }
}

extension Statement {
    /// Whether the line says all that it does, unlike a block, an included file or a defined command.
    fileprivate var isSingleLine: Bool {
        switch self {
        case .arrow: true
        case .command(let call): call.block.isEmpty
        case .invocation: false
        }
    }
}
