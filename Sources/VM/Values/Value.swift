import Reactor
import Results
import Script

/// A value that a word stands for: known at once when the word is constant, otherwise worked out when it runs.
///
/// A class, because instructions are copied where they run, and a value is much to copy. The kinds that loops evaluate
/// have an `evaluate` of their own, specialized here: called through the generic one, a step of a loop takes twice as long.
package final class Value<Result> {
    package let argument: Argument
    /// The only variable that it is, or nil: the most frequent word that is no constant.
    private let variable: VariableReference?
    /// Its value, when it is known before the run.
    package let constant: Result?
    private let parse: ([UInt8]) -> Result?
    private let problem: ([UInt8]) -> String?
    /// Makes the value of a number, without its text; nil when the value is not made of numbers.
    private let convert: ((Int) -> Result)?

    /// `parse` reads the bytes; for those it refuses, `kind` has the words why. `convert` says the same of a number.
    package init(
        _ argument: Argument, _ kind: Parameter.Kind, convert: ((Int) -> Result)? = nil,
        _ parse: @escaping ([UInt8]) -> Result?
    ) {
        self.argument = argument
        self.parse = parse
        self.convert = convert
        problem = { kind.problem(with: $0) }
        constant = argument.literal.flatMap(parse)
        let only = argument.template.segments.count == 1 ? argument.template.variables.first : nil
        variable = only.map { VariableReference(name: $0.name, range: $0.range) }
    }

    /// Its value now; a failure when it has none, or not one of its kind.
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

extension Value where Result == Int {
    package func evaluate(in strand: Strand) throws(Failure) -> Int { try value(in: strand) }

    package convenience init(count argument: Argument) {
        self.init(argument, .count) { Literals.count(String(decoding: $0, as: UTF8.self)) }
    }

    /// A whole number with an optional sign.
    package convenience init(integer argument: Argument) {
        let kind = Parameter.Kind.checked { bytes in
            let text = Escapes.visible(bytes)
            let digits = text.hasPrefix("-") || text.hasPrefix("+") ? String(text.dropFirst()) : text
            return Literals.tooLarge(digits, "number") ?? "'\(text)' is not a whole number"
        }
        self.init(argument, kind, convert: { $0 }) { Literals.integer($0) }
    }

    package convenience init(size argument: Argument) {
        self.init(argument, .size) { Literals.size(String(decoding: $0, as: UTF8.self)) }
    }
}

extension Value where Result == [UInt8] {
    package func evaluate(in strand: Strand) throws(Failure) -> [UInt8] { try value(in: strand) }

    /// The number that it is, when it is a variable with one that was calculated.
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

    /// Any bytes, carried by a text.
    package convenience init(string argument: Argument) {
        self.init(argument, .text) { String(lossless: $0) }
    }
}

extension Value where Result == SystemString {
    /// The path of a file.
    package convenience init(path argument: Argument) {
        self.init(argument, .path) { $0.isEmpty ? nil : SystemString($0) }
    }

    /// A word of a program.
    package convenience init(systemString argument: Argument) {
        self.init(argument, .argument) { SystemString($0) }
    }
}
