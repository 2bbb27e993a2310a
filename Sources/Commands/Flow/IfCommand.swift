import Results
import Script
import VM

/// `if`: runs a block if a condition holds.
struct IfCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "if", summary: "run a block if a condition holds",
            forms: [Form(.condition, content: .statements)], alternative: .conditions,
            text: """
                COND is A == B or A != B (bytes), A < B, <=, > or >= (decimal numbers), A =~ /regex/ (sets the \
                captures), 'defined NAME' (the variable has a value), 'open NAME' (the session is open and its peer \
                has not ended it), or 'not' followed by one of these.
                """,
            examples: [
                "if ${version} >= 7 {\n    a> NEW\n} else if ${version} =~ /^6/ {\n    a> OLD\n} else {\n"
                    + "    skip \"too old\"\n}"
            ],
            caveats: [
                "== compares bytes: 1 and 1.0 differ."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        var jumps: [Int] = []
        for part in [call] + call.alternatives {
            guard let condition = part.condition else { throw ScriptError(part.range, "missing condition") }
            let start = compiler.position
            compiler.emit(JumpInstruction(destination: 0, range: part.range))
            compiler.compile(part.block)
            jumps.append(compiler.position)
            compiler.emit(JumpInstruction(destination: 0, range: part.range))
            compiler.replace(
                at: start,
                with: ConditionInstruction(
                    condition: condition, is: false, destination: compiler.position, range: part.range))
        }
        compiler.compile(call.otherwise ?? [])
        for jump in jumps {
            compiler.replace(at: jump, with: JumpInstruction(destination: compiler.position, range: call.range))
        }
    }
}

/// Jumps if a condition holds, or if it does not; otherwise continues with the next instruction.
struct ConditionInstruction: Instruction {
    let range: SourceRange
    private let question: Question
    private let isWanted: Bool
    private let destination: Int

    /// Jumps if the result of the condition is `isWanted`.
    init(condition: Condition, is isWanted: Bool, destination: Int, range: SourceRange) {
        question = Question(condition)
        self.isWanted = isWanted
        self.destination = destination
        self.range = range
    }

    func execute(in strand: Strand) throws(Failure) -> Step {
        return try question.holds(in: strand, range) == isWanted ? .jump(destination) : .next
    }
}

/// A condition whose constant arguments are parsed once.
private indirect enum Question {
    case equality(Value<[UInt8]>, Value<[UInt8]>, isWanted: Bool)
    /// An equality with a constant that is a number in the notation of a calculated one.
    case number(Value<[UInt8]>, Int, isWanted: Bool)
    case order(Value<Number>, Condition.Operator, Value<Number>)
    case match(Value<[UInt8]>, PatternSource)
    case defined(String)
    case open(Value<String>)
    case not(Question)

    init(_ condition: Condition) {
        switch condition {
        case .comparison(let left, .equal, let right): self = Self.equality(left, right, isWanted: true)
        case .comparison(let left, .unequal, let right): self = Self.equality(left, right, isWanted: false)
        case .comparison(let left, let operation, let right):
            self = .order(Self.number(left), operation, Self.number(right))
        case .match(let argument, let pattern): self = .match(Value(text: argument), pattern)
        case .defined(let name): self = .defined(name)
        case .open(let argument): self = .open(Value(string: argument))
        case .not(let condition): self = .not(Question(condition))
        }
    }

    func holds(in strand: Strand, _ range: SourceRange) throws(Failure) -> Bool {
        switch self {
        case .equality(let left, let right, let isWanted):
            return try (left.evaluate(in: strand) == right.evaluate(in: strand)) == isWanted
        case .number(let value, let number, let isWanted):
            if let calculated = value.calculated(in: strand) { return (calculated == number) == isWanted }
            return try (value.evaluate(in: strand) == Array(String(number).utf8)) == isWanted
        case .order(let left, let operation, let right):
            return Self.compare(try left.evaluate(in: strand), operation, try right.evaluate(in: strand))
        case .match(let value, let pattern):
            return try Self.matches(try value.evaluate(in: strand), pattern, strand)
        case .defined(let name): return try strand.optionalValue(of: name, range) != nil
        case .open(let name):
            let name = try name.evaluate(in: strand)
            return strand.world.sessions.service(named: name) != nil
                || strand.world.sessions.matching(name).contains { !$0.inputHasEnded }
        case .not(let question): return !(try question.holds(in: strand, range))
        }
    }

    private static func equality(_ left: Argument, _ right: Argument, isWanted: Bool) -> Question {
        if let literal = right.literal, let number = Literals.integer(literal), Array(String(number).utf8) == literal {
            return .number(Value(text: left), number, isWanted: isWanted)
        }
        return .equality(Value(text: left), Value(text: right), isWanted: isWanted)
    }

    private static func number(_ argument: Argument) -> Value<Number> {
        Value(argument, .checked { "'\(Escapes.visible($0))' is not a number" }, convert: { .integer($0) }) {
            Number($0)
        }
    }

    private static func compare(_ left: Number, _ operation: Condition.Operator, _ right: Number) -> Bool {
        if case .integer(let left) = left, case .integer(let right) = right { return order(left, operation, right) }
        guard let left = left.decimal, let right = right.decimal else { return false }
        return order(left, operation, right)
    }

    private static func order<N: Comparable>(_ left: N, _ operation: Condition.Operator, _ right: N) -> Bool {
        switch operation {
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        case .equal: left == right
        case .unequal: left != right
        }
    }

    private static func matches(
        _ value: [UInt8], _ pattern: PatternSource, _ strand: Strand
    ) throws(Failure) -> Bool {
        let regex = try strand.regex(pattern)
        let stopwatch = strand.scheduler.loop.readClock()
        let outcome = value.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
        strand.pauseIfLong(since: stopwatch)
        switch outcome {
        case .match(let groups):
            strand.capture(groups.map { $0.map { Array(value[$0]) } }, groups: regex.groups)
            return true
        case .none, .partial, .paused: return false
        case .limit(let why): throw Failure(.expectation, "pattern too complex: \(why)", range: pattern.range)
        }
    }
}
