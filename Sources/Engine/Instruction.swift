import Reactor
import Script

/// One step of a compiled script.
protocol Instruction {
    /// Where it stands in the script, for failures.
    var range: SourceRange { get }
    /// Does what can be done now; what has to be waited for is returned as a wait.
    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step
}

/// What an instruction answers.
enum Step {
    /// Go on with the next instruction.
    case next
    /// Go on with the instruction at this index.
    case jump(Int)
    /// Go on once this is over.
    case wait(any Wait)
    /// Run a defined command, then go on with the next instruction.
    case call(Call)
    /// End the run with this status, or with the script's own when nil.
    case exit(Int32?)
}

/// Something a strand waits for. It is checked when a session it names has changed, and ended at its deadline.
protocol Wait: AnyObject {
    /// The sessions whose changes matter.
    var sessions: [Session] { get }
    /// Whether it reads from them: no two strands may at the same time.
    var isReading: Bool { get }
    /// How long it may take, or nil for ever.
    var limit: Duration? { get set }
    /// Whether the end of the time is what is waited for, and no failure.
    var succeedsLate: Bool { get }
    /// What is waited for, in the script's notation.
    var wanted: String { get }
    /// Whether it is over; throws when it can no longer succeed. `isLate` at the deadline, for the last time.
    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool
    /// The instruction to go on with, or nil for the next one; asked when it is over.
    var destination: Int? { get }
    /// The strand goes away before it is over.
    func cancel()
}

extension Wait {
    var sessions: [Session] { [] }
    var isReading: Bool { false }
    var succeedsLate: Bool { false }
    var destination: Int? { nil }
    func cancel() {}
}

/// A compiled piece of a script that one strand or call runs from its first to its last instruction.
final class Program {
    fileprivate(set) var instructions: [any Instruction] = []
}

/// Turns statements into instructions, and finds what is wrong with where they stand.
struct Compiler {
    private(set) var program = Program()
    private(set) var errors: [ScriptError] = []
    /// The sessions that expectations may read, as globs.
    private(set) var readers: Set<String> = []
    /// Where the statements stand that are being compiled.
    private(set) var place = Place()
    /// How many scopes the instructions so far have entered and not left.
    var depth = 0
    /// Secrets that are written in the script are hidden before its first line runs.
    let redactor: Redactor
    let definitions: Definitions
    private let registry: CommandRegistry

    /// What surrounds a statement.
    struct Place {
        var isInTest = false
        /// Inside a block that runs beside the script.
        var isInStrand = false
        var isInDefinition = false
        /// The innermost loop that `break` and `continue` mean.
        var loop: Loop?
    }

    /// A loop whose end is not known yet: its `break` and `continue` instructions are filled in when it is.
    final class Loop {
        /// The scopes outside and inside of it.
        let outerDepth: Int
        let innerDepth: Int
        fileprivate(set) var breaks: [(index: Int, range: SourceRange)] = []
        fileprivate(set) var continues: [(index: Int, range: SourceRange)] = []

        init(outerDepth: Int, innerDepth: Int) {
            self.outerDepth = outerDepth
            self.innerDepth = innerDepth
        }
    }

    init(registry: CommandRegistry, redactor: Redactor, definitions: Definitions) {
        self.registry = registry
        self.redactor = redactor
        self.definitions = definitions
    }

    /// The index of the next instruction.
    var position: Int { program.instructions.count }

    mutating func compile(_ statements: [Statement]) {
        for statement in statements {
            do throws(ScriptError) {
                switch statement {
                case .arrow(let arrow):
                    if arrow.reads { read(arrow.target) }
                    emit(ArrowInstruction.make(arrow))
                case .command(let call): try registry.compile(call, into: &self)
                case .invocation(let invocation): emit(CallInstruction(invocation))
                }
            } catch {
                errors.append(error)
            }
        }
    }

    /// A program of its own, for what runs beside this one or is called.
    mutating func subprogram(_ statements: [Statement], change: (inout Place) -> Void) -> Program {
        var compiler = Compiler(registry: registry, redactor: redactor, definitions: definitions)
        compiler.place = place
        compiler.place.loop = nil
        change(&compiler.place)
        compiler.compile(statements)
        errors += compiler.errors
        readers.formUnion(compiler.readers)
        return compiler.program
    }

    /// Compiles statements inside a test.
    mutating func compileTest(_ statements: [Statement]) {
        let outer = place
        place.isInTest = true
        place.loop = nil
        compile(statements)
        place = outer
    }

    /// Compiles the body of a loop, which runs `scopes` deeper than the loop stands; then `end` tells where
    /// `continue` goes on, and emits what ends the loop.
    mutating func compileLoop(_ statements: [Statement], scopes: Int, end: (inout Compiler) -> Int) {
        let outer = place.loop
        let loop = Loop(outerDepth: depth, innerDepth: depth + scopes)
        place.loop = loop
        depth += scopes
        compile(statements)
        depth -= scopes
        place.loop = outer
        let next = end(&self)
        for (index, range) in loop.continues {
            replace(at: index, with: LeaveInstruction(depth: loop.innerDepth, destination: next, range: range))
        }
        for (index, range) in loop.breaks {
            replace(at: index, with: LeaveInstruction(depth: loop.outerDepth, destination: position, range: range))
        }
    }

    /// Emits a `break` or `continue` of the innermost loop.
    mutating func emitLeave(_ range: SourceRange, isBreak: Bool) {
        guard let loop = place.loop else { return }
        if isBreak { loop.breaks.append((position, range)) } else { loop.continues.append((position, range)) }
        emit(LeaveInstruction(depth: 0, destination: 0, range: range))
    }

    mutating func emit(_ instruction: any Instruction) {
        program.instructions.append(instruction)
    }

    /// Puts an instruction in a place that was left for it.
    mutating func replace(at index: Int, with instruction: any Instruction) {
        program.instructions[index] = instruction
    }

    /// Tells that an expectation may read sessions of this target. The session that a block of `on` answers does not
    /// count: what the block leaves unread is nobody's.
    mutating func read(_ target: Target) {
        let others = target.items.filter { $0.template.soleVariable != "session" }
        readers.formUnion(others.map(\.template.glob))
    }
}

/// Goes on elsewhere, out of some scopes.
struct LeaveInstruction: Instruction {
    let depth: Int
    let destination: Int
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) -> Step {
        strand.leave(to: depth)
        return .jump(destination)
    }
}

/// Goes on elsewhere.
struct JumpInstruction: Instruction {
    let destination: Int
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) -> Step { .jump(destination) }
}

/// Leaves the innermost scope.
struct EndScopeInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) -> Step {
        strand.leaveScope()
        return .next
    }
}
