/// The names that a script may give, as they are written and as globs: names that are worked out when their line runs.
///
/// Globs lie by their text before the first `*` or `?`, so that a name is compared with few of them.
struct KnownNames {
    /// The names that are known as they are.
    private(set) var names: Set<String> = []
    private var globs: [String: Set<String>] = [:]

    init(_ names: some Sequence<String> = []) {
        for name in names { insert(name) }
    }

    mutating func insert(_ name: String) {
        guard isGlob(name) else {
            names.insert(name)
            return
        }
        globs[String(name.prefix { $0 != "*" && $0 != "?" }), default: []].insert(name)
    }

    mutating func formUnion(_ others: some Sequence<String>) {
        for name in others { insert(name) }
    }

    /// Whether `name` is one of them, or could become one.
    func contains(_ name: String) -> Bool {
        if names.contains(name) { return true }
        if globs.isEmpty { return false }
        var prefix = name[...]
        while true {
            if globs[String(prefix)]?.contains(where: { globMatches($0, name) }) == true { return true }
            if prefix.popLast() == nil { return false }
        }
    }
}
