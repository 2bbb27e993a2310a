import Results
import Script
import VM

/// A condition whose constant arguments are parsed once.
indirect enum Question {
    case equality(Value<[UInt8]>, Value<[UInt8]>, isWanted: Bool)
    /// The same with a constant that is a number as `let` would write it.
    case number(Value<[UInt8]>, Int, isWanted: Bool)
    case order(Value<Quantity>, Condition.Operator, Value<Quantity>)
    case match(Value<[UInt8]>, PatternSource)
    case defined(String)
    case open(Value<String>)
    case not(Question)
    case all([Question])
    case any([Question])

    /// Collects why a condition does not have the wanted value, for `check`.
    final class Report {
        fileprivate(set) var details: [Failure.Detail] = []
        /// What each part must be: `not` inverts it.
        fileprivate var isWanted = true
    }

    init(_ condition: Condition) {
        switch condition {
        case .comparison(let left, .equal, let right): self = Self.equality(left, right, isWanted: true)
        case .comparison(let left, .unequal, let right): self = Self.equality(left, right, isWanted: false)
        case .comparison(let left, let operation, let right):
            self = .order(Self.quantity(left), operation, Self.quantity(right))
        case .match(let argument, let pattern): self = .match(Value(text: argument), pattern)
        case .defined(let name): self = .defined(name)
        case .open(let argument): self = .open(Value(string: argument))
        case .not(let condition): self = .not(Question(condition))
        case .all(let conditions): self = .all(conditions.map(Question.init))
        case .any(let conditions): self = .any(conditions.map(Question.init))
        }
    }

    /// Evaluates the condition. With a `report`, each part that is not as wanted is added to it.
    func holds(in strand: Strand, _ range: SourceRange, _ report: Report?) throws(Failure) -> Bool {
        switch self {
        case .equality(let left, let right, let isWanted):
            let (left, right) = (try left.evaluate(in: strand), try right.evaluate(in: strand))
            let holds = (left == right) == isWanted
            if let report, holds != report.isWanted { report.details.append(.comparison(Comparison(left, right))) }
            return holds
        case .number(let value, let number, let isWanted):
            if report == nil, let calculated = value.calculated(in: strand) {
                return (calculated == number) == isWanted
            }
            let (left, right) = (try value.evaluate(in: strand), Array(String(number).utf8))
            let holds = (left == right) == isWanted
            if let report, holds != report.isWanted { report.details.append(.comparison(Comparison(left, right))) }
            return holds
        case .order(let left, let operation, let right):
            return try Self.order(left, operation, right, strand, range, report)
        case .match(let value, let pattern):
            let bytes = try value.evaluate(in: strand)
            let holds = try Self.matches(bytes, pattern, strand)
            if let report, holds != report.isWanted {
                let source = String(decoding: pattern.range.lineText[pattern.range.columns], as: UTF8.self)
                report.details.append(.comparison(Comparison(bytes, pattern: source, matches: holds)))
            }
            return holds
        case .defined(let name):
            let holds = try strand.optionalValue(of: name, range) != nil
            return report.record(holds, "variable '\(name)' is \(holds ? "set" : "not set")")
        case .open(let name):
            let name = try name.evaluate(in: strand)
            let isOpen =
                strand.world.sessions.service(named: name) != nil
                || strand.world.sessions.matching(name).contains { !$0.inputHasEnded }
            return report.record(isOpen, "session '\(visible(name))' is \(isOpen ? "open" : "not open")")
        case .not(let question):
            report?.isWanted.toggle()
            defer { report?.isWanted.toggle() }
            return !(try question.holds(in: strand, range, report))
        case .all(let questions):
            for question in questions where !(try question.holds(in: strand, range, report)) { return false }
            return true
        case .any(let questions):
            for question in questions where try question.holds(in: strand, range, report) { return true }
            return false
        }
    }

    private static func equality(_ left: Argument, _ right: Argument, isWanted: Bool) -> Question {
        if let literal = right.literal, let number = Literals.integer(literal), Array(String(number).utf8) == literal {
            return .number(Value(text: left), number, isWanted: isWanted)
        }
        return .equality(Value(text: left), Value(text: right), isWanted: isWanted)
    }

    private static func quantity(_ argument: Argument) -> Value<Quantity> {
        let kind = Parameter.Kind.checked { "'\(Escapes.visible($0))' is not a number, duration or size" }
        return Value(argument, kind, convert: { .integer($0) }) { Quantity($0) }
    }

    private static func order(
        _ left: Value<Quantity>, _ operation: Condition.Operator, _ right: Value<Quantity>, _ strand: Strand,
        _ range: SourceRange, _ report: Report?
    ) throws(Failure) -> Bool {
        let (first, second) = (try left.evaluate(in: strand), try right.evaluate(in: strand))
        guard let holds = Quantity.compare(first, operation, second) else {
            throw Failure(
                .expectation, "cannot compare a \(first.kind.rawValue) with a \(second.kind.rawValue)", range: range)
        }
        if let report, holds != report.isWanted {
            let texts = (try strand.expand(left.argument.template), try strand.expand(right.argument.template))
            report.details.append(.comparison(Comparison(texts.0, texts.1, isOrder: true)))
        }
        return holds
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

extension Question.Report? {
    /// Adds `text` if `holds` is not as wanted; returns `holds`.
    fileprivate func record(_ holds: Bool, _ text: String) -> Bool {
        if let report = self, holds != report.isWanted { report.details.append(.text(text)) }
        return holds
    }
}
