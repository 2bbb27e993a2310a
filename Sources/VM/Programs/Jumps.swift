import Script

/// Goes on elsewhere, out of some scopes.
struct LeaveInstruction: Instruction {
    let depth: Int
    let destination: Int
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        strand.leave(to: depth)
        return .jump(destination)
    }
}

/// Goes on elsewhere.
package struct JumpInstruction: Instruction {
    private let destination: Int
    package let range: SourceRange

    package init(destination: Int, range: SourceRange) {
        self.destination = destination
        self.range = range
    }

    package func execute(in strand: Strand) -> Step { .jump(destination) }
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

/// Does nothing: it stands for a statement that has no other instruction of its own.
package struct PassInstruction: Instruction {
    package let range: SourceRange

    package init(range: SourceRange) {
        self.range = range
    }

    package func execute(in strand: Strand) -> Step { .next }
}
