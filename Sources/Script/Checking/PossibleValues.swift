/// The possible values of variables, as far as the text of a script shows them. Used for names that contain
/// variables, as in `let ${name} 1`.
struct PossibleValues {
    /// The values by variable; nil for a variable that can have any value.
    private var values: [String: Set<String>?] = [:]
    private static let maximum = 1000

    /// Adds a possible value of a variable; nil for a value that is not known before the run.
    mutating func insert(_ value: String?, for variable: String) {
        let known = values[variable, default: []]
        guard let value, var known, known.count < Self.maximum else {
            values[variable] = .some(nil)
            return
        }
        known.insert(value)
        values[variable] = known
    }

    /// Returns the names that a template can expand to, or nil if any name of its shape is possible.
    func names(of template: Template) -> Set<String>? {
        var names: Set<String> = [""]
        for segment in template.segments {
            let parts: Set<String>
            switch segment {
            case .literal(let bytes): parts = [String(decoding: bytes, as: UTF8.self)]
            case .expansion(let expansion):
                guard let name = expansion.plainName, let known = values[name], let known else { return nil }
                parts = known
            }
            guard names.count * parts.count <= Self.maximum else { return nil }
            names = Set(names.flatMap { front in parts.map { front + $0 } })
        }
        return names
    }

    /// Collects the values that a statement gives to variables.
    ///
    /// - Parameter parameters: returns the parameters of a defined command by its name.
    mutating func collect(_ statement: Statement, parameters: (String) -> [String]?) {
        switch statement {
        case .arrow(let arrow):
            if case .match(let pattern) = arrow.action { insertUnknown(pattern.groupNames) }
        case .invocation(let invocation):
            for (parameter, argument) in zip(parameters(invocation.name) ?? [], invocation.arguments) {
                insert(argument.template.literalText, for: parameter)
            }
        case .command(let call): collect(call)
        }
    }

    private mutating func collect(_ call: CommandCall) {
        for parameter in call.description.allParameters {
            if let pattern = call.regex(parameter.name) { insertUnknown(pattern.groupNames) }
            switch parameter.kind {
            case .newVariable:
                guard let name = call.argument(parameter.name)?.template.literalText else { continue }
                // The name of a variable that contains a secret must not be shown.
                let isSecret = call.has(option: "--secret")
                insert(isSecret ? nil : call.argument("VALUE")?.template.literalText, for: name)
            case .localVariable: collect(loop: call, call.arguments(parameter.name).compactMap(\.template.literalText))
            default: break
            }
        }
        for pattern in call.condition?.patterns ?? [] { insertUnknown(pattern.groupNames) }
    }

    /// Collects the values of `for` and the round numbers of `repeat` and `parallel`; the parameters of `define` get
    /// their values from its calls.
    private mutating func collect(loop call: CommandCall, _ names: [String]) {
        for name in names {
            for argument in call.arguments("VALUE") {
                let literal = argument.template.literalText
                let isRange = argument.bareLiteral.map { zip($0, $0.dropFirst()).contains { $0 == "." && $1 == "." } }
                insert(isRange == true ? nil : literal, for: name)
            }
            guard let argument = call.argument("N") else { continue }
            guard let count = argument.template.literalText.flatMap(Literals.count), count <= Self.maximum else {
                insert(nil, for: name)
                continue
            }
            for number in stride(from: 1, through: count, by: 1) { insert(String(number), for: name) }
        }
    }

    private mutating func insertUnknown(_ names: [String]) {
        for name in names { insert(nil, for: name) }
    }
}
