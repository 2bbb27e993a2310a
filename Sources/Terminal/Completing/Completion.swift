import Reactor
import Script

/// The possible completions at the cursor.
package struct Completion: Equatable {
    /// One possible completion.
    package struct Choice: Equatable {
        /// The text that replaces the typed text.
        package let text: String
        /// The text shown in a list of choices.
        package let shown: String
        /// A short description; may be empty.
        package let summary: String
    }

    /// The number of scalars before the cursor that a choice replaces.
    package let replaced: Int
    /// The choices, sorted.
    package let choices: [Choice]
    /// The text inserted after the only choice.
    package let suffix: String
    /// Whether the choices do not begin with what was typed, but contain its characters.
    package var isFuzzy = false

    package static let nothing = Completion(replaced: 0, choices: [], suffix: "")

    package var candidates: [String] { choices.map(\.text) }

    /// Returns the completion with the choices of `other` added, if both replace the same text.
    func merged(with other: Completion) -> Completion {
        if choices.isEmpty { return other }
        guard other.replaced == replaced else { return self }
        let texts = Set(candidates)
        guard other.isFuzzy == isFuzzy else { return isFuzzy && !other.choices.isEmpty ? other : self }
        let all = choices + other.choices.filter { !texts.contains($0.text) }
        return Completion(
            replaced: replaced, choices: all.sorted { $0.text < $1.text }, suffix: suffix, isFuzzy: isFuzzy)
    }

    /// The common prefix of all choices.
    var commonPrefix: String {
        guard let first = choices.first?.text else { return "" }
        return choices.dropFirst().reduce(first) { prefix, choice in
            String(zip(prefix, choice.text).prefix { $0 == $1 }.map(\.0))
        }
    }
}

/// The sources of completions besides the command table.
package struct CompletionSources {
    /// A name and a short description of it.
    package typealias Named = (name: String, summary: String)

    package var sessions: () -> [Named] = { [] }
    package var definitions: () -> [String] = { [] }
    /// The variables, with their values.
    package var variables: () -> [Named] = { [] }
    /// The names of environment variables.
    package var environment: () -> [String] = { [] }
    /// The previously typed lines, which are searched for addresses.
    package var history: () -> [String] = { [] }
    /// The addresses of sessions and listeners.
    package var addresses: () -> [Named] = { [] }
    /// The words of what the sessions talked to have said, newest first.
    package var words: () -> [String] = { [] }
    package var topics: [Named] = []
    /// The color of a session (ECMA-48 SGR), or nil if there is no such session.
    package var color: (String) -> String? = { _ in nil }
    /// Whether typed lines are sent to a session, and commands begin with a colon.
    package var isTalking: () -> Bool = { false }

    package init() {}
}
