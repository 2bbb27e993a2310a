/// Decides, from the text alone, which variables belong to the script and which to a strand.
///
/// A name that is set outside all strands, above a strand's block, is the script's, also inside that block. Any other
/// name that the block sets belongs to the strand. In a definition the calling strand decides.
package struct VariableOwners {
    /// The order in which the script itself sets its names.
    private let order = NameOrder()
    /// For each strand block of the last statements, the names that are the script's there.
    private var shared: [Place: SharedNames] = [:]
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
        for name in names { order.add(name) }
    }

    /// Returns the names that are the script's in the strand block that begins at `range`.
    package func shared(at range: SourceRange) -> SharedNames { shared[Place(range)] ?? order.soFar }

    /// Adds statements that follow those of earlier calls.
    package mutating func collect(_ statements: [Statement]) {
        var possible = PossibleValues()
        for statement in statements.flatMap(\.withAllInside) { possible.collect(statement) { _ in [] } }
        collect(statements, possible)
    }

    /// Adds statements; `possible` are the values of the variables in computed names.
    mutating func collect(_ statements: [Statement], _ possible: PossibleValues) {
        self.possible = possible
        shared = [:]
        var new: [[Statement]] = []
        for case .command(let call) in statements.flatMap(\.withAllInside) {
            guard let name = call.newCommand?.template.literalText else { continue }
            definitions[name] = call.block
            new.append(call.block)
        }
        for statement in statements { walk(statement) }
        // What is above the call of a definition cannot be seen in its text: all names of the script count.
        for statement in new.flatMap({ $0 }) { share(strandsIn: statement) }
    }

    private mutating func walk(_ statement: Statement) {
        for name in statement.namesSet(possible) { order.add(name) }
        switch statement {
        case .arrow: break
        case .invocation(let invocation):
            guard called.insert(invocation.name).inserted else { return }
            for statement in definitions[invocation.name] ?? [] { walk(statement) }
        case .command(let call):
            if call.newCommand != nil { return }
            if call.startsStrand { return share(strandsIn: statement) }
            for alternative in call.alternatives { walk(.command(alternative)) }
            for statement in call.block + (call.otherwise ?? []) { walk(statement) }
        }
    }

    /// Records the names that are the script's in all strand blocks of a statement.
    private mutating func share(strandsIn statement: Statement) {
        let names = order.soFar
        let inside = statement.withAllInside
        for case .command(let call) in inside where call.startsStrand {
            shared[Place(call.range)] = names
            note(call.strandGroups, at: call.range, names)
        }
        for inner in inside { note(inner.namesSet(possible), at: statement.range, names) }
    }

    private mutating func note(_ set: [String], at range: SourceRange, _ names: SharedNames) {
        for name in set where strands[name] == nil && !names.contains(name) { strands[name] = range }
    }
}

/// The names that a script sets, numbered in the order in which it sets them first. A computed name is a glob.
private final class NameOrder {
    fileprivate private(set) var names: [String: Int] = [:]
    fileprivate private(set) var globs: [String: Int] = [:]

    func add(_ name: String) {
        let number = names.count + globs.count
        if isGlob(name) {
            if globs[name] == nil { globs[name] = number }
        } else if names[name] == nil {
            names[name] = number
        }
    }

    /// The names until now.
    var soFar: SharedNames { SharedNames(order: self, count: names.count + globs.count) }
}

/// The variables of the script at one place of its text. Later names are not among them, so no copy is needed.
package struct SharedNames {
    fileprivate let order: NameOrder?
    fileprivate let count: Int

    fileprivate init(order: NameOrder, count: Int) {
        self.order = order
        self.count = count
    }

    /// No names.
    package init() {
        order = nil
        count = 0
    }

    package func contains(_ name: String) -> Bool {
        guard let order else { return false }
        if let number = order.names[name], number < count { return true }
        return order.globs.contains { $0.value < count && globMatches($0.key, name) }
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
}
