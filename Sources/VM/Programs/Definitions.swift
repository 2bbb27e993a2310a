import Results
import Script

/// The commands that scripts have defined, by name.
package final class Definitions {
    private var programs: [String: Definition] = [:]
    /// Incremented by each definition: earlier lookups may then be outdated.
    package private(set) var version = 0

    package init() {}

    package var names: [String] { Array(programs.keys) }

    package subscript(name: String) -> Definition? {
        get { programs[name] }
        set {
            programs[name] = newValue
            version += 1
        }
    }
}

/// A command defined by `define`.
package final class Definition {
    package let name: String
    package let parameters: [String]
    package let program: Program

    package init(name: String, parameters: [String], program: Program) {
        self.name = name
        self.parameters = parameters
        self.program = program
    }
}

/// A call of a defined command, with the values of its parameters.
package final class Call {
    package let definition: Definition
    /// The names and values of the parameters.
    let scope: Scope
    /// The captures that the code begins with: those of the place of a `defer`.
    let captures: [[UInt8]?]
    package let range: SourceRange

    package init(definition: Definition, scope: Scope, captures: [[UInt8]?] = [], range: SourceRange) {
        self.definition = definition
        self.scope = scope
        self.captures = captures
        self.range = range
    }
}
