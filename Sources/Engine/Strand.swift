import Reactor
import Script

/// A position in a program, with what belongs to this one way through it: loops, captures, the present wait.
final class Strand {
    let program: Program
    var position = 0
    /// The names that loops and calls have given, innermost last.
    private var scopes: [Scope] = []
    /// `${0}`, `${1}`, … of the last match.
    private(set) var captures: [[UInt8]?]
    private unowned let interpreter: Interpreter

    /// What it waits for, and the timer that ends the wait.
    var wait: (any Wait)?
    var timer: Timer?
    /// The sessions whose `waiter` it is.
    var waitsFor: [Conversation] = []
    /// Whether it is in the interpreter's queue.
    var isReady = false

    /// One run of a loop.
    struct Scope {
        var remaining: Int
        var index = 1
        let name: String?
    }

    /// `captures` are those of what ran before, for lines that come one by one.
    init(program: Program, captures: [[UInt8]?], interpreter: Interpreter) {
        self.program = program
        self.captures = captures
        self.interpreter = interpreter
    }

    /// The instruction it is at, or nil at the end.
    var instruction: (any Instruction)? {
        position < program.instructions.count ? program.instructions[position] : nil
    }

    func enter(_ scope: Scope) {
        scopes.append(scope)
    }

    /// Begins the next round of the innermost loop; false, and the loop is left, when it was the last one.
    func nextRound() -> Bool {
        guard var scope = scopes.popLast(), scope.remaining > 1 else { return false }
        scope.remaining -= 1
        scope.index += 1
        scopes.append(scope)
        return true
    }

    /// Sets the captures and named groups of a match.
    func capture(_ values: [[UInt8]?], groups: [(name: String, number: Int)] = []) {
        captures = values
        for group in groups where group.number < values.count {
            if let value = values[group.number] { interpreter.variables[group.name] = value }
        }
    }

    /// The bytes that `template` stands for.
    func expand(_ template: Template) throws(Failure) -> [UInt8] {
        if let literal = template.literal { return literal }
        return try template.expanded { name, range throws(Failure) in try value(of: name, range) }
    }

    /// The text that `template` stands for.
    func text(_ template: Template) throws(Failure) -> String {
        String(decoding: try expand(template), as: UTF8.self)
    }

    /// The value of a variable.
    func value(of name: String, _ range: SourceRange) throws(Failure) -> [UInt8] {
        for scope in scopes.reversed() where scope.name == name { return Array(String(scope.index).utf8) }
        if let value = interpreter.variables[name] { return value }
        if let number = Literals.count(name) {
            if number < captures.count, let value = captures[number] { return value }
            throw Failure(
                .expectation, "there is no capture ${\(name)}: the last match has no such group", range: range)
        }
        if let value = interpreter.builtIn(name, range) { return value }
        throw Failure(.expectation, "variable '\(name)' is not set", range: range)
    }

    /// The sessions that `target` means now; a name or glob that means none is a failure of `status`.
    func conversations(_ target: Target, orFail status: Failure.Status) throws(Failure) -> [Conversation] {
        var found: [Conversation] = []
        for item in target.items {
            let name = try text(item.template)
            let matching = interpreter.sessions.matching(name)
            guard !matching.isEmpty else { throw missing(name, item.range, status) }
            for conversation in matching where !found.contains(where: { $0 === conversation }) {
                found.append(conversation)
            }
        }
        return found
    }

    private func missing(_ name: String, _ range: SourceRange, _ status: Failure.Status) -> Failure {
        if interpreter.sessions.service(named: name) != nil {
            return Failure(status, "'\(name)' is a service, not a session; open a session to it first", range: range)
        }
        return Failure(
            status, isGlob(name) ? "no open session matches '\(name)'" : "no session '\(name)' is open", range: range)
    }
}
