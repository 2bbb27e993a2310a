/// The names that a script may set: literal names, and globs for names that are computed when their line runs.
///
/// Most globs are a prefix and a suffix around one `*`. They are indexed by both, so a lookup compares a name with
/// only a few of them.
package struct KnownNames {
    /// The literal names.
    private(set) var names: Set<String> = []
    /// The suffixes of globs with one `*`, by prefix.
    private var ends: [Substring: Set<Substring>] = [:]
    private var otherGlobs: Set<String> = []

    init(_ names: some Sequence<String> = []) {
        for name in names { insert(name) }
    }

    mutating func insert(_ name: String) {
        guard isGlob(name) else {
            names.insert(name)
            return
        }
        let parts = name.split(separator: "*", omittingEmptySubsequences: false)
        if parts.count == 2, !name.contains("?") {
            ends[parts[0], default: []].insert(parts[1])
        } else {
            otherGlobs.insert(name)
        }
    }

    mutating func formUnion(_ others: some Sequence<String>) {
        for name in others { insert(name) }
    }

    /// Whether `name` is a literal name or matches a glob.
    package func contains(_ name: String) -> Bool {
        names.contains(name) || !ends.isEmpty && endsContain(name[...])
            || otherGlobs.contains { globMatches($0, name) }
    }

    /// Whether a name that matches the glob `name` may be one of these names.
    package func overlaps(_ name: String) -> Bool {
        isGlob(name)
            ? hasGlobs || names.contains { globMatches(name, $0) }
            : contains(name)
    }

    private var hasGlobs: Bool { !ends.isEmpty || !otherGlobs.isEmpty }

    private func endsContain(_ name: Substring) -> Bool {
        var start = name
        while true {
            if let ends = ends[start] {
                var end = name[start.endIndex...]
                if ends.contains(end) { return true }
                while end.popFirst() != nil {
                    if ends.contains(end) { return true }
                }
            }
            if start.popLast() == nil { return false }
        }
    }
}

/// The names visible only inside a block: parameters, loop variables, `session` and `error`.
struct VisibleNames {
    var known: Set<String> = []
    /// Whether the block is the body of a definition or inside it; the names of its callers are not visible there.
    var isInDefinition = false

    /// Names of strands and blocks that are computed.
    var globs = KnownNames()

    func contains(_ name: String) -> Bool { known.contains(name) || globs.contains(name) }

    func union(_ more: some Sequence<String>) -> VisibleNames {
        VisibleNames(known: known.union(more), isInDefinition: isInDefinition, globs: globs)
    }

    func union(globs more: [String]) -> VisibleNames {
        var names = self
        names.globs.formUnion(more)
        return names
    }
}
