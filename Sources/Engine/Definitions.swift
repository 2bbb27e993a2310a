import Script

/// The commands that scripts have defined, by name.
package final class Definitions {
    private var programs: [String: Definition] = [:]
    /// Grows with each definition: what was looked up before may be another one since.
    private(set) var version = 0

    package init() {}

    package var names: [String] { Array(programs.keys) }

    subscript(name: String) -> Definition? {
        get { programs[name] }
        set {
            programs[name] = newValue
            version += 1
        }
    }
}

/// What a `define` made.
final class Definition {
    let name: String
    let parameters: [String]
    let program: Program

    init(name: String, parameters: [String], program: Program) {
        self.name = name
        self.parameters = parameters
        self.program = program
    }
}

/// A defined command with the values of its parameters.
final class Call {
    let definition: Definition
    /// The names and values of the parameters.
    let scope: Scope
    let range: SourceRange

    init(definition: Definition, scope: Scope, range: SourceRange) {
        self.definition = definition
        self.scope = scope
        self.range = range
    }
}

/// Calls a defined command.
struct CallInstruction: Instruction {
    let range: SourceRange
    private let name: String
    private let arguments: [Value<[UInt8]>]
    private let found = Found()

    /// The definition that was looked up last.
    private final class Found {
        var definition: Definition?
        var version = 0
    }

    init(_ invocation: Invocation) {
        name = invocation.name
        arguments = invocation.arguments.map { Value(text: $0) }
        range = invocation.range
    }

    func execute(in strand: Strand) throws(Failure) -> Step {
        let definition = try definition(in: strand.scheduler.definitions)
        guard arguments.count == definition.parameters.count else {
            throw Failure(.expectation, "'\(name)' takes \(definition.parameters.count) words, not \(arguments.count)")
        }
        var names: [(name: String, value: [UInt8])] = []
        names.reserveCapacity(arguments.count)
        for (index, argument) in arguments.enumerated() {
            names.append((definition.parameters[index], try argument.evaluate(in: strand)))
        }
        return .call(Call(definition: definition, scope: Scope(names: names), range: range))
    }

    private func definition(in definitions: Definitions) throws(Failure) -> Definition {
        if let definition = found.definition, found.version == definitions.version { return definition }
        guard let definition = definitions[name] else {
            throw Failure(.expectation, "'\(name)' is not defined yet")
        }
        found.definition = definition
        found.version = definitions.version
        return definition
    }
}
