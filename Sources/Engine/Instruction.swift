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
    /// Go on with the next instruction once this is over.
    case wait(any Wait)
    /// End the run with this status, or with the script's own when nil.
    case exit(Int32?)
}

/// Something a strand waits for. It is checked when a session it names has changed, and ended at its deadline.
protocol Wait: AnyObject {
    /// The sessions whose changes matter.
    var conversations: [Conversation] { get }
    /// How long it may take, or nil for ever.
    var limit: Duration? { get }
    /// What is waited for, in the script's notation.
    var wanted: String { get }
    /// Whether it is over; throws when it can no longer succeed. `isLate` at the deadline, for the last time.
    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool
    /// The strand goes away before it is over.
    func cancel()
}

extension Wait {
    func cancel() {}
}

/// A compiled piece of a script: a flat list of instructions.
struct Program {
    var instructions: [any Instruction] = []
}

/// Turns statements into instructions.
struct Compiler {
    private(set) var program = Program()
    /// Secrets that are written in the script are hidden before its first line runs.
    let redactor: Redactor
    private let registry: CommandRegistry

    init(registry: CommandRegistry, redactor: Redactor) {
        self.registry = registry
        self.redactor = redactor
    }

    /// The index of the next instruction.
    var position: Int { program.instructions.count }

    mutating func compile(_ statements: [Statement]) throws(ScriptError) {
        for statement in statements {
            switch statement {
            case .arrow(let arrow): emit(try ArrowInstruction.make(arrow))
            case .command(let call): try registry.compile(call, into: &self)
            }
        }
    }

    mutating func emit(_ instruction: any Instruction) {
        program.instructions.append(instruction)
    }

    /// Puts an instruction in a place that was left for it.
    mutating func replace(at index: Int, with instruction: any Instruction) {
        program.instructions[index] = instruction
    }
}

/// A value that a word stands for: known at once when the word is constant, otherwise worked out when it runs.
struct Value<Result> {
    private let constant: Result?
    private let word: Word
    private let parse: ([UInt8]) -> Result?
    private let problem: ([UInt8]) -> String?

    /// `parse` reads the bytes; for those it refuses, `kind` has the words why.
    init(_ word: Word, _ kind: Parameter.Kind, _ parse: @escaping ([UInt8]) -> Result?) {
        self.word = word
        self.parse = parse
        problem = { kind.problem(with: $0) }
        constant = word.literal.flatMap(parse)
    }

    func evaluate(in strand: Strand) throws(Failure) -> Result {
        if let constant { return constant }
        let bytes = try strand.expand(word.template)
        guard let value = parse(bytes) else {
            throw Failure(
                .expectation, problem(bytes) ?? "'\(Escapes.escaped(bytes))' is not what is needed here",
                range: word.range)
        }
        return value
    }
}

extension Value where Result == Duration {
    init(duration word: Word) {
        self.init(word, .duration) { Literals.duration(String(decoding: $0, as: UTF8.self)) }
    }
}

extension Value where Result == Int {
    init(count word: Word) {
        self.init(word, .count) { Literals.count(String(decoding: $0, as: UTF8.self)) }
    }

    init(size word: Word) {
        self.init(word, .size) { Literals.size(String(decoding: $0, as: UTF8.self)) }
    }
}

extension Value where Result == [UInt8] {
    init(text word: Word) {
        self.init(word, .text) { $0 }
    }
}
