/// The values that variables can have, as far as the text of a script says it: for names that hold variables, as in
/// `let ${name} 1`.
struct PossibleValues {
    /// By variable; nil for one that can have any value.
    private var values: [String: Set<String>?] = [:]
    private static let most = 1000

    /// A variable can have this value; nil for one that is not known before the run.
    mutating func insert(_ value: String?, for variable: String) {
        let known = values[variable, default: []]
        guard let value, var known, known.count < Self.most else {
            values[variable] = .some(nil)
            return
        }
        known.insert(value)
        values[variable] = known
    }

    /// The names that a template can stand for, or nil when it could be any of its shape.
    func names(of template: Template) -> Set<String>? {
        var names: Set<String> = [""]
        for segment in template.segments {
            let parts: Set<String>
            switch segment {
            case .literal(let bytes): parts = [String(decoding: bytes, as: UTF8.self)]
            case .variable(let name, _):
                guard let known = values[name], let known else { return nil }
                parts = known
            }
            guard names.count * parts.count <= Self.most else { return nil }
            names = Set(names.flatMap { front in parts.map { front + $0 } })
        }
        return names
    }

    /// Takes in what a statement says of the values of variables.
    ///
    /// - Parameter parameters: those of a defined command, by its name.
    mutating func collect(_ statement: Statement, parameters: (String) -> [String]?) {
        switch statement {
        case .arrow(let arrow):
            if case .match(let pattern) = arrow.action { insertUnknown(pattern.groupNames) }
        case .invocation(let invocation):
            for (parameter, word) in zip(parameters(invocation.name) ?? [], invocation.arguments) {
                insert(word.template.literalText, for: parameter)
            }
        case .command(let call): collect(call)
        }
    }

    private mutating func collect(_ call: CommandCall) {
        for parameter in call.description.allParameters {
            if let pattern = call.regex(parameter.name) { insertUnknown(pattern.groupNames) }
            switch parameter.kind {
            case .newVariable:
                guard let name = call.word(parameter.name)?.template.literalText else { continue }
                insert(call.word("VALUE")?.template.literalText, for: name)
            case .localVariable: collect(loop: call, call.words(parameter.name).compactMap(\.template.literalText))
            default: break
            }
        }
        if let pattern = call.condition?.pattern { insertUnknown(pattern.groupNames) }
    }

    /// The words of `for`, the rounds of `repeat` and `parallel`; the parameters of `define` get theirs where it is called.
    private mutating func collect(loop call: CommandCall, _ names: [String]) {
        for name in names {
            for word in call.words("VALUE") {
                let literal = word.template.literalText
                insert(literal.flatMap { word.bareLiteral != nil && $0.contains("..") ? nil : $0 }, for: name)
            }
            guard let word = call.word("N") else { continue }
            guard let count = word.template.literalText.flatMap(Literals.count), count <= Self.most else {
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
