import Reactor
import Results
import Script

/// The value of an argument: known immediately if the argument is constant, otherwise evaluated when it is used.
///
/// A class, because instructions are copied where they run, and a value is expensive to copy. The kinds that loops
/// evaluate have their own `evaluate`, specialized here: through the generic one, a step of a loop takes twice as long.
package final class Value<Result> {
    package let argument: Argument
    /// The variable that is the whole argument, or nil: the most frequent argument that is not constant.
    private let variable: VariableReference?
    /// The value, if it is known before the run.
    package let constant: Result?
    private let parse: ([UInt8]) -> Result?
    private let problem: ([UInt8]) -> String?
    /// Converts a number to the value without its text; nil if the value is not made of numbers.
    private let convert: ((Int) -> Result)?

    /// `parse` converts the bytes; if it returns nil, `kind` has the message. `convert` does the same for a number.
    package init(
        _ argument: Argument, _ kind: Parameter.Kind, convert: ((Int) -> Result)? = nil,
        _ parse: @escaping ([UInt8]) -> Result?
    ) {
        self.argument = argument
        self.parse = parse
        self.convert = convert
        problem = { kind.problem(with: $0) }
        constant = argument.literal.flatMap(parse)
        variable = argument.template.soleExpansion.flatMap { expansion in
            expansion.plainName.map { VariableReference(name: $0, range: expansion.range) }
        }
    }

    /// Returns the current value; throws if it is not set or not of its kind.
    package func evaluate(in strand: Strand) throws(Failure) -> Result {
        try value(in: strand)
    }

    func calculatedNumber(in strand: Strand) -> Int? {
        variable.flatMap { strand.calculated($0) }
    }

    func value(in strand: Strand) throws(Failure) -> Result {
        if let constant { return constant }
        if let convert, let variable, let number = strand.integer(of: variable) { return convert(number) }
        let bytes =
            if let variable { try strand.value(of: variable) } else {
                try strand.expand(argument.template)
            }
        guard let value = parse(bytes) else {
            throw Failure(
                .expectation, problem(bytes) ?? "'\(Escapes.escaped(bytes))' is not valid here",
                range: argument.range)
        }
        return value
    }
}

extension Value where Result == Duration {
    package convenience init(duration argument: Argument) {
        self.init(argument, .duration) { Literals.duration(String(decoding: $0, as: UTF8.self)) }
    }
}

extension Value where Result == Quantity {
    package func evaluate(in strand: Strand) throws(Failure) -> Quantity { try value(in: strand) }
}

extension Value where Result == Int {
    package func evaluate(in strand: Strand) throws(Failure) -> Int { try value(in: strand) }

    package convenience init(count argument: Argument) {
        self.init(argument, .count) { Literals.count(String(decoding: $0, as: UTF8.self)) }
    }

    /// A whole number with an optional sign.
    package convenience init(integer argument: Argument) {
        self.init(argument, .checked { Literals.integerProblem($0) }, convert: { $0 }) { Literals.integer($0) }
    }

    package convenience init(size argument: Argument) {
        self.init(argument, .size) { Literals.size(String(decoding: $0, as: UTF8.self)) }
    }
}

extension Value where Result == [UInt8] {
    package func evaluate(in strand: Strand) throws(Failure) -> [UInt8] { try value(in: strand) }

    /// Returns the number if the argument is a variable whose value was calculated.
    package func calculated(in strand: Strand) -> Int? { calculatedNumber(in: strand) }

    package convenience init(text argument: Argument) {
        self.init(argument, .text) { $0 }
    }

    package convenience init(hex argument: Argument) {
        self.init(argument, .hex) { Literals.hex($0) }
    }
}

extension Value where Result == String {
    package func evaluate(in strand: Strand) throws(Failure) -> String { try value(in: strand) }

    /// A name that the command gives to a session or a service.
    package convenience init(name argument: Argument) {
        self.init(argument, .newSession) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            return isSessionName(text) ? text : nil
        }
    }

    /// Any bytes, carried as text.
    package convenience init(string argument: Argument) {
        self.init(argument, .text) { String(lossless: $0) }
    }
}

extension Value where Result == SystemString {
    /// The path of a file.
    package convenience init(path argument: Argument) {
        self.init(argument, .path) { $0.isEmpty ? nil : SystemString($0) }
    }

    /// An argument of a program.
    package convenience init(systemString argument: Argument) {
        self.init(argument, .argument) { SystemString($0) }
    }
}
