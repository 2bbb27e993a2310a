/// The condition of `if`, `while` and `check`.
///
///     condition  = conjunction { "or" conjunction }
///     conjunction = term { "and" term }
///     term       = "not" term | "defined" name | "open" name | argument operator argument | argument "=~" regex
///     operator   = "==" | "!=" | "<" | "<=" | ">" | ">="
package indirect enum Condition {
    case comparison(Argument, Operator, Argument)
    /// The text has a match of the regex.
    case match(Argument, PatternSource)
    /// The variable is set.
    case defined(String)
    /// The session is open, and its peer has not ended it.
    case open(Argument)
    case not(Condition)
    /// All hold; two or more.
    case all([Condition])
    /// At least one holds; two or more.
    case any([Condition])

    /// How two texts are compared: as bytes, or by size as numbers, durations or sizes.
    package enum Operator: String, CaseIterable {
        case equal = "=="
        case unequal = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        /// Whether it compares numbers, durations or sizes.
        package var comparesQuantities: Bool { self != .equal && self != .unequal }
    }

    /// The arguments whose variables must be set.
    var arguments: [Argument] {
        switch self {
        case .comparison(let left, _, let right): [left, right]
        case .match(let argument, _): [argument]
        case .defined: []
        case .open(let argument): [argument]
        case .not(let condition): condition.arguments
        case .all(let conditions), .any(let conditions): conditions.flatMap(\.arguments)
        }
    }

    /// The regexes.
    var patterns: [PatternSource] {
        switch self {
        case .match(_, let pattern): [pattern]
        case .not(let condition): condition.patterns
        case .all(let conditions), .any(let conditions): conditions.flatMap(\.patterns)
        case .comparison, .defined, .open: []
        }
    }

    /// The names that it tests with `defined`.
    var definedNames: [String] {
        switch self {
        case .defined(let name): [name]
        case .not(let condition): condition.definedNames
        case .all(let conditions), .any(let conditions): conditions.flatMap(\.definedNames)
        case .comparison, .match, .open: []
        }
    }
}

/// Parses a condition from the arguments of a command.
struct ConditionParser {
    private var rest: ArraySlice<Argument>
    private let end: SourceRange
    private static let deepest = 100
    private static let usage =
        "write A == B (or != < <= > >=), A =~ /regex/, defined NAME or open NAME; combine them with not, and, or"

    /// `end` is the end of the arguments, for errors.
    init(_ arguments: ArraySlice<Argument>, end: SourceRange) {
        rest = arguments
        self.end = end
    }

    /// Returns the condition, and the arguments after it.
    mutating func parse() throws(ScriptError) -> (Condition, rest: ArraySlice<Argument>) {
        (try list("or") { parser throws(ScriptError) in try parser.conjunction() }, rest)
    }

    /// The error for an argument after a complete condition.
    static func unexpected(_ argument: Argument) -> ScriptError {
        ScriptError(argument.range, "not a condition", hint: usage)
    }

    private mutating func conjunction() throws(ScriptError) -> Condition {
        try list("and") { parser throws(ScriptError) in try parser.term(depth: 0) }
    }

    /// Parses conditions separated by a keyword.
    private mutating func list(
        _ keyword: String, _ part: (inout Self) throws(ScriptError) -> Condition
    ) throws(ScriptError) -> Condition {
        var conditions = [try part(&self)]
        while rest.first?.bareLiteral == keyword {
            rest.removeFirst()
            conditions.append(try part(&self))
        }
        guard conditions.count > 1 else { return conditions[0] }
        return keyword == "and" ? .all(conditions) : .any(conditions)
    }

    private mutating func term(depth: Int) throws(ScriptError) -> Condition {
        guard let first = rest.first else { throw ScriptError(end, "missing condition", hint: Self.usage) }
        // `not == x` compares the text "not".
        let second = rest.dropFirst().first
        let isComparison = second.flatMap(Self.operatorName) != nil
        switch first.bareLiteral {
        case "not" where !isComparison:
            guard depth < Self.deepest else {
                throw ScriptError(first.range, "too many 'not' in a condition (limit \(Self.deepest))")
            }
            rest.removeFirst()
            return .not(try term(depth: depth + 1))
        case "defined" where !isComparison && second != nil:
            return .defined(try Self.name(try operand()))
        case "open" where !isComparison && second != nil:
            return .open(try operand())
        default:
            guard rest.count >= 3 else { throw ScriptError(end, "not a condition", hint: Self.usage) }
            let parts = Array(rest.prefix(3))
            rest.removeFirst(3)
            return try Self.comparison(parts[0], parts[1], parts[2])
        }
    }

    /// Removes a keyword and returns the argument after it.
    private mutating func operand() throws(ScriptError) -> Argument {
        rest.removeFirst()
        guard let argument = rest.popFirst() else { throw ScriptError(end, "not a condition", hint: Self.usage) }
        return argument
    }

    private static func comparison(
        _ left: Argument, _ operation: Argument, _ right: Argument
    ) throws(ScriptError) -> Condition {
        guard let symbol = operatorName(operation) else {
            throw ScriptError(
                operation.range, "'\(operation.template.literalText ?? "this")' is not a comparison operator",
                hint: usage)
        }
        guard let comparison = Condition.Operator(rawValue: symbol) else {
            guard case .regex(let flags) = right.style else {
                throw ScriptError(right.range, "expected a /regex/ after '=~'")
            }
            return .match(
                left, try PatternSource(template: right.template, flags: flags, range: right.range, offset: 1))
        }
        if comparison.comparesQuantities { try requireQuantities(left, symbol, right) }
        return .comparison(left, comparison, right)
    }

    private static func requireQuantities(
        _ left: Argument, _ symbol: String, _ right: Argument
    ) throws(ScriptError) {
        var quantities: [Quantity] = []
        for argument in [left, right] {
            guard let literal = argument.literal else { continue }
            guard let quantity = Quantity(literal) else {
                throw ScriptError(
                    argument.range,
                    "'\(symbol)' compares numbers, durations or sizes, not '\(Escapes.escaped(literal))'")
            }
            quantities.append(quantity)
        }
        guard quantities.count == 2, quantities[0].kind != quantities[1].kind else { return }
        throw ScriptError(
            right.range, "cannot compare a \(quantities[0].kind.rawValue) with a \(quantities[1].kind.rawValue)")
    }

    private static func operatorName(_ argument: Argument) -> String? {
        guard let text = argument.bareLiteral, text == "=~" || Condition.Operator(rawValue: text) != nil else {
            return nil
        }
        return text
    }

    private static func name(_ argument: Argument) throws(ScriptError) -> String {
        guard let name = argument.bareLiteral, isVariableName(name) else {
            throw ScriptError(argument.range, "'defined' takes the name of a variable, without ${ }")
        }
        return name
    }
}
