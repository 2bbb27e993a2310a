/// Finds what is wrong with parsed statements before anything runs: variables set nowhere, sessions opened nowhere,
/// built-in names that are assigned.
///
/// Names are collected over the whole script first, so the order of lines does not matter. For a script that comes
/// line by line the checker is kept, and knows what was set so far.
package struct Checker {
    private var variables: Set<String>
    private var sessions: [String] = []
    private let environment: Set<String>
    /// Lines that did not parse: a name that stands in one of them may well be given there.
    private var suspectLines: [[UInt8]] = []

    /// Names that are always set.
    private static let builtIn: Set<String> = ["tmp", "file", "line", "dir"]
    /// Names that are kept for what happens: nobody may assign them.
    private static let reserved: Set<String> = ["session", "status", "error"]

    /// - Parameters:
    ///   - variables: set from outside (`-D`).
    ///   - sessions: open already (`-o`, or at the prompt).
    ///   - environment: the names of environment variables.
    package init(variables: some Sequence<String>, sessions: some Sequence<String>, environment: some Sequence<String>)
    {
        self.variables = Set(variables)
        self.sessions = Array(sessions)
        self.environment = Set(environment)
    }

    /// The errors in `statements`; `parseErrors` are the ones already found in the same text.
    package mutating func check(_ statements: [Statement], parseErrors: [ScriptError] = []) -> [ScriptError] {
        suspectLines = parseErrors.map(\.range.lineText)
        for statement in statements { collect(statement) }
        var errors: [ScriptError] = []
        for statement in statements { check(statement, &errors) }
        return errors
    }

    private mutating func collect(_ statement: Statement) {
        switch statement {
        case .arrow(let arrow):
            if case .match(let pattern) = arrow.action { variables.formUnion(pattern.groupNames) }
        case .command(let call):
            for parameter in call.description.allParameters {
                for word in call.words(parameter.name) { collect(word, parameter.kind) }
                if let pattern = call.regex(parameter.name) { variables.formUnion(pattern.groupNames) }
            }
            if call.givesNumberedSession { sessions += ["s?", "s??", "s???"] }
            for statement in call.block { collect(statement) }
        }
    }

    private mutating func collect(_ word: Word, _ kind: Parameter.Kind) {
        switch kind {
        case .newVariable: word.template.literalText.map { _ = variables.insert($0) }
        // A name with variables in it could become any name of that shape.
        case .newSession: sessions.append(word.template.segments.map(\.globText).joined())
        default: break
        }
    }

    private func check(_ statement: Statement, _ errors: inout [ScriptError]) {
        switch statement {
        case .arrow(let arrow):
            check(arrow.target, &errors)
            switch arrow.action {
            case .send(let template, _), .line(let template, _): check(template, &errors)
            case .match(let pattern): check(pattern.template, &errors)
            case .endOutput, .endOfStream, .reset: break
            }
        case .command(let call):
            for word in call.allWords { check(word.template, &errors) }
            for parameter in call.description.allParameters {
                for word in call.words(parameter.name) { check(word, parameter.kind, &errors) }
            }
            for statement in call.block { check(statement, &errors) }
        }
    }

    private func check(_ word: Word, _ kind: Parameter.Kind, _ errors: inout [ScriptError]) {
        switch kind {
        case .target, .session:
            do {
                check(try Target(word.template, range: word.range), &errors)
            } catch {
                errors.append(error)
            }
        case .newVariable:
            guard let name = word.template.literalText, isBuiltIn(name) || Self.reserved.contains(name) else { return }
            errors.append(ScriptError(word.range, "'\(name)' is a built-in name and cannot be assigned"))
        default: break
        }
    }

    private func check(_ target: Target, _ errors: inout [ScriptError]) {
        for item in target.items {
            check(item.template, &errors)
            guard let name = item.template.literalText, !isGlob(name),
                !sessions.contains(where: { globMatches($0, name) }),
                !isSuspect(name)
            else { continue }
            var hint = "open it first: open \(name) localhost:8080"
            if let nearest = nearestSpelling(of: name, among: sessions.filter { !isGlob($0) }) {
                hint = "did you mean '\(nearest)'?"
            }
            errors.append(ScriptError(item.range, "there is no session '\(name)'", hint: hint))
        }
    }

    private func check(_ template: Template, _ errors: inout [ScriptError]) {
        for (name, range) in template.variables where !isKnown(variable: name) && !isSuspect(name) {
            if name.hasPrefix("env.") {
                errors.append(ScriptError(range, "the environment has no variable '\(name.dropFirst(4))'"))
                continue
            }
            var hint = "set it first: let \(name) VALUE, or -D \(name)=VALUE"
            if name.hasSuffix(".port") || name.hasSuffix(".address") {
                hint = "open a session or service of that name first"
            }
            if let nearest = nearestSpelling(of: name, among: variables) { hint = "did you mean '${\(nearest)}'?" }
            errors.append(ScriptError(range, "variable '\(name)' is set nowhere", hint: hint))
        }
    }

    private func isKnown(variable name: String) -> Bool {
        if variables.contains(name) || isBuiltIn(name) {
            return !name.hasPrefix("env.") || environment.contains(String(name.dropFirst(4)))
        }
        for suffix in [".port", ".address"] where name.hasSuffix(suffix) {
            let session = String(name.dropLast(suffix.count))
            if sessions.contains(where: { globMatches($0, session) }) { return true }
        }
        return false
    }

    private func isBuiltIn(_ name: String) -> Bool {
        Self.builtIn.contains(name) || name.hasPrefix("env.") || name.utf8.allSatisfy { (48...57).contains($0) }
    }

    private func isSuspect(_ name: String) -> Bool {
        let name = Array(name.utf8)
        return suspectLines.contains { line in line.split(whereSeparator: isBlank).contains { $0.elementsEqual(name) } }
    }
}

extension Template.Segment {
    /// As a glob: a variable could be anything.
    fileprivate var globText: String {
        switch self {
        case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
        case .variable: "*"
        }
    }
}

extension CommandDescription {
    /// Every parameter of every form, each once.
    package var allParameters: [Parameter] {
        var seen: Set<String> = []
        return forms.flatMap { $0.elements.flatMap(\.parameters) }.filter { seen.insert($0.name).inserted }
    }
}

extension Element {
    fileprivate var parameters: [Parameter] {
        switch self {
        case .keyword: []
        case .parameter(let parameter), .repeating(let parameter): [parameter]
        case .optional(let inner): inner.flatMap(\.parameters)
        }
    }
}

extension CommandCall {
    /// Whether it names a session by itself: a name could be given, and was not.
    fileprivate var givesNumberedSession: Bool {
        description.allParameters.contains { parameter in
            if case .newSession = parameter.kind { return word(parameter.name) == nil }
            return false
        }
    }
}
