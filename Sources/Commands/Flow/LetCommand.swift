import Engine
import Reactor
import Results
import Script
import VM

/// `let`: sets a variable to a text or to the result of a calculation.
struct LetCommand: Command {
    /// The operators of `let NAME A OP B`, on 64-bit signed numbers.
    fileprivate enum Operator: String, CaseIterable {
        case plus = "+"
        case minus = "-"
        case times = "*"
        case dividedBy = "/"
        case remainder = "%"
        case and = "&"
        case or = "|"
        case exclusiveOr = "^"
        case shiftLeft = "<<"
        case shiftRight = ">>"

        /// Returns the result for two numbers.
        func calculate(_ left: Int, _ right: Int) throws(Failure) -> Int {
            let (result, overflow): (Int, Bool)
            switch self {
            case .plus: (result, overflow) = left.addingReportingOverflow(right)
            case .minus: (result, overflow) = left.subtractingReportingOverflow(right)
            case .times: (result, overflow) = left.multipliedReportingOverflow(by: right)
            case .dividedBy, .remainder:
                if right == 0 { throw Failure(.expectation, "division by zero") }
                (result, overflow) =
                    self == .dividedBy
                    ? left.dividedReportingOverflow(by: right) : left.remainderReportingOverflow(dividingBy: right)
            case .and: return left & right
            case .or: return left | right
            case .exclusiveOr: return left ^ right
            case .shiftLeft, .shiftRight:
                guard (0...63).contains(right) else {
                    throw Failure(.expectation, "cannot shift by \(right): the limits are 0 and 63")
                }
                if self == .shiftRight { return left >> right }
                (result, overflow) = (left << right, (left << right) >> right != left)
            }
            if overflow {
                throw Failure(.expectation, "\(left) \(rawValue) \(right) overflows a 64-bit integer")
            }
            return result
        }
    }

