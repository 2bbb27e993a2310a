import Reactor
import Results
import Script

/// One path of execution through a script: a position in a program, with its calls, scopes, captures and current wait.
/// The script itself is one; branches, triggers and parallel rounds are others that run concurrently.
package final class Strand {
    /// Where it was started; nil for the script itself.
    package let place: Place?
    package let parent: Strand?
    /// Who started it, if that matters to the host; strands that it waits for inherit it.
    package var owner: AnyObject?
    /// The number of strands it is nested in.
    private let nesting: Int
    package private(set) var program: Program
    package var position = 0
    /// The blocks of the current call that it is in, innermost last.
    var scopes: [Scope] = []
    /// `${0}`, `${1}`, … of the last match in the current call.
    package internal(set) var captures: [[UInt8]?]
    /// The blocks of `defer` that run at its end, the last one first; those of the script itself are the host's.
    var deferred: [Call] = []
    /// Whether it ends because of something outside of it.
    var isEnding = false
    /// The calls that wait for the current one to return, innermost last.
    var callers: [Frame] = []
    /// A copy of the parameters and loop names where it was started.
    var inherited: [String: [UInt8]]
    /// The variables of a strand other than the script.
    var own: [String: [UInt8]]
    /// The variables that are the script's although this strand sets them.
    let shared: SharedNames
    /// The latest instant at which waits end: the end of a `retry`.
    private(set) var cutoff: Instant?
    /// The scheduler that runs it, with access to the host.
    package unowned let scheduler: Scheduler
    let variables: Variables
    /// The resources opened by the innermost block that closes what it opens; nil if there is no such block.
    package private(set) var holdings: Holdings?

    /// The current wait, and the timer that ends it.
    package var wait: (any Wait)?
    var timer: Timer?
    /// Whether the wait ends early because of `cutoff`.
    var isCut = false
    /// The queues that wake it.
    var waitsAt: [WaitQueue] = []
    /// Whether it is in the scheduler's queue.
    var isReady = false
    package var isFinished = false
    /// Whether other strands run before its next step.
    private var isPausing = false
    /// Called with the outcome when it ends.
    package var onEnd: (Scheduler.Outcome) -> Void = { _ in }

    /// Where a strand other than the script was started.
    package struct Place {
        /// Its name in failures: `branch writer`.
        package let title: String
        /// The line that started it.
        package let range: SourceRange
        /// Whether the triggers that it sets end with it.
        package let ownsTriggers: Bool

        package init(title: String, range: SourceRange, ownsTriggers: Bool = false) {
            self.title = title
            self.range = range
            self.ownsTriggers = ownsTriggers
        }
    }

    /// A call that waits for another call to return.
    struct Frame {
        let program: Program
        let position: Int
        let scopes: [Scope]
        let captures: [[UInt8]?]
        /// The call that it waits for.
        let call: Call
        /// Why blocks are being left, if the call is a block of `defer` that runs for that reason.
        let cause: Departure?
    }

    /// Why blocks are left before their end.
    package indirect enum Departure {
        /// A failure, until a guardian handles it.
        case failure(Failure)
        /// The strand ends from outside.
        case end(Scheduler.Outcome)
    }

    /// The maximum nesting of calls in a strand, and of strands in each other.
    private static let deepest = 1000
    private static let deepestStrands = 100
    private static let longStep = Duration.milliseconds(10)

    /// Creates the script's strand. `captures` are those of the code that ran before, for lines that come one by one.
    package init(program: Program, captures: [[UInt8]?], on scheduler: Scheduler) {
        self.program = program
        self.captures = captures
        self.scheduler = scheduler
        variables = scheduler.variables
        place = nil
        parent = nil
        nesting = 0
        inherited = [:]
        own = [:]
        shared = SharedNames()
    }

    /// Creates a strand that runs a block of `defer` at the end of the script.
    convenience init(calling call: Call, on scheduler: Scheduler) {
        self.init(program: Program(), captures: [], on: scheduler)
        begin(call, then: nil)
    }

    /// Creates a strand concurrent with the script. `parent`, if given, waits for it. It starts with a copy of the
    /// names visible where it was started, plus `names`.
    package init(
        program: Program, place: Place, environment: Environment, parent: Strand? = nil,
        names: [(String, [UInt8])] = [], on scheduler: Scheduler
    ) {
        self.program = program
        self.place = place
        self.parent = parent
        nesting = (parent?.nesting ?? 0) + 1
        owner = parent?.owner
        self.scheduler = scheduler
        variables = scheduler.variables
        holdings = parent?.holdings
        captures = environment.captures
        inherited = environment.names
        own = environment.own
        shared = program.shared
        cutoff = parent?.cutoff
        for (name, value) in names { inherited[name] = value }
    }

    /// The values that a strand inherits from the place where it is started.
    package struct Environment {
        fileprivate let names: [String: [UInt8]]
        fileprivate let own: [String: [UInt8]]
        package internal(set) var captures: [[UInt8]?]
    }

    /// A copy of the values visible here, except the script's variables.
    package var environment: Environment {
        Environment(names: visibleNames, own: own, captures: captures)
    }

    /// The current instruction, or nil at the end.
    package var instruction: (any Instruction)? {
        position < program.instructions.count ? program.instructions[position] : nil
    }

    /// Whether the next instruction is the first of a statement.
    var beginsStatement: Bool { program.beginsStatement(at: position) }

    /// Lets other strands run before the next step if this one has taken long, as a regex may.
    package func pauseIfLong(since began: Instant) {
        if scheduler.loop.readClock() - began > Self.longStep { isPausing = true }
    }

    /// Returns whether to pause now, and resets the request.
    func takePause() -> Bool {
        guard isPausing else { return false }
        isPausing = false
        return true
    }

    // MARK: Calls and scopes

    /// Enters a defined command.
    package func enter(_ call: Call) throws(Failure) {
        guard callers.count < Self.deepest else {
            throw Failure(.expectation, "calls are nested too deeply (limit \(Self.deepest))")
        }
        begin(call, then: nil)
    }

    func begin(_ call: Call, then cause: Departure?) {
        callers.append(
            Frame(
                program: program, position: position, scopes: scopes, captures: captures, call: call, cause: cause))
        program = call.definition.program
        position = 0
        scopes = [call.scope]
        captures = call.captures
    }

    /// Throws if strands inside this one would be nested too deeply.
    package func requireRoomForStrands() throws(Failure) {
        guard nesting < Self.deepestStrands else {
            throw Failure(.expectation, "strands are nested too deeply (limit \(Self.deepestStrands))")
        }
    }

    /// Returns from a call at the end of its code: to the instruction after it, or to what a block of `defer` has
    /// delayed. Returns the outcome at the end of the strand, nil if it continues.
    func returnFromCall() -> Scheduler.Outcome? {
        if callers.isEmpty {
            guard let call = deferred.popLast() else { return .passed }
            begin(call, then: nil)
            return nil
        }
        if let scope = scopes.first, !scope.deferred.isEmpty {
            begin(scope.deferred.removeLast(), then: nil)
            return nil
        }
        let cause = callers[callers.count - 1].cause
        leave(to: 0)
        restoreCaller()
        if let cause { return depart(cause) }
        position += 1
        return nil
    }

    func restoreCaller() {
        guard let frame = callers.popLast() else { return }
        program = frame.program
        position = frame.position
        scopes = frame.scopes
        captures = frame.captures
    }

    package func enter(_ scope: Scope) {
        scopes.append(scope)
        if scope.holds { holdings = Holdings(outer: holdings) }
        if let deadline = scope.guardian?.deadline { cutoff = min(cutoff ?? deadline, deadline) }
    }

    /// Leaves the innermost scope.
    package func leaveScope() {
        guard let scope = scopes.popLast() else { return }
        if scope.holds { holdings = holdings?.handOver() }
        if scope.guardian?.deadline != nil { cutoff = remainingCutoff }
    }

    /// Leaves scopes until `depth` of them remain in the current call.
    package func leave(to depth: Int) {
        // The parameter scope is below those that the compiler counts.
        let base = callers.isEmpty ? 0 : 1
        while scopes.count > depth + base { leaveScope() }
    }

    /// Returns the guardian of the innermost scope; the instruction knows its type.
    package func guardian<G: Guardian>(_ type: G.Type) -> G? { scopes.last?.guardian as? G }

    /// Begins the next round of the innermost loop. If there is none, leaves the loop and returns false.
    package func nextRound() throws(Failure) -> Bool {
        if let rows = scopes.last?.rounds?.rows {
            guard let row = try rows.next() else {
                leaveScope()
                return false
            }
            scopes.last?.names = row
            return true
        }
        guard scopes.last?.rounds?.advance() == true else {
            leaveScope()
            return false
        }
        return true
    }

    /// Begins the next round of the innermost loop's schedule and returns when it is due; nil without a schedule.
    package func nextDueTime() -> Instant? { scopes.last?.rounds?.schedule?.advance() }

    /// Returns, once in each round, when the round of the nearest loop with a schedule was due; nil without one.
    package func takeDueTime() -> Instant? {
        let scope =
            scopes.last { $0.rounds?.schedule != nil }
            ?? callers.lazy.reversed().compactMap { $0.scopes.last { $0.rounds?.schedule != nil } }.first
        defer { scope?.rounds?.schedule?.due = nil }
        return scope?.rounds?.schedule?.due
    }

    /// All guardians of the current position, innermost first, including those of the enclosing calls and strands.
    package var guardians: [any Guardian] {
        let own = (scopes.reversed() + callers.reversed().flatMap { $0.scopes.reversed() }).compactMap(\.guardian)
        return own + (parent?.guardians ?? [])
    }

    private var remainingCutoff: Instant? {
        guardians.compactMap(\.deadline).min()
    }
}
