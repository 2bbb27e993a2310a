import Script

/// Compiles commands and arrow lines.
package protocol CommandSet {
    /// Adds the instructions of one call.
    func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError)
    /// Adds the instruction of an arrow line.
    func compile(_ arrow: ArrowLine, into compiler: inout Compiler)
}

/// Compiled statements. Compiling also checks them.
package struct CompiledScript {
    package let program: Program
    /// The commands that its `define` lines define.
    package let definitions: [Definition]
    /// Secrets written in the script. They are hidden before its first line runs.
    package let secrets: [(name: String, value: [UInt8])]
}

/// Turns statements into instructions and finds statements that are not allowed where they are.
package struct Compiler {
    package private(set) var program = Program()
    package private(set) var errors: [ScriptError] = []
    package private(set) var definitions: [Definition] = []
    private var secrets: [(name: String, value: [UInt8])] = []
    /// The context of the statements that are being compiled.
    package private(set) var place = Place()
    /// The number of scopes that the instructions so far have entered and not left.
    package var depth = 0
    private let commands: any CommandSet
    private let owners: VariableOwners

    /// The context of a statement.
    package struct Place {
        package var isInTest = false
        /// Whether it is inside a block that runs concurrently with the script.
        package var isInStrand = false
        /// The names and globs of the sessions that the innermost block of `parallel` opens; nil in other strands.
        package var parallelSessions: KnownNames?
        package var isInDefinition = false
        /// The innermost loop, to which `break` and `continue` apply.
        package var loop: Loop?
    }

    /// A loop whose end is not known yet; its `break` and `continue` instructions are filled in when it is.
    package final class Loop {
        /// The number of scopes outside and inside the loop.
        let outerDepth: Int
        let innerDepth: Int
        fileprivate(set) var breaks: [(index: Int, range: SourceRange)] = []
        fileprivate(set) var continues: [(index: Int, range: SourceRange)] = []

        init(outerDepth: Int, innerDepth: Int) {
            self.outerDepth = outerDepth
            self.innerDepth = innerDepth
        }
    }

    package init(commands: any CommandSet, owners: VariableOwners) {
        self.commands = commands
        self.owners = owners
    }

    /// The compiled script, valid only if there are no errors.
    package var script: CompiledScript { CompiledScript(program: program, definitions: definitions, secrets: secrets) }

    /// The index of the next instruction.
    package var position: Int { program.instructions.count }

    /// Compiles the statements of a script itself; `isMarked` means that the host is told when each begins.
    package mutating func compile(script statements: [Statement], isMarked: Bool) {
        guard isMarked else { return compile(statements) }
        for statement in statements {
            emit(BeginStatementInstruction(range: statement.range))
            compile([statement])
        }
    }

    package mutating func compile(_ statements: [Statement]) {
        for statement in statements {
            program.beginStatement()
            let start = position
            do throws(ScriptError) {
                switch statement {
                case .arrow(let arrow): commands.compile(arrow, into: &self)
                case .command(let call): try commands.compile(call, into: &self)
                case .invocation(let invocation):
                    program.reach.calls.insert(invocation.name)
                    emit(CallInstruction(invocation))
                }
            } catch {
                errors.append(error)
            }
            // A definition does nothing in its place, but it is a statement that -v shows.
            if position == start { emit(PassInstruction(range: statement.range)) }
        }
    }

    /// Compiles statements to a separate program, which runs concurrently with this one or is called.
    package mutating func subprogram(_ statements: [Statement], change: (inout Place) -> Void) -> Program {
        var compiler = Compiler(commands: commands, owners: owners)
        compiler.place = place
        compiler.place.loop = nil
        change(&compiler.place)
        compiler.compile(statements)
        errors += compiler.errors
        definitions += compiler.definitions
        secrets += compiler.secrets
        program.reach.formUnion(compiler.program.reach)
        return compiler.program
    }

    /// Compiles the block of a call that runs concurrently with the script.
    package mutating func strand(_ call: CommandCall, sessions: KnownNames? = nil) -> Program {
        let program = subprogram(call.block) {
            $0.isInStrand = true
            $0.parallelSessions = sessions
        }
        program.share(owners.shared(at: call.range))
        return program
    }

    /// Compiles a block with a scope of its own, if it has variables of its own.
    package mutating func compile(block: [Statement]) {
        let hasLocals = block.contains { if case .command(let call) = $0 { call.isLocal } else { false } }
        guard hasLocals, let range = block.first?.range else { return compile(block) }
        emit(EnterScopeInstruction(range: range))
        depth += 1
        compile(block)
        depth -= 1
        emit(EndScopeInstruction(range: range))
    }

    /// Compiles statements inside a test.
    package mutating func compileTest(_ statements: [Statement]) {
        let outer = place
        place.isInTest = true
        place.loop = nil
        compile(statements)
        place = outer
    }

    /// Compiles the body of a loop, which runs `scopes` scopes deeper than the loop itself. `end` then emits the end of
    /// the loop and returns the destination of `continue`.
    package mutating func compileLoop(_ statements: [Statement], scopes: Int, end: (inout Compiler) -> Int) {
        let outer = place.loop
        let loop = Loop(outerDepth: depth, innerDepth: depth + scopes)
        place.loop = loop
        depth += scopes
        compile(block: statements)
        depth -= scopes
        place.loop = outer
        let next = end(&self)
        for (index, range) in loop.continues {
            replace(at: index, with: LeaveInstruction(depth: loop.innerDepth, destination: next, range: range))
        }
        for (index, range) in loop.breaks {
            replace(at: index, with: LeaveInstruction(depth: loop.outerDepth, destination: position, range: range))
        }
    }

    /// Emits a `break` or `continue` of the innermost loop.
    package mutating func emitLeave(_ range: SourceRange, isBreak: Bool) {
        guard let loop = place.loop else { return }
        if isBreak { loop.breaks.append((position, range)) } else { loop.continues.append((position, range)) }
        emit(LeaveInstruction(depth: 0, destination: 0, range: range))
    }

    package mutating func emit(_ instruction: any Instruction) {
        program.append(instruction)
    }

    /// Replaces a placeholder with an instruction.
    package mutating func replace(at index: Int, with instruction: any Instruction) {
        program.replace(at: index, with: instruction)
    }

    /// Adds the definition of a command.
    package mutating func define(_ definition: Definition) {
        definitions.append(definition)
    }

    /// Records a secret that is written in the script.
    package mutating func hide(name: String, value: [UInt8]) {
        secrets.append((name, value))
    }

    /// Records that a connection of a listener is given a name.
    package mutating func accept(from listener: Argument, as name: Argument) {
        program.reach.accepted.append((listener.template.glob, name.template.glob))
    }

    /// Records that unread data from sessions of this target may be discarded.
    package mutating func drain(_ target: Target) {
        for item in target.items {
            if item.template.soleVariable == "session" {
                program.reach.readsOwnSession = true
            } else {
                program.reach.drained.insert(item.template.glob)
            }
        }
    }

    /// Records that an expectation may read from sessions of this target.
    package mutating func read(_ target: Target) {
        for item in target.items {
            if item.template.soleVariable == "session" {
                program.reach.readsOwnSession = true
            } else {
                program.reach.targets.insert(item.template.glob)
            }
        }
    }
}

/// Tells the host that a statement of the script begins.
private struct BeginStatementInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        strand.scheduler.host.beginStatement(range, captures: strand.captures)
        return .next
    }
}
