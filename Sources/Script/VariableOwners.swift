/// Decides, from the text alone, which variables belong to the script and which to a strand.
///
/// A name that is set outside all strands, above a strand's block, is the script's, also inside that block. Any other
/// name that the block sets belongs to the strand. In a definition the calling strand decides.
package struct VariableOwners {
    /// The names that the script itself has set so far.
    private(set) var names: KnownNames
    /// For each strand block of the last statements, the names that are the script's there.
    private var shared: [Place: KnownNames] = [:]
    /// The first strand block that sets a name of its own.
    private(set) var strands: [String: SourceRange] = [:]
    private var definitions: [String: [Statement]] = [:]
    private var possible = PossibleValues()
    /// The definitions whose names have been added, since a definition may call itself.
    private var called: Set<String> = []

    /// The position of a block's first line.
    private struct Place: Hashable {
        let source: ObjectIdentifier
        let line: Int
        let column: Int

        init(_ range: SourceRange) {
            source = ObjectIdentifier(range.source)
            line = range.line
            column = range.columns.lowerBound
        }
    }

    /// `names` are set before the first statement, for example by `-D`.
    package init(_ names: some Sequence<String> = []) {
        self.names = KnownNames(names)
    }

    /// Returns the names that are the script's in the strand block that begins at `range`.
    package func shared(at range: SourceRange) -> KnownNames { shared[Place(range)] ?? names }

    /// Adds statements that follow those of earlier calls.
    package mutating func collect(_ statements: [Statement]) {
        for statement in statements.flatMap(\.withAllInside) {
            guard case .command(let call) = statement, let name = call.newCommandName else { continue }
            definitions[name] = call.block
        }
        let definitions = definitions
        for statement in statements.flatMap(\.withAllInside) {
            possible.collect(statement) { _ in definitions.isEmpty ? nil : [] }
        }
        collect(statements, possible)
    }

    /// Adds statements; `possible` are the values of the variables in computed names.
    mutating func collect(
        _ statements: [Statement], definitions: [String: [Statement]], possible: PossibleValues
    ) {
        self.definitions = definitions
        collect(statements, possible)
    }

    private mutating func collect(_ statements: [Statement], _ possible: PossibleValues) {
        self.possible = possible
        shared = [:]
        for statement in statements { walk(statement) }
        // What is above the call of a definition cannot be seen in its text: all names of the script count.
        for body in definitions.values {
            for statement in body { share(strandsIn: statement, names) }
        }
    }

    private mutating func walk(_ statement: Statement) {
        names.formUnion(statement.namesSet(possible))
        switch statement {
        case .arrow: break
        case .invocation(let invocation):
            guard called.insert(invocation.name).inserted else { return }
            for statement in definitions[invocation.name] ?? [] { walk(statement) }
        case .command(let call):
            if call.newCommandName != nil { return }
            if call.startsStrand { return share(strandsIn: statement, names) }
            for alternative in call.alternatives { walk(.command(alternative)) }
            for statement in call.block + (call.otherwise ?? []) { walk(statement) }
        }
    }

    /// Records the names that are the script's in all strand blocks of a statement.
    private mutating func share(strandsIn statement: Statement, _ names: KnownNames) {
        for case .command(let call) in statement.withAllInside where call.startsStrand {
            shared[Place(call.range)] = names
            let set = call.strandGroups + call.block.flatMap(\.withAllInside).flatMap { $0.namesSet(possible) }
            for name in set where !names.contains(name) && strands[name] == nil { strands[name] = call.range }
        }
    }
}

extension Statement {
    /// The names that the statement itself sets in the script or its strand, without blocks inside it. A computed name is
    /// all names it can be, or a glob.
    func namesSet(_ possible: PossibleValues) -> [String] {
        switch self {
        case .arrow(let arrow):
            if case .match(let pattern) = arrow.action { return pattern.groupNames }
            return []
        case .invocation: return []
        case .command(let call):
            var names = call.condition?.patterns.flatMap(\.groupNames) ?? []
            for parameter in call.description.allParameters {
                // The groups of 'on' are set in its block.
                if !call.startsStrand { names += call.regex(parameter.name)?.groupNames ?? [] }
                guard case .newVariable = parameter.kind, !call.isLocal else { continue }
                for argument in call.arguments(parameter.name) {
                    names +=
                        argument.template.literalText.map { [$0] }
                        ?? possible.names(of: argument.template).map(Array.init) ?? [argument.template.glob]
                }
            }
            return names
        }
    }
}

extension CommandCall {
    /// Whether its block is a strand: it runs concurrently with the script.
    package var startsStrand: Bool { description.startsStrand && content.rows == nil && content.isBlock }

    /// The named groups of its patterns that are set in its strand.
    var strandGroups: [String] {
        startsStrand ? description.allParameters.flatMap { regex($0.name)?.groupNames ?? [] } : []
    }

    /// Whether it sets a variable of the innermost block: `let --local`.
    package var isLocal: Bool { has(option: "--local") }

    /// The name of the command that it defines, or nil.
    var newCommandName: String? {
        for parameter in description.allParameters {
            guard case .newCommand = parameter.kind else { continue }
            return argument(parameter.name)?.template.literalText
        }
        return nil
    }
}
