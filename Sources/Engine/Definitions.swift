import Script

/// The commands that scripts have defined, by name.
package final class Definitions {
    private var programs: [String: Definition] = [:]

    package init() {}

    package var names: [String] { Array(programs.keys) }

    subscript(name: String) -> Definition? {
        get { programs[name] }
        set { programs[name] = newValue }
    }
}

/// What a `define` made.
struct Definition {
    let name: String
    let parameters: [String]
    let program: Program
}

/// A defined command with the values of its parameters, about to run.
struct Call {
    let definition: Definition
    let arguments: [[UInt8]]
    let range: SourceRange
}

/// Calls a defined command.
struct CallInstruction: Instruction {
    let range: SourceRange
    private let name: String
    private let arguments: [Word]

    init(_ invocation: Invocation) {
        name = invocation.name
        arguments = invocation.arguments
        range = invocation.range
    }

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        guard let definition = interpreter.definitions[name] else {
            throw Failure(.expectation, "'\(name)' is not defined yet")
        }
        guard arguments.count == definition.parameters.count else {
            throw Failure(.expectation, "'\(name)' takes \(definition.parameters.count) words, not \(arguments.count)")
        }
        var values: [[UInt8]] = []
        for word in arguments { values.append(try strand.expand(word.template)) }
        return .call(Call(definition: definition, arguments: values, range: range))
    }
}
