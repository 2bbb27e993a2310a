/// Finds errors in parsed statements before anything runs: variables that are never set, sessions that are never
/// opened, commands that are never defined, and assignments to built-in names.
///
/// The checker first collects the names of the whole script, so the order of lines does not matter. A script that
/// arrives line by line keeps one checker, which remembers the names set so far.
package struct Checker {
    private var variables: KnownNames
    private var sessions: KnownNames
    /// The names of listeners and services, and those of all sessions that are not connections of a listener.
    private var listeners: Set<String> = []
    private var openedSessions: KnownNames
    private var definitions: [String: Definition] = [:]
    private let commands: [String]
    private let environment: Set<String>
    /// The lines of the script whose first argument is not a built-in command.
    private var invocations: [Invocation] = []
    /// Names containing variables that `let` sets, and the possible values of those variables.
    private var computedNames: [Template] = []
    private var possible = PossibleValues()
    /// Whose variables the names are.
    package private(set) var owners: VariableOwners
    /// The parameters and loop variables of the whole script.
    private var localNames: Set<String> = []
    /// The arguments of lines with errors, each with the number of such lines that contain it: such a line may define
    /// the name.
    private var suspects: [String: Int] = [:]
    private var suspectLines: Set<[UInt8]> = []
    /// How many more errors may suggest the nearest known name; finding it compares all known names.
    private var hintsLeft = 0

    private static let maxHints = 100

    /// A command defined with `define`.
    private struct Definition {
        let parameters: [String]
        let body: [Statement]
        /// Nil for one of a script that has run before.
        let range: SourceRange?
    }

    /// Names that are always set.
    private static let builtIn: Set<String> = ["tmp", "file", "line", "dir", "now", "elapsed", "random"]
    /// The names of the blocks of `time`.
    private var timed = KnownNames()
    /// The names of the blocks of `start`.
    private var started = KnownNames()
    /// The endings of the names that describe a session or listener.
    private static let ofSessions = [
        ".port", ".address", ".pid", ".peer", ".source", ".fd", ".path", ".protocol", ".screen", ".cursor.row",
        ".cursor.column",
    ]
    /// Names that commands set during the run; a script may not assign them.
    private static let reserved: Set<String> = ["session", "status", "error"]

    /// - Parameters:
    ///   - variables: the variables set outside the script (`-D`).
    ///   - sessions: the sessions that are already open (`-o`, or at the prompt).
    ///   - environment: the names of environment variables.
    package init(
        commands: CommandTable, variables: some Sequence<String>, sessions: some Sequence<String>,
        environment: some Sequence<String>
    ) {
        self.commands = commands.names
        self.variables = KnownNames(variables)
        owners = VariableOwners(variables)
        for name in variables { possible.insert(nil, for: name) }
        self.sessions = KnownNames(sessions)
        openedSessions = KnownNames(sessions)
        self.environment = Set(environment)
    }

    /// Returns the errors in `statements`; `parseErrors` are the errors already found in the same text.
    package mutating func check(_ statements: [Statement], parseErrors: [ScriptError] = []) -> [ScriptError] {
        suspects = [:]
        suspectLines = []
        hintsLeft = Self.maxHints
        for error in parseErrors { suspect(error.range.lineText) }
        var errors: [ScriptError] = []
        var defined: [String: Definition] = [:]
        for statement in statements { collect(statement, isInStrand: false, &defined, &errors) }
        definitions.merge(defined) { _, new in new }
        nameComputed(statements)
        owners.collect(statements, possible)
        for invocation in invocations where definitions[invocation.name] == nil { suspect(invocation.range.lineText) }
        invocations = []
        for statement in statements where errors.count < ScriptErrors.maxKept {
            check(statement, VisibleNames(), &errors)
        }
        return errors
    }

    private mutating func suspect(_ line: [UInt8]) {
        guard suspectLines.insert(line).inserted else { return }
        for argument in Set(line.split(whereSeparator: isBlank)) {
            suspects[String(decoding: argument, as: UTF8.self), default: 0] += 1
        }
    }

    private mutating func collect(
        _ statement: Statement, isInStrand: Bool, _ defined: inout [String: Definition], _ errors: inout [ScriptError]
    ) {
        switch statement {
        case .arrow(let arrow):
            if case .match(let pattern) = arrow.action, !isInStrand { variables.formUnion(pattern.groupNames) }
        case .invocation(let invocation): invocations.append(invocation)
        case .command(let call):
            for parameter in call.description.allParameters {
                let isElsewhere = isInStrand || call.isLocal
                let kind = call.kind(of: parameter)
                for argument in call.arguments(parameter.name) { collect(argument, kind, isElsewhere) }
                if let pattern = call.regex(parameter.name), !isInStrand, !call.startsStrand {
                    variables.formUnion(pattern.groupNames)
                }
            }
            if !isInStrand {
                for pattern in call.condition?.patterns ?? [] { variables.formUnion(pattern.groupNames) }
            }
            for name in call.condition?.definedNames ?? [] { variables.insert(name) }
            variables.formUnion(call.description.resultNames)
            if call.description.name == "time", let name = call.argument("NAME") { timed.insert(name.template.glob) }
            if call.description.name == "start", let name = call.argument("NAME") { started.insert(name.template.glob) }
            for option in call.description.options {
                guard let parameter = option.parameter else { continue }
                for argument in call.values(ofOption: option.name) { collect(argument, parameter.kind, true) }
            }
            if call.givesNumberedSession { sessions.formUnion(["s?", "s??", "s???"]) }
            define(call, &defined, &errors)
            let isInside = call.newCommand == nil && (isInStrand || call.startsStrand)
            for alternative in call.alternatives {
                collect(.command(alternative), isInStrand: isInside, &defined, &errors)
            }
            for statement in call.block + (call.otherwise ?? []) {
                collect(statement, isInStrand: isInside, &defined, &errors)
            }
        }
    }

    /// Collects a name; `isElsewhere` if it is a variable of a strand or block, not of the script.
    private mutating func collect(_ argument: Argument, _ kind: Parameter.Kind, _ isElsewhere: Bool) {
        switch kind {
        case .newVariable where isElsewhere: break
        case .newVariable where argument.template.literalText == nil: computedNames.append(argument.template)
        case .newVariable: variables.insert(argument.template.glob)
        case .localVariable: if let name = argument.template.literalText { localNames.insert(name) }
        case .newSession:
            sessions.insert(argument.template.glob)
            openedSessions.insert(argument.template.glob)
        case .newListener:
            if let name = argument.template.literalText { listeners.insert(name) }
            sessions.formUnion([argument.template.glob, argument.template.glob + ".*"])
        default: break
        }
    }

    /// Makes names known that were not set in the statements checked so far.
    package mutating func know(sessions: [String], variables: [String]) {
        self.sessions.formUnion(sessions)
        self.variables.formUnion(variables)
    }

    package func knows(command name: String) -> Bool { definitions[name] != nil }

    /// Makes a command known that was not defined in the statements checked so far.
    package mutating func know(command name: String, parameters: [String]) {
        definitions[name] = Definition(parameters: parameters, body: [], range: nil)
    }

    private func define(_ call: CommandCall, _ defined: inout [String: Definition], _ errors: inout [ScriptError]) {
        guard let argument = call.newCommand else { return }
        guard let name = argument.template.literalText else {
            errors.append(ScriptError(argument.range, "a command name cannot contain variables"))
            return
        }
        if commands.contains(name) || name == "else" || name == "branch" {
            errors.append(ScriptError(argument.range, "'\(name)' is a built-in command; choose another name"))
        } else if let former = defined[name] {
            errors.append(
                ScriptError(
                    argument.range, "'\(name)' is already defined" + (former.range.map { " on line \($0.line)" } ?? ""))
            )
        }
        defined[name] = Definition(parameters: call.localNames, body: call.block, range: argument.range)
    }

    /// Adds the names that `let` computes from variables: all possible names, or a glob if any value is possible.
    private mutating func nameComputed(_ statements: [Statement]) {
        let definitions = definitions
        for statement in statements.flatMap(\.withAllInside) {
            possible.collect(statement) { definitions[$0]?.parameters }
        }
        for template in computedNames {
            variables.formUnion(possible.names(of: template) ?? [template.glob])
        }
    }

    private mutating func check(_ statement: Statement, _ names: VisibleNames, _ errors: inout [ScriptError]) {
        switch statement {
        case .arrow(let arrow):
            check(arrow.target, names, &errors)
            checkConnections(arrow.target, &errors)
            switch arrow.action {
            case .send(let template, _), .line(let template, _): check(template, names, &errors)
            case .match(let pattern): check(pattern.template, names, &errors)
            case .endOutput, .endOfStream, .reset: break
            }
        case .invocation(let invocation): check(invocation, names, &errors)
        case .command(let call): check(call, names, &errors)
        }
    }

    private mutating func check(_ call: CommandCall, _ names: VisibleNames, _ errors: inout [ScriptError]) {
        for argument in call.allArguments { check(argument.template, names, &errors) }
        for argument in call.condition?.arguments ?? [] { check(argument.template, names, &errors) }
        for pattern in call.condition?.patterns ?? [] { check(pattern.template, names, &errors) }
        for parameter in call.description.allParameters {
            for argument in call.arguments(parameter.name) {
                check(argument, parameter.kind, of: call.description.name, names, &errors)
            }
        }
        if call.description.name == "join", let argument = call.argument("NAME"),
            let name = argument.template.literalText, !started.contains(name)
        {
            errors.append(
                ScriptError(argument.range, "'\(name)' is never started", hint: "start it: start \(name) { … }"))
        }
        for option in call.description.options {
            guard let parameter = option.parameter, case .session = parameter.kind else { continue }
            for argument in call.values(ofOption: option.name) {
                check(argument, parameter.kind, of: call.description.name, names, &errors)
            }
        }
        // A definition sees its parameters and the script's variables, but no names of its callers.
        let outside = call.newCommand == nil ? names : VisibleNames(isInDefinition: true)
        var inside = outside.union(call.localNames).union(call.description.blockNames)
        if call.has(option: "--csv") { inside = inside.union(globs: call.localNames.map { $0 + ".*" }) }
        if call.startsStrand {
            inside = inside.union(globs: call.strandGroups + call.block.flatMap { namesSet(inStrand: $0) })
        }
        check(block: call.block, inside, &errors)
        for alternative in call.alternatives { check(alternative, names, &errors) }
        let inElse = call.description.alternative == .otherwise ? names.union(["error"]) : names
        check(block: call.otherwise ?? [], inElse, &errors)
    }

    private mutating func check(block: [Statement], _ names: VisibleNames, _ errors: inout [ScriptError]) {
        let locals = block.compactMap { statement -> String? in
            guard case .command(let call) = statement, call.isLocal else { return nil }
            return call.argument("NAME")?.template.glob
        }
        let inside = names.union(globs: locals)
        for statement in block { check(statement, inside, &errors) }
    }

    /// The names that a statement in a strand's block sets for that strand; a strand inside it has its own.
    private func namesSet(inStrand statement: Statement) -> [String] {
        let own = statement.namesSet(possible)
        guard case .command(let call) = statement, !call.startsStrand, call.newCommand == nil else { return own }
        let parts = call.alternatives.map(Statement.command) + call.block + (call.otherwise ?? [])
        return own + parts.flatMap { namesSet(inStrand: $0) }
    }

    private mutating func check(_ invocation: Invocation, _ names: VisibleNames, _ errors: inout [ScriptError]) {
        for argument in invocation.arguments { check(argument.template, names, &errors) }
        guard let definition = definitions[invocation.name] else {
            // The line itself counts as one.
            if suspects[invocation.name, default: 0] > 1 { return }
            let known = takeHint() ? commands + definitions.keys.sorted() : []
            errors.append(ScriptError(unknownCommand: invocation.name, invocation.nameRange, known: known))
            return
        }
        guard invocation.arguments.count != definition.parameters.count else {
            return checkPatterns(of: invocation, definition, &errors)
        }
        let usage = ([invocation.name] + definition.parameters.map { $0.uppercased() }).joined(separator: " ")
        errors.append(
            ScriptError(
                invocation.range,
                "\(invocation.name) takes \(counted(definition.parameters.count, "argument")), not \(invocation.arguments.count)",
                hint: "write \(usage)"))
    }

    /// Reports a regex passed to a definition that uses it as a pattern: it would be searched for as text.
    private func checkPatterns(of invocation: Invocation, _ definition: Definition, _ errors: inout [ScriptError]) {
        for (parameter, argument) in zip(definition.parameters, invocation.arguments) where argument.looksLikeRegex {
            guard isPattern(parameter, in: definition.body, [invocation.name]) else { continue }
            errors.append(
                ScriptError(
                    argument.range,
                    "a /regex/ cannot be passed to '\(invocation.name)': it would be searched for as text",
                    hint: "write the /regex/ in the definition, or quote the text"))
        }
    }

    /// Whether a parameter is used as a whole pattern in a body, or in the body of a command that it is passed to.
    private func isPattern(_ parameter: String, in body: [Statement], _ seen: Set<String>) -> Bool {
        body.flatMap(\.withAllInside).contains { statement in
            switch statement {
            case .arrow(let arrow):
                if case .match(let pattern) = arrow.action { return pattern.template.soleVariable == parameter }
                return false
            case .command(let call):
                return call.description.allParameters.contains { formal in
                    guard case .pattern = formal.kind else { return false }
                    return call.arguments(formal.name).contains { $0.template.soleVariable == parameter }
                }
            case .invocation(let inner):
                guard !seen.contains(inner.name), let definition = definitions[inner.name] else { return false }
                return zip(definition.parameters, inner.arguments).contains { formal, argument in
                    argument.template.soleVariable == parameter
                        && isPattern(formal, in: definition.body, seen.union([inner.name]))
                }
            }
        }
    }

    private mutating func check(
        _ argument: Argument, _ kind: Parameter.Kind, of command: String, _ names: VisibleNames,
        _ errors: inout [ScriptError]
    ) {
        switch kind {
        case .target, .session:
            do {
                let target = try Target(argument.template, range: argument.range)
                check(target, names, &errors)
                if command == "on" { checkConnections(target, &errors) }
            } catch {
                errors.append(error)
            }
        case .newVariable, .localVariable:
            guard let name = argument.template.literalText, Self.hasMeaning(name) else { return }
            errors.append(ScriptError(argument.range, "'\(name)' is a built-in name and cannot be assigned"))
        default: break
        }
    }

    private mutating func check(_ target: Target, _ names: VisibleNames, _ errors: inout [ScriptError]) {
        for item in target.items {
            check(item.template, names, &errors)
            guard let name = item.template.literalText, !isGlob(name), !sessions.contains(name), suspects[name] == nil
            else { continue }
            var hint = "open it first: open \(name) localhost:8080"
            if takeHint(), let nearest = nearestSpelling(of: name, among: sessions.names) {
                hint = "did you mean '\(nearest)'?"
            }
            errors.append(ScriptError(item.range, "no session is named '\(name)'", hint: hint))
        }
    }

    /// Reports a listener where only its connections can be meant.
    private func checkConnections(_ target: Target, _ errors: inout [ScriptError]) {
        for item in target.items {
            guard let name = item.template.literalText, listeners.contains(name), !openedSessions.contains(name) else {
                continue
            }
            errors.append(
                ScriptError(
                    item.range, "'\(name)' is not a session: it accepts connections",
                    hint: "for its connections write \(name).*, or name one: accept \(name) NAME"))
        }
    }

    private mutating func check(_ template: Template, _ names: VisibleNames, _ errors: inout [ScriptError]) {
        for expansion in template.allExpansions {
            if let name = expansion.literalName {
                guard !names.contains(name), !isKnown(variable: name), suspects[name] == nil else { continue }
                errors.append(unset(name, names, expansion.range))
            } else {
                check(computed: expansion, names, &errors)
            }
        }
    }

    /// Reports a computed name of which no possible value is ever set.
    private mutating func check(computed expansion: Expansion, _ names: VisibleNames, _ errors: inout [ScriptError]) {
        guard let possible = possible.names(of: expansion.name), !possible.isEmpty else { return }
        let unknown = possible.filter { !names.contains($0) && !isKnown(variable: $0) && suspects[$0] == nil }
        guard unknown.count == possible.count, let name = unknown.min() else { return }
        errors.append(unset(name, names, expansion.range))
    }

    /// Whether another error may suggest the nearest known name.
    private mutating func takeHint() -> Bool {
        hintsLeft -= 1
        return hintsLeft >= 0
    }

    private mutating func unset(_ name: String, _ names: VisibleNames, _ range: SourceRange) -> ScriptError {
        if name.hasPrefix("env.") {
            return ScriptError(range, "environment variable '\(name.dropFirst(4))' is not set")
        }
        var hint = "set it first: let \(name) VALUE, or -D \(name)=VALUE"
        if TimeFigure(name) != nil { hint = "measure it first: time \(name.split(separator: ".")[0]) { … }" }
        if Self.ofSessions.contains(where: { name.hasSuffix($0) }) || TLSFact(name) != nil {
            hint = "open a session or service of that name first"
        }
        if names.isInDefinition, name == "session" || name == "error" || localNames.contains(name) {
            hint = "not visible inside 'define': pass it as a parameter"
            return ScriptError(range, "variable '\(name)' is never set here", hint: hint)
        }
        if let strand = owners.strands[name] {
            hint = "the block in line \(strand.line) has its own '\(name)'; to share it, set it before that block"
            return ScriptError(range, "variable '\(name)' is never set here", hint: hint)
        }
        if name == "session" { hint = "it is set inside 'on' and the branches of 'select'" }
        if name == "error" { hint = "it is set inside the 'else' of 'try'" }
        if name == "status" { hint = "'wait' sets it" }
        if takeHint(), let nearest = nearestSpelling(of: name, among: variables.names.union(names.known)) {
            hint = "did you mean '${\(nearest)}'?"
        }
        return ScriptError(range, "variable '\(name)' is never set", hint: hint)
    }

    private func isKnown(variable name: String) -> Bool {
        if variables.contains(name) { return true }
        if Self.isBuiltIn(name) {
            return !name.hasPrefix("env.") || environment.contains(String(name.dropFirst(4)))
        }
        if let fact = TLSFact(name) { return sessions.contains(fact.session) }
        if let figure = TimeFigure(name), timed.contains(figure.name) { return true }
        for suffix in Self.ofSessions where name.hasSuffix(suffix) {
            let session = String(name.dropLast(suffix.count))
            if sessions.contains(session) { return true }
        }
        return false
    }

    /// Whether a name has a meaning of its own, so no variable can have it.
    package static func hasMeaning(_ name: String) -> Bool { isBuiltIn(name) || reserved.contains(name) }

    private static func isBuiltIn(_ name: String) -> Bool {
        builtIn.contains(name) || name.hasPrefix("env.") || isPort(name)
            || name.utf8.allSatisfy { (48...57).contains($0) }
    }
}

/// Whether `name` is `port.NAME`, a free port, or `bad.port`.
private func isPort(_ name: String) -> Bool {
    name == "bad.port" || name.hasPrefix("port.") && isSessionName(String(name.dropFirst(5)))
}
