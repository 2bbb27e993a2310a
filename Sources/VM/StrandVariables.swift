import Functions
import Results
import Script

/// The variables as a strand sees them: of its blocks, its own, and those of the script.
extension Strand {
    /// Sets the captures and named groups of a match.
    package func capture(_ values: [[UInt8]?], groups names: [(name: String, number: Int)] = []) {
        captures = values
        for group in names where group.number < values.count {
            guard let value = values[group.number] else { continue }
            if setLocal(group.name, value) { continue }
            if isShared(group.name) { variables[group.name] = value } else { own[group.name] = value }
        }
    }

    /// Sets the nearest parameter, loop name or local variable, otherwise a variable of the script or of this strand.
    package func set(_ variable: VariableReference, to value: [UInt8]) {
        if setLocal(variable.name, value) { return }
        if isShared(variable.name) { variable.set(value, in: variables) } else { own[variable.name] = value }
    }

    /// Sets a variable of the innermost block: of its scope, or else of the strand or script.
    package func setInBlock(_ variable: VariableReference, to value: [UInt8]) {
        guard let scope = scopes.last else {
            if place == nil { variable.set(value, in: variables) } else { own[variable.name] = value }
            return
        }
        if let index = scope.names.firstIndex(where: { $0.name == variable.name }) {
            scope.names[index].value = value
        } else {
            scope.names.append((variable.name, value))
        }
    }

    /// Whether a name that no block hides is a variable of the script.
    private func isShared(_ name: String) -> Bool { place == nil || shared.contains(name) }

    /// Like `set`, with a whole number.
    package func set(_ variable: VariableReference, toInteger value: Int) {
        guard isShared(variable.name), local(variable.name) == nil else {
            return set(variable, to: Array(String(value).utf8))
        }
        variable.set(integer: value, in: variables)
    }

    /// Returns the value of a script variable as a whole number; nil if it is not set or not a whole number, or if a
    /// parameter or loop name hides it.
    package func integer(of variable: VariableReference) -> Int? {
        local(variable.name) == nil ? variable.integer(in: variables) : nil
    }

    /// Returns the value of a script variable that was calculated, without converting it to text; nil otherwise.
    package func calculated(_ variable: VariableReference) -> Int? {
        local(variable.name) == nil ? variable.calculated(in: variables) : nil
    }

    private func setLocal(_ name: String, _ value: [UInt8]) -> Bool {
        if scopes.isEmpty && place == nil { return false }
        for scope in scopes.reversed() {
            if scope.rounds?.name == name {
                scope.rounds?.override(value)
                return true
            }
            guard let place = scope.names.firstIndex(where: { $0.name == name }) else { continue }
            scope.names[place].value = value
            return true
        }
        guard callers.isEmpty, inherited[name] != nil else { return false }
        inherited[name] = value
        return true
    }

    /// Sets a built-in name for this strand. The value outlasts the current block.
    package func setResult(_ name: String, to value: [UInt8]) {
        if place == nil { variables[name] = value } else { own[name] = value }
    }

    /// The maximum size of a value in bytes. Without it, a variable that keeps doubling itself would take all memory.
    private static let longestText = 64 << 20

    /// Returns the bytes that `template` expands to.
    package func expand(_ template: Template) throws(Failure) -> [UInt8] {
        if let literal = template.literal { return literal }
        let bytes =
            if let only = template.soleExpansion {
                try value(of: only)
            } else {
                try template.expanded { expansion throws(Failure) in try value(of: expansion) }
            }
        guard bytes.count <= Self.longestText else {
            throw Failure(.expectation, "a value of \(bytes.count) bytes is too large (limit 64 MiB)")
        }
        return bytes
    }

    /// Returns the text that `template` expands to.
    package func text(_ template: Template) throws(Failure) -> String {
        String(lossless: try expand(template))
    }

    /// Returns the value of a variable that an instruction refers to; throws if it is not set.
    package func value(of variable: VariableReference) throws(Failure) -> [UInt8] {
        if let value = local(variable.name) ?? variable.value(in: variables) { return value }
        return try value(of: variable.name, variable.range)
    }

    /// Returns the value of an expansion: of its variable, with its functions applied. Throws if the variable is not set
    /// or a function cannot take the value.
    package func value(of expansion: Expansion) throws(Failure) -> [UInt8] {
        let name: String
        if let literal = expansion.literalName { name = literal } else { name = try text(expansion.name) }
        var value = try value(of: name, expansion.range)
        if expansion.functions.isEmpty { return value }
        // A short value between two functions is not kept as a secret, so each is traced to the first value.
        var origin = value
        for application in expansion.functions {
            value = try apply(application, to: value)
            if application.function.isHarmless { origin = value }
            scheduler.host.derive(value, from: origin, title: expansion.title)
        }
        return value
    }

    private func apply(_ application: Expansion.Application, to value: [UInt8]) throws(Failure) -> [UInt8] {
        var arguments: [[UInt8]] = []
        for argument in application.arguments { arguments.append(try expand(argument)) }
        do {
            return try Functions.apply(
                application.function, to: value, arguments, outputLimit: scheduler.host.outputLimit)
        } catch {
            throw Failure(.expectation, error.message, range: application.range)
        }
    }

    /// Returns the value of a variable; throws if it is not set.
    package func value(of name: String, _ range: SourceRange) throws(Failure) -> [UInt8] {
        if let value = try optionalValue(of: name, range) { return value }
        if let number = Literals.capture(name) {
            throw Failure(
                .expectation, "capture ${\(name)} is not set: \(whyMissing(capture: number))", range: range)
        }
        throw Failure(.expectation, "variable '\(name)' is not set", range: range)
    }

    private func whyMissing(capture number: Int) -> String {
        guard captures.isEmpty else {
            return number < captures.count
                ? "the group did not participate in the last match" : "the last match has no such group"
        }
        return "nothing has matched yet (each call has its own captures)"
    }

    /// Returns the value of a variable, or nil if it is not set.
    package func optionalValue(of name: String, _ range: SourceRange) throws(Failure) -> [UInt8]? {
        if let value = local(name) { return value }
        if let value = variables[name] { return value }
        if let number = Literals.capture(name) { return number < captures.count ? captures[number] : nil }
        return try scheduler.host.builtIn(name, range)
    }

    private func local(_ name: String) -> [UInt8]? {
        if scopes.isEmpty && place == nil { return nil }
        var index = scopes.count
        while index > 0 {
            index -= 1
            if let value = scopes[index].value(of: name) { return value }
        }
        if place == nil { return nil }
        if callers.isEmpty, let value = inherited[name] { return value }
        return own[name]
    }

    /// The parameters and loop names visible at the current position.
    var visibleNames: [String: [UInt8]] {
        var names = callers.isEmpty ? inherited : [:]
        for scope in scopes {
            if let rounds = scope.rounds, let name = rounds.name { names[name] = rounds.value }
            for (name, value) in scope.names { names[name] = value }
        }
        return names
    }
}
