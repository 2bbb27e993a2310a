import Results
import Script

/// Calls a defined command.
struct CallInstruction: Instruction {
    let range: SourceRange
    private let name: String
    private let arguments: [Value<[UInt8]>]
    private let found = Found()

    /// The definition found by the last lookup.
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
            throw Failure(
                .expectation,
                "'\(name)' takes \(counted(definition.parameters.count, "argument")), not \(arguments.count)")
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
