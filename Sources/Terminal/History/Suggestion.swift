/// The rest of the newest history entry that begins with what is typed.
struct Suggestion {
    /// Returns the rest of an entry; nil if there is none.
    ///
    /// - Parameters:
    ///   - line: what is typed.
    ///   - entries: the history, oldest first.
    static func rest(of line: String, in entries: [String]) -> String? {
        guard !line.isEmpty, !line.allSatisfy({ $0 == " " }) else { return nil }
        let entry = entries.last { entry in
            entry.utf8.count > line.utf8.count && entry.utf8.starts(with: line.utf8) && !entry.utf8.contains(0x0A)
        }
        return entry.flatMap { String($0.utf8.dropFirst(line.utf8.count)) }
    }

    /// Returns the first word of a suggestion, with the blanks before it.
    static func word(of rest: String) -> String {
        let blanks = rest.prefix { $0 == " " }
        return String(blanks + rest.dropFirst(blanks.count).prefix { $0 != " " })
    }
}
