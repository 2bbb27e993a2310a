/// The names that a script may give, as they are written and as globs: names that are worked out when their line runs.
///
/// Most globs are a text before and a text behind one `*`; they are looked up by the two, so that a name is compared with
/// few of many.
struct KnownNames {
    /// The names that are known as they are.
    private(set) var names: Set<String> = []
    /// Of globs with one `*`, what stands behind it, by what stands before it.
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

    /// Whether `name` is one of them, or could become one.
    func contains(_ name: String) -> Bool {
        names.contains(name) || !ends.isEmpty && endsContain(name[...])
            || otherGlobs.contains { globMatches($0, name) }
    }

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
