import Script

/// What can stand at the cursor.
package struct Completion: Equatable {
    /// How many characters before the cursor a candidate takes the place of.
    package let replaced: Int
    /// What could stand there, sorted, each whole.
    package let candidates: [String]
    /// What is inserted behind the only candidate.
    package let suffix: String

    /// What all candidates begin with.
    var commonPrefix: String {
        guard let first = candidates.first else { return "" }
        return candidates.dropFirst().reduce(first) { prefix, candidate in
            String(zip(prefix, candidate).prefix { $0 == $1 }.map(\.0))
        }
    }
}

/// Finds completions from the command table and the names of the sessions.
package struct Completer {
    private let table: CommandTable
    private let sessions: () -> [String]
    private let definitions: () -> [String]

    /// `sessions` gives the names that are open now, `definitions` the commands that were defined.
    package init(
        table: CommandTable, sessions: @escaping () -> [String], definitions: @escaping () -> [String] = { [] }
    ) {
        self.table = table
        self.sessions = sessions
        self.definitions = definitions
    }

    /// What can stand at the end of `line`, which is the text before the cursor.
    package func complete(_ line: String) -> Completion {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let word = words.last ?? ""
        let before = words.dropLast().filter { !$0.isEmpty }
        guard let name = before.first else { return completeFirst(word) }
        guard let command = table[name] else { return Completion(replaced: 0, candidates: [], suffix: "") }
        if word.hasPrefix("--") {
            return completion(word, command.options.map(\.name))
        }
        let place = before.dropFirst().filter { !$0.hasPrefix("--") }.count
        return completeParameter(command, place, before, word)
    }

    /// The first word: a command, or a session and its arrow.
    private func completeFirst(_ word: String) -> Completion {
        let commands = (table.descriptions.map(\.name) + definitions()).filter { $0.hasPrefix(word) }
        let names = sessions().filter { $0.hasPrefix(word) }.map { $0 + ">" }
        return Completion(replaced: word.count, candidates: (commands + names).sorted(), suffix: " ")
    }

    private func completeParameter(
        _ command: CommandDescription, _ place: Int, _ before: [String], _ word: String
    ) -> Completion {
        var candidates: [String] = []
        for form in command.forms where form.elements.indices.contains(place) {
            candidates += self.candidates(for: form.elements[place])
        }
        // In a comma list the last name is completed.
        let last = word.lastIndex(of: ",").map { String(word[word.index(after: $0)...]) } ?? word
        return completion(last, candidates)
    }

    private func candidates(for element: Element) -> [String] {
        switch element {
        case .keyword(let keyword): return [keyword]
        case .condition: return ["defined", "not", "open"]
        case .optional(let inner): return inner.first.map { candidates(for: $0) } ?? []
        case .parameter(let parameter), .repeating(let parameter):
            switch parameter.kind {
            case .session, .target: return sessions()
            case .command: return table.descriptions.map(\.name) + ["arrows"]
            case .choice(let choices): return choices
            default: return []
            }
        }
    }

    private func completion(_ word: String, _ candidates: [String]) -> Completion {
        Completion(
            replaced: word.count, candidates: Set(candidates.filter { $0.hasPrefix(word) }).sorted(), suffix: " ")
    }
}
