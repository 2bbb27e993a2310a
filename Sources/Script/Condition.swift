/// The condition of `if` and `while`.
///
///     condition = "not" condition | "defined" name | "open" name | argument operator argument | argument "=~" regex
///     operator  = "==" | "!=" | "<" | "<=" | ">" | ">="
package indirect enum Condition {
    case comparison(Argument, Operator, Argument)
    /// The text contains a match of the regex.
    case match(Argument, PatternSource)
    /// The variable is set.
    case defined(String)
    /// The session is open, and its peer has not ended its side.
    case open(Argument)
    case not(Condition)

    /// A comparison of two texts, as bytes or as decimal numbers.
    package enum Operator: String, CaseIterable {
        case equal = "=="
        case unequal = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        /// Whether both sides must be numbers.
        package var isNumeric: Bool { self != .equal && self != .unequal }
    }

    /// The arguments in the condition; their variables must be set.
    var arguments: [Argument] {
        switch self {
        case .comparison(let left, _, let right): [left, right]
        case .match(let argument, _): [argument]
        case .defined: []
        case .open(let argument): [argument]
        case .not(let condition): condition.arguments
        }
    }

    /// The regex in the condition, or nil.
    var pattern: PatternSource? {
        switch self {
        case .match(_, let pattern): pattern
        case .not(let condition): condition.pattern
        case .comparison, .defined, .open: nil
        }
    }

    /// The name tested with `defined`, or nil.
    var definedName: String? {
        switch self {
        case .defined(let name): name
        case .not(let condition): condition.definedName
        case .comparison, .match, .open: nil
        }
    }
}

extension Condition {
    private static let deepest = 100
    private static let usage =
        "write A == B (or != < <= > >=), A =~ /regex/, defined NAME or open NAME, optionally after 'not'"

    /// Parses a condition from `arguments`; `end` is where it ends, for errors.
    init(_ arguments: ArraySlice<Argument>, end: SourceRange, depth: Int = 0) throws(ScriptError) {
        guard let first = arguments.first else { throw ScriptError(end, "missing condition", hint: Self.usage) }
        // `not == x` compares the text "not".
        let isComparison = arguments.count == 3 && arguments.dropFirst().first.flatMap(Self.operatorName) != nil
        switch (first.bareLiteral, arguments.count) {
        case ("not", 2...) where !isComparison:
            guard depth < Self.deepest else {
                throw ScriptError(first.range, "too many 'not' in a condition (limit \(Self.deepest))")
            }
            self = .not(try Condition(arguments.dropFirst(), end: end, depth: depth + 1))
        case ("defined", 2): self = .defined(try Self.name(arguments[arguments.startIndex + 1]))
        case ("open", 2): self = .open(arguments[arguments.startIndex + 1])
        case (_, 3):
            try self.init(comparing: first, arguments[arguments.startIndex + 1], arguments[arguments.startIndex + 2])
        default:
            throw ScriptError(
                arguments.count > 3 ? arguments[arguments.startIndex + 3].range : end, "not a condition",
                hint: Self.usage)
        }
    }

    private init(comparing left: Argument, _ operation: Argument, _ right: Argument) throws(ScriptError) {
        guard let symbol = Self.operatorName(operation) else {
            throw ScriptError(
                operation.range, "'\(operation.template.literalText ?? "this")' is not a comparison operator",
                hint: Self.usage)
        }
        guard let comparison = Operator(rawValue: symbol) else {
            guard case .regex(let flags) = right.style else {
                throw ScriptError(right.range, "expected a /regex/ after '=~'")
            }
            self = .match(
                left, try PatternSource(template: right.template, flags: flags, range: right.range, offset: 1))
            return
        }
        for argument in [left, right] where comparison.isNumeric {
            if let literal = argument.literal, Literals.Decimal(literal) == nil, Literals.integer(literal) == nil {
                throw ScriptError(
                    argument.range, "'\(symbol)' compares numbers; '\(Escapes.escaped(literal))' is not a number")
            }
        }
        self = .comparison(left, comparison, right)
    }

    private static func operatorName(_ argument: Argument) -> String? {
        guard let text = argument.bareLiteral, text == "=~" || Operator(rawValue: text) != nil else { return nil }
        return text
    }

    private static func name(_ argument: Argument) throws(ScriptError) -> String {
        guard let name = argument.bareLiteral, isVariableName(name) else {
            throw ScriptError(argument.range, "'defined' takes the name of a variable, without ${ }")
        }
        return name
    }
}
