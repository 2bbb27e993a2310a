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
struct JumpInstruction: Instruction {
    let destination: Int
    let range: SourceRange

    func execute(in strand: Strand) -> Step { .jump(destination) }
}

/// Leaves the innermost scope.
struct EndScopeInstruction: Instruction {
    let range: SourceRange

    func execute(in strand: Strand) -> Step {
        strand.leaveScope()
        return .next
    }
}
