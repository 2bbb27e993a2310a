import Script

/// Leaves some scopes, then jumps to another instruction.
struct LeaveInstruction: Instruction {
    let depth: Int
    let destination: Int
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        strand.leave(to: depth)
        return .jump(destination)
    }
}

/// Jumps to another instruction.
package struct JumpInstruction: Instruction {
    private let destination: Int
    package let range: SourceRange

    package init(destination: Int, range: SourceRange) {
        self.destination = destination
        self.range = range
    }

    package func execute(in strand: Strand) -> Step { .jump(destination) }
}

/// Enters a scope for the variables of a block.
struct EnterScopeInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        strand.enter(Scope())
        return .next
    }
}

/// Leaves the innermost scope.
package struct EndScopeInstruction: Instruction {
    package let range: SourceRange

    package init(range: SourceRange) {
        self.range = range
    }

    package func execute(in strand: Strand) -> Step {
        strand.leaveScope()
        return .next
    }
}

/// Does nothing. It represents a statement that has no other instruction.
package struct PassInstruction: Instruction {
    package let range: SourceRange

    package init(range: SourceRange) {
        self.range = range
    }

    package func execute(in strand: Strand) -> Step { .next }
}
