import DequeModule
import Reactor
import Script
import Wire

/// Runs compiled statements as strands in the loop: the world of one script, with its sessions and variables.
///
/// A strand runs until it waits; a change of a session, or a deadline, makes it ready again. `turn()` lets the ready
/// strands run, hands over the output and lets the loop wait once.
package final class Interpreter: ConversationObserver {
    package let loop: EventLoop
    package let sessions = SessionTable()
    package let transcript: Transcript
    package let redactor: Redactor
    package let variables: Variables
    package let output: any Output
    package var settings: Settings
    /// The built-in names that the composition knows: `file`, `dir`, `tmp`, `env.NAME`.
    package var environment: (String) -> String? = { _ in nil }
    /// Told of every change of a session, for the end of input and the prompt.
    package var onChange: ((Conversation) -> Void)?

    let registry: CommandRegistry
    /// What runs is one line typed by hand: a send then first forgets what was already shown.
    private(set) var isTypedLine = false
    private var ready: Deque<Strand> = []
    private var main: Strand?
    private var lastCaptures: [[UInt8]?] = []
    /// Whether no session is read because the reader of our output is far behind.
    private(set) var isHolding = false
    /// How the last statements ended: nil while they run.
    package private(set) var result: Result?

    /// How statements ended.
    package enum Result {
        case passed
        case failed(Failure)
        /// `exit` or `quit`, with the status if one was given.
        case exited(Int32?)
        /// Given up at the prompt.
        case cancelled
    }

    /// How much later a deadline is looked at again that passed while nothing was read.
    private static let holdingDelay = Duration.milliseconds(200)
    /// Steps a strand may take before the loop looks at the descriptors again.
    private static let stepsInTurn = 1000

    package init(
        on loop: EventLoop, settings: Settings, variables: Variables, redactor: Redactor, transcript: Transcript,
        output: any Output, registry: CommandRegistry
    ) {
        self.loop = loop
        self.settings = settings
        self.variables = variables
        self.redactor = redactor
        self.transcript = transcript
        self.output = output
        self.registry = registry
    }

    /// Whether statements are running.
    package var isRunning: Bool { main != nil }

    /// What the running statements wait for, and where.
    package var waiting: (wanted: String, range: SourceRange)? {
        guard let main, let wait = main.wait, let instruction = main.instruction else { return nil }
        return (wait.wanted, instruction.range)
    }

    /// Begins to run checked statements; `turn()` until `isRunning` is false, then look at `result`.
    ///
    /// Of what was just typed, the transcript on the screen does not show a second time what the line itself says.
    package func start(_ statements: [Statement], isTyped: Bool = false) {
        result = nil
        var compiler = Compiler(registry: registry, redactor: redactor)
        do {
            try compiler.compile(statements)
        } catch {
            result = .failed(Failure(.script, error.message, range: error.range))
            return
        }
        let strand = Strand(program: compiler.program, captures: lastCaptures, interpreter: self)
        main = strand
        isTypedLine = isTyped && statements.count == 1 && statements.allSatisfy(\.isSingleLine)
        transcript.hidesStatements = isTypedLine
        wake(strand)
    }

    /// Ends what runs with a failure: an interrupt, the time limit of the run.
    package func stop(_ failure: Failure) {
        guard let main else { return }
        finish(main, .failed(placed(failure, main)))
    }

    /// Gives up what runs, without a failure.
    package func cancel() {
        guard let main else { return }
        finish(main, .cancelled)
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
            resume(strand)
        }
    }

    func conversationChanged(_ conversation: Conversation) {
        if let strand = conversation.waiter { wake(strand) }
        onChange?(conversation)
    }

    /// Makes a waiting strand look again at what it waits for.
    func wake(_ strand: Strand) {
        guard !strand.isReady else { return }
        strand.isReady = true
        ready.append(strand)
    }

    /// The limit of a wait here that names none.
    func defaultLimit(for conversations: [Conversation]) -> Duration {
        let own = conversations.compactMap(\.timeout).max()
        return settings.scaled(own ?? settings.timeout)
    }

    /// A built-in variable.
    func builtIn(_ name: String, _ range: SourceRange) -> [UInt8]? {
        if name == "line" { return Array(String(range.line).utf8) }
        if name == "file" { return Array(range.source.name.utf8) }
        if name == "dir" { return Array((range.source.directory.isEmpty ? "." : range.source.directory).utf8) }
        if name.hasSuffix(".port"), let address = address(of: String(name.dropLast(5))) {
            return address.lastIndex(of: ":").map { Array(address[address.index(after: $0)...].utf8) }
        }
        if name.hasSuffix(".address"), let address = address(of: String(name.dropLast(8))) {
            return Array(address.utf8)
        }
        return environment(name).map { Array($0.utf8) }
    }

    /// An expectation was met; with -v the transcript says what it passed over and how long it took.
    func matched(_ conversation: Conversation, skippedFrom front: Int, since began: Instant) {
        guard settings.isVerbose else { return }
        let took = shown(loop.readClock() - began)
        let count = conversation.session.inbox.front - front
        transcript.note("\(conversation.name): met after \(took), \(shown(bytes: count)) consumed")
    }

    private func address(of name: String) -> String? {
        sessions[name]?.session.peer ?? sessions.service(named: name)?.address.description
    }

    private func resume(_ strand: Strand) {
        do {
            if let wait = strand.wait {
                guard try wait.check(strand, isLate: false) else { return }
                endWait(strand)
                strand.position += 1
            }
            try run(strand)
        } catch {
            finish(strand, .failed(placed(error, strand)))
        }
    }

    private func run(_ strand: Strand) throws(Failure) {
        for _ in 0..<Self.stepsInTurn {
            guard let instruction = strand.instruction else { return finish(strand, .passed) }
            if settings.isVerbose { showCommand(instruction) }
            switch try instruction.execute(in: strand, self) {
            case .next: strand.position += 1
            case .jump(let position): strand.position = position
            case .exit(let status): return finish(strand, .exited(status))
            case .wait(let wait):
                guard try wait.check(strand, isLate: false) else { return try begin(wait, strand) }
                strand.position += 1
            }
            if output.isCongested { break }
        }
        wake(strand)
    }

    private func begin(_ wait: any Wait, _ strand: Strand) throws(Failure) {
        strand.wait = wait
        strand.waitsFor = wait.conversations
        for conversation in strand.waitsFor { conversation.waiter = strand }
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
        do {
            if try wait.check(strand, isLate: true) {
                endWait(strand)
                strand.position += 1
                wake(strand)
            }
        } catch {
            finish(strand, .failed(placed(error, strand)))
        }
    }

    private func endWait(_ strand: Strand) {
        for conversation in strand.waitsFor { conversation.waiter = nil }
        strand.waitsFor = []
        if let timer = strand.timer { loop.cancel(timer) }
        strand.timer = nil
        strand.wait = nil
    }

    private func finish(_ strand: Strand, _ result: Result) {
        strand.wait?.cancel()
        endWait(strand)
        ready.removeAll { $0 === strand }
        strand.isReady = false
        guard strand === main else { return }
        lastCaptures = strand.captures
        main = nil
        transcript.hidesStatements = false
        self.result = result
    }

    private func placed(_ failure: Failure, _ strand: Strand) -> Failure {
        guard failure.range == nil else { return failure }
        var failure = failure
        failure.range = strand.instruction?.range
        return failure
    }

    private func showCommand(_ instruction: any Instruction) {
        let range = instruction.range
        let text = String(decoding: range.lineText[range.columns], as: UTF8.self)
        transcript.note(redactor.redacted("\(range.source.name):\(range.line): \(text)"))
    }

    /// While the reader of our output is far behind, no session is read: memory stays bounded.
    private func holdIfCongested() {
        guard output.isCongested != isHolding else { return }
        isHolding.toggle()
        for conversation in sessions.all { conversation.session.hold(isHolding) }
    }
}

extension Statement {
    /// Whether the line says all that it does, unlike a block or an included file.
    fileprivate var isSingleLine: Bool {
        if case .command(let call) = self { return call.block.isEmpty }
        return true
    }
}
