import Script

/// `if`: runs a block when a condition holds.
struct IfCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "if", summary: "run a block when a condition holds",
            forms: [Form(.condition, content: .statements)], alternative: .conditions,
            text: """
                COND is A == B or A != B (bytes), A < B, <=, >, >= (decimal numbers), A =~ /regex/ (which sets the \
                captures), 'defined NAME' (a variable has a value), 'open NAME' (a session is open and its peer has not \
                ended it), or 'not' and one of these.
                """,
            examples: [
                "if ${version} >= 7 {\n    a> NEW\n} else if ${version} =~ /^6/ {\n    a> OLD\n} else {\n"
                    + "    skip \"too old\"\n}"
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        var jumps: [Int] = []
        for part in [call] + call.alternatives {
            guard let condition = part.condition else { throw ScriptError(part.range, "a condition is missing") }
            let start = compiler.position
            compiler.emit(JumpInstruction(destination: 0, range: part.range))
            compiler.compile(part.block)
            jumps.append(compiler.position)
            compiler.emit(JumpInstruction(destination: 0, range: part.range))
            compiler.replace(
                at: start,
                with: ConditionInstruction(condition: condition, otherwise: compiler.position, range: part.range))
        }
        compiler.compile(call.otherwise ?? [])
        for jump in jumps {
            compiler.replace(at: jump, with: JumpInstruction(destination: compiler.position, range: call.range))
        }
    }
}

/// Goes on with the next instruction when a condition holds, and elsewhere when not.
struct ConditionInstruction: Instruction {
    let condition: Condition
    let otherwise: Int
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        try strand.holds(condition, interpreter) ? .next : .jump(otherwise)
    }
}

extension Strand {
    /// Whether a condition holds now.
    func holds(_ condition: Condition, _ interpreter: Interpreter) throws(Failure) -> Bool {
        switch condition {
        case .not(let condition): return !(try holds(condition, interpreter))
        case .defined(let name):
            guard let range = instruction?.range else { return false }
            return optionalValue(of: name, range) != nil
        case .open(let word):
            let name = try text(word.template)
            return interpreter.sessions.service(named: name) != nil
                || interpreter.sessions.matching(name).contains { !$0.inputHasEnded }
        case .match(let word, let pattern): return try matches(try expand(word.template), try regex(pattern), word)
        case .comparison(let left, let operation, let right):
            return try compare(left, operation, right)
        }
    }

    private func matches(_ value: [UInt8], _ regex: Regex, _ word: Word) throws(Failure) -> Bool {
        let outcome = value.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
        switch outcome {
        case .match(let groups):
            capture(groups.map { $0.map { Array(value[$0]) } }, groups: regex.groups)
            return true
        case .none, .partial: return false
        case .limit(let why): throw Failure(.expectation, "the pattern was given up: \(why)", range: word.range)
        }
    }

    private func compare(
        _ left: Word, _ operation: Condition.Operator, _ right: Word
    ) throws(Failure) -> Bool {
        switch operation {
        case .equal: return try expand(left.template) == expand(right.template)
        case .unequal: return try expand(left.template) != expand(right.template)
        case .less: return try number(left) < number(right)
        case .lessOrEqual: return try number(left) <= number(right)
        case .greater: return try number(left) > number(right)
        case .greaterOrEqual: return try number(left) >= number(right)
        }
    }

    private func number(_ word: Word) throws(Failure) -> Literals.Decimal {
        let bytes = try expand(word.template)
        guard let number = Literals.Decimal(bytes) else {
            throw Failure(.expectation, "'\(Escapes.escaped(bytes))' is not a number", range: word.range)
        }
        return number
    }
}
