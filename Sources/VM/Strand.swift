import Reactor
import Functions
import Results
import Script

/// One path of execution through a script: a position in a program, with its calls, scopes, captures and current wait.
/// The script itself is one; branches, triggers and parallel rounds are others that run concurrently.
package final class Strand {
    /// Where it was started; nil for the script itself.
    package let place: Place?
    package let parent: Strand?
    /// The number of strands it is nested in.
    private let nesting: Int
    package private(set) var program: Program
    package var position = 0
    /// The blocks of the current call that it is in, innermost last.
    private var scopes: [Scope] = []
    /// `${0}`, `${1}`, … of the last match in the current call.
    package private(set) var captures: [[UInt8]?]
    /// The calls that wait for the current one to return, innermost last.
    var callers: [Frame] = []
    /// A copy of the parameters and loop names where it was started.
    private var inherited: [String: [UInt8]]
    /// The variables of a strand other than the script.
    private var own: [String: [UInt8]]
    /// The variables that are the script's although this strand sets them.
    private let shared: SharedNames
    /// The latest instant at which waits end: the end of a `retry`.
    private(set) var cutoff: Instant?
    /// The scheduler that runs it, with access to the host.
    package unowned let scheduler: Scheduler
    private let variables: Variables
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

        package init(title: String, range: SourceRange) {
            self.title = title
            self.range = range
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
        package var captures: [[UInt8]?]
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
        callers.append(
            Frame(program: program, position: position, scopes: scopes, captures: captures, call: call))
        program = call.definition.program
        position = 0
        scopes = [call.scope]
        captures = []
    }

    /// Throws if strands inside this one would be nested too deeply.
    package func requireRoomForStrands() throws(Failure) {
        guard nesting < Self.deepestStrands else {
            throw Failure(.expectation, "strands are nested too deeply (limit \(Self.deepestStrands))")
        }
    }

    /// Returns to the instruction after the call, at the end of a defined command; false if there is no caller.
    func returnFromCall() -> Bool {
        guard !callers.isEmpty else { return false }
        leave(to: 0)
        restoreCaller()
        position += 1
        return true
    }

    private func restoreCaller() {
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

    /// Notifies the guardians of all enclosing blocks that the script ends there with an external failure.
    package func abandon(with failure: Failure) {
        for scope in (callers.flatMap(\.scopes) + scopes).reversed() {
            scope.guardian?.abandon(with: failure, in: self)
        }
    }

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

    /// All guardians of the current position, innermost first, including those of the enclosing calls and strands.
    package var guardians: [any Guardian] {
        let own = (scopes.reversed() + callers.reversed().flatMap { $0.scopes.reversed() }).compactMap(\.guardian)
        return own + (parent?.guardians ?? [])
    }

    private var remainingCutoff: Instant? {
        guardians.compactMap(\.deadline).min()
    }

    /// Passes a failure to the innermost guardian that handles it and continues where that specifies; throws the
    /// failure on if there is none. Leaves the scopes and calls in between.
    package func recover(from failure: Failure) throws(Failure) {
        var failure = failure
        while true {
            while let scope = scopes.last {
                let held = scope.holds ? holdings : nil
                leaveScope()
                guard let guardian = scope.guardian else { continue }
                do throws(Failure) {
                    return try guardian.recover(from: failure, in: self, held)
                } catch {
                    failure = error
                }
            }
            guard !callers.isEmpty else { throw failure }
            restoreCaller()
        }
    }

    // MARK: Variables

    /// Sets the captures and named groups of a match.
    package func capture(_ values: [[UInt8]?], groups names: [(name: String, number: Int)] = []) {
        captures = values
        for group in names where group.number < values.count {
            guard let value = values[group.number] else { continue }
            if setLocal(group.name, value) { continue }
            if isShared(group.name) { variables[group.name] = value } else { own[group.name] = value }
        }
    }

    /// Sets the nearest parameter, loop name or local variable, otherwise a variable of the script or of this strand.
    package func set(_ variable: VariableReference, to value: [UInt8]) {
        if setLocal(variable.name, value) { return }
        if isShared(variable.name) { variable.set(value, in: variables) } else { own[variable.name] = value }
    }

    /// Sets a variable of the innermost block: of its scope, or else of the strand or script.
    package func setInBlock(_ variable: VariableReference, to value: [UInt8]) {
        guard let scope = scopes.last else {
            if place == nil { variable.set(value, in: variables) } else { own[variable.name] = value }
            return
        }
        if let index = scope.names.firstIndex(where: { $0.name == variable.name }) {
            scope.names[index].value = value
        } else {
            scope.names.append((variable.name, value))
        }
    }

    /// Whether a name that no block hides is a variable of the script.
    private func isShared(_ name: String) -> Bool { place == nil || shared.contains(name) }

    /// Like `set`, with a whole number.
    package func set(_ variable: VariableReference, toInteger value: Int) {
        guard isShared(variable.name), local(variable.name) == nil else {
            return set(variable, to: Array(String(value).utf8))
        }
        variable.set(integer: value, in: variables)
    }

    /// Returns the value of a script variable as a whole number; nil if it is not set or not a whole number, or if a
    /// parameter or loop name hides it.
    package func integer(of variable: VariableReference) -> Int? {
        local(variable.name) == nil ? variable.integer(in: variables) : nil
    }

    /// Returns the value of a script variable that was calculated, without converting it to text; nil otherwise.
    package func calculated(_ variable: VariableReference) -> Int? {
        local(variable.name) == nil ? variable.calculated(in: variables) : nil
    }

    private func setLocal(_ name: String, _ value: [UInt8]) -> Bool {
        if scopes.isEmpty && place == nil { return false }
        for scope in scopes.reversed() {
            if scope.rounds?.name == name {
                scope.rounds?.override(value)
                return true
            }
            guard let place = scope.names.firstIndex(where: { $0.name == name }) else { continue }
            scope.names[place].value = value
            return true
        }
        guard callers.isEmpty, inherited[name] != nil else { return false }
        inherited[name] = value
        return true
    }

    /// Sets a built-in name for this strand. The value outlasts the current block.
    package func setResult(_ name: String, to value: [UInt8]) {
        if place == nil { variables[name] = value } else { own[name] = value }
    }

    /// The maximum size of a value in bytes. Without it, a variable that keeps doubling itself would take all memory.
    private static let longestText = 64 << 20

    /// Returns the bytes that `template` expands to.
    package func expand(_ template: Template) throws(Failure) -> [UInt8] {
        if let literal = template.literal { return literal }
        let bytes =
            if let only = template.soleExpansion {
                try value(of: only)
            } else {
                try template.expanded { expansion throws(Failure) in try value(of: expansion) }
            }
        guard bytes.count <= Self.longestText else {
            throw Failure(.expectation, "a value of \(bytes.count) bytes is too large (limit 64 MiB)")
        }
        return bytes
    }

    /// Returns the text that `template` expands to.
    package func text(_ template: Template) throws(Failure) -> String {
        String(lossless: try expand(template))
    }

    /// Returns the value of a variable that an instruction refers to; throws if it is not set.
    package func value(of variable: VariableReference) throws(Failure) -> [UInt8] {
        if let value = local(variable.name) ?? variable.value(in: variables) { return value }
        return try value(of: variable.name, variable.range)
    }

    /// Returns the value of an expansion: of its variable, with its functions applied. Throws if the variable is not set
    /// or a function cannot take the value.
    package func value(of expansion: Expansion) throws(Failure) -> [UInt8] {
        let name: String
        if let literal = expansion.literalName { name = literal } else { name = try text(expansion.name) }
        var value = try value(of: name, expansion.range)
        if expansion.functions.isEmpty { return value }
        // A short value between two functions is not kept as a secret, so each is traced to the first value.
        var origin = value
        for application in expansion.functions {
            value = try apply(application, to: value)
            if application.function.isHarmless { origin = value }
            scheduler.host.derive(value, from: origin, title: expansion.title)
        }
        return value
    }

    private func apply(_ application: Expansion.Application, to value: [UInt8]) throws(Failure) -> [UInt8] {
        var arguments: [[UInt8]] = []
        for argument in application.arguments { arguments.append(try expand(argument)) }
        do {
            return try Functions.apply(
                application.function, to: value, arguments, outputLimit: scheduler.host.outputLimit)
        } catch {
            throw Failure(.expectation, error.message, range: application.range)
        }
    }

    /// Returns the value of a variable; throws if it is not set.
    package func value(of name: String, _ range: SourceRange) throws(Failure) -> [UInt8] {
        if let value = try optionalValue(of: name, range) { return value }
        if let number = Literals.capture(name) {
            throw Failure(
                .expectation, "capture ${\(name)} is not set: \(whyMissing(capture: number))", range: range)
        }
        throw Failure(.expectation, "variable '\(name)' is not set", range: range)
    }

    private func whyMissing(capture number: Int) -> String {
        guard captures.isEmpty else {
            return number < captures.count
                ? "the group did not participate in the last match" : "the last match has no such group"
        }
        return "nothing has matched yet (each call has its own captures)"
    }

    /// Returns the value of a variable, or nil if it is not set.
    package func optionalValue(of name: String, _ range: SourceRange) throws(Failure) -> [UInt8]? {
        if let value = local(name) { return value }
        if let value = variables[name] { return value }
        if let number = Literals.capture(name) { return number < captures.count ? captures[number] : nil }
        return try scheduler.host.builtIn(name, range)
    }

    private func local(_ name: String) -> [UInt8]? {
        if scopes.isEmpty && place == nil { return nil }
        var index = scopes.count
        while index > 0 {
            index -= 1
            if let value = scopes[index].value(of: name) { return value }
        }
        if place == nil { return nil }
        if callers.isEmpty, let value = inherited[name] { return value }
        return own[name]
    }

    /// The parameters and loop names visible at the current position.
    private var visibleNames: [String: [UInt8]] {
        var names = callers.isEmpty ? inherited : [:]
        for scope in scopes {
            if let rounds = scope.rounds, let name = rounds.name { names[name] = rounds.value }
            for (name, value) in scope.names { names[name] = value }
        }
        return names
    }
}