    static var description: CommandDescription {
        let name = Parameter("NAME", .newVariable)
        return CommandDescription(
            name: "let", summary: "set a variable",
            forms: [
                Form(
                    .parameter(name), .parameter(Parameter("A", .text)),
                    .parameter(Parameter("OP", .choice(Operator.allCases.map(\.rawValue)))),
                    .parameter(Parameter("B", .text))),
                Form(.parameter(name), .parameter(Parameter("VALUE", .text))), Form(.parameter(name)),
            ],
            options: [
                CommandOption("--secret", "never show the value; ${NAME} is shown instead"),
                CommandOption("--file", Parameter("PATH", .path), "read the value from a file"),
                CommandOption("--ask", Parameter("QUESTION", .text), "ask for a secret at the terminal, without echo"),
                CommandOption("--local", "set a variable of the innermost block, unset at its end"),
            ],
            text: """
                ${NAME} is the value from then on. The form with OP calculates with 64-bit whole numbers: \
                OP is + - * / % or, for bits, & | ^ << >>. Numbers may be hexadecimal: 0x1a.
                """,
            examples: [
                "let greeting \"hello world\"", "let n ${n} + 1", "let --secret password ${env.PASSWORD}",
                "let --secret password --ask \"Password: \"",
            ],
            caveats: [
                "A regex cannot be kept in a variable: in a pattern, the value of ${NAME} matches itself literally.",
                """
                In a block of 'on', 'branch' or 'parallel', 'let' sets a variable of that block, unless the script \
                sets the name above the block: then all blocks share the variable of the script.
                """,
                "A command that calls itself needs --local: without it, all its calls share the variable.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let variable = Assignment(call, try call.required("NAME"))
        if let left = call.argument("A") {
            for operand in [left, try call.required("B")] {
                guard let literal = operand.literal, Literals.integer(literal) == nil else { continue }
                throw ScriptError(operand.range, Literals.integerProblem(literal))
            }
            let symbol = try call.required("OP")
            guard let operation = symbol.bareLiteral.flatMap(Operator.init(rawValue:)) else {
                throw ScriptError(
                    symbol.range, "an operator must be written without quotes and variables",
                    hint: "use one of \(Operator.allCases.map(\.rawValue).joined(separator: " "))")
            }
            let (left, right) = (Value(integer: left), Value(integer: try call.required("B")))
            try check(operation, left.constant, right.constant, call.range)
            compiler.emit(
                CalculateInstruction(
                    variable: variable, left: left, operation: operation, right: right, range: call.range))
        } else if let question = call.value(ofOption: "--ask") {
            if let other = call.argument("VALUE") ?? call.value(ofOption: "--file") {
                throw ScriptError(other.range, "let takes one of VALUE, --file and --ask")
            }
            guard variable.isSecret else {
                throw ScriptError(question.range, "--ask is for secrets: let --secret NAME --ask QUESTION")
            }
            compiler.emit(LetAskInstruction(variable: variable, question: Value(string: question), range: call.range))
        } else if let path = call.value(ofOption: "--file") {
            if let value = call.argument("VALUE") {
                throw ScriptError(value.range, "let takes one of VALUE, --file and --ask")
            }
            compiler.emit(LetFileInstruction(variable: variable, path: Value(path: path), range: call.range))
        } else {
            let value = try call.required("VALUE")
            if variable.isSecret, let literal = value.literal, let name = call.argument("NAME")?.template.literalText {
                compiler.hide(name: name, value: literal)
            }
            compiler.emit(LetInstruction(variable: variable, value: Value(text: value), range: call.range))
        }
    }
}

extension LetCommand {
    /// Throws if a calculation fails whatever the variables in it are.
    private static func check(
        _ operation: Operator, _ left: Int?, _ right: Int?, _ range: SourceRange
    ) throws(ScriptError) {
        guard let right else { return }
        do throws(Failure) {
            // Zero divided or shifted fails only because of the right side.
            if let left { _ = try operation.calculate(left, right) }
            if [.dividedBy, .remainder, .shiftLeft, .shiftRight].contains(operation) {
                _ = try operation.calculate(0, right)
            }
        } catch {
            throw ScriptError(range, error.message)
        }
    }
}

/// The variable that `let` sets, with the options that say how.
private struct Assignment {
    private let name: VariableName
    let isSecret: Bool
    private let isLocal: Bool

    init(_ call: CommandCall, _ name: Argument) {
        self.name = VariableName(name)
        isSecret = call.has(option: "--secret")
        isLocal = call.isLocal
    }

    func name(in strand: Strand) throws(Failure) -> String { try name.evaluate(in: strand).name }

    /// Sets the variable. A value that contains a secret is a secret.
    func set(_ value: [UInt8], in strand: Strand) throws(Failure) {
        let name = try name.evaluate(in: strand)
        if isSecret {
            strand.world.secrets.add(name: name.name, value: value)
        } else {
            strand.world.derive(value, from: value, title: name.name)
        }
        if isLocal { strand.setInBlock(name, to: value) } else { strand.set(name, to: value) }
    }

    /// Sets the variable to a number; a loop that counts makes no text of it.
    func set(_ number: Int, in strand: Strand) throws(Failure) {
        guard !isSecret, !isLocal else { return try set(Array(String(number).utf8), in: strand) }
        strand.set(try name.evaluate(in: strand), toInteger: number)
    }
}

private struct LetInstruction: Instruction {
    let variable: Assignment
    let value: Value<[UInt8]>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        try variable.set(try value.evaluate(in: strand), in: strand)
        return .next
    }
}

private struct LetFileInstruction: Instruction {
    let variable: Assignment
    let path: Value<SystemString>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let variable = variable
        return .wait(
            try FileReadWait(
                try path.evaluate(in: strand), limit: world.settings.scaled(world.settings.timeout), on: world.loop
            ) { strand, bytes throws(Failure) in
                // The file of a password usually ends in a newline, which is not part of it.
                let hasNewline = variable.isSecret && bytes.last == UInt8(ascii: "\n")
                try variable.set(hasNewline ? Array(bytes.dropLast()) : bytes, in: strand)
            })
    }
}

private struct LetAskInstruction: Instruction {
    let variable: Assignment
    let question: Value<String>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let variable = variable
        let name = try variable.name(in: strand)
        guard !strand.isGuest else {
            throw Failure(
                .expectation, "--ask works only at the prompt of the run, not at an attached one", range: range)
        }
        return .wait(
            try AskWait(try question.evaluate(in: strand), variable: name, strand.world) {
                strand, answer throws(Failure) in
                try variable.set(answer, in: strand)
            })
    }
}

private struct CalculateInstruction: Instruction {
    let variable: Assignment
    let left: Value<Int>
    let operation: LetCommand.Operator
    let right: Value<Int>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        try variable.set(try operation.calculate(left.evaluate(in: strand), right.evaluate(in: strand)), in: strand)
        return .next
    }
}

/// The variable that `let` sets.
private final class VariableName {
    private let constant: VariableReference?
    private let argument: Argument

    init(_ argument: Argument) {
        self.argument = argument
        constant = argument.template.literalText.map { VariableReference(name: $0, range: argument.range) }
    }

    func evaluate(in strand: Strand) throws(Failure) -> VariableReference {
        if let constant { return constant }
        let bytes = try strand.expand(argument.template)
        if let problem = Parameter.Kind.newVariable.problem(with: bytes) {
            throw Failure(.expectation, problem, range: argument.range)
        }
        return VariableReference(name: String(decoding: bytes, as: UTF8.self), range: argument.range)
    }
}
