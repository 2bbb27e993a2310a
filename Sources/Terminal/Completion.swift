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

    package static let nothing = Completion(replaced: 0, choices: [], suffix: "")

    package var candidates: [String] { choices.map(\.text) }

    /// Returns the completion with the choices of `other` added, if both replace the same text.
    func merged(with other: Completion) -> Completion {
        if choices.isEmpty { return other }
        guard other.replaced == replaced else { return self }
        let texts = Set(candidates)
        let all = choices + other.choices.filter { !texts.contains($0.text) }
        return Completion(replaced: replaced, choices: all.sorted { $0.text < $1.text }, suffix: suffix)
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
    package var variables: () -> [String] = { [] }
    /// The names of environment variables.
    package var environment: () -> [String] = { [] }
    /// The previously typed lines, which are searched for addresses.
    package var history: () -> [String] = { [] }
    package var topics: [Named] = []
    /// The color of a session (ECMA-48 SGR), or nil if there is no such session.
    package var color: (String) -> String? = { _ in nil }
    /// Whether typed lines are sent to a session, and commands begin with a colon.
    package var isTalking: () -> Bool = { false }

    package init() {}
}

/// Finds completions from the command table and the completion sources.
package struct Completer {
    private let table: CommandTable
    private let sources: CompletionSources

    package init(table: CommandTable, sources: CompletionSources) {
        self.table = table
        self.sources = sources
    }

    /// Returns the possible completions at the end of `line`, the text before the cursor.
    package func complete(_ line: String) -> Completion {
        if sources.isTalking() {
            guard line.hasPrefix(":"), !line.hasPrefix("::") else { return .nothing }
            return completeCommand(String(line.dropFirst()))
        }
        return completeCommand(line)
    }

    private func completeCommand(_ line: String) -> Completion {
        if let variable = openVariable(in: line) { return completeVariable(variable) }
        if isArrow(line) { return .nothing }
        let arguments = TypedArguments(line)
        guard let name = arguments.before.first else { return completeFirst(arguments.current) }
        guard let command = table[name] else { return .nothing }
        return completeWord(of: command, arguments)
    }

    // MARK: Arguments

    /// Completes the first argument: a command, or a session and its arrow.
    private func completeFirst(_ argument: TypedArguments.Current) -> Completion {
        let commands = table.descriptions.map { (name: $0.name, summary: $0.summary) }
        let defined = sources.definitions().map { (name: $0, summary: "defined here") }
        let arrows = sources.sessions().map { (name: $0.name + ">", summary: $0.summary) }
        return completion(argument.text, commands + defined + arrows, replacing: argument.raw.unicodeScalars.count)
    }

    private func completeWord(of command: CommandDescription, _ arguments: TypedArguments) -> Completion {
        var places: [String] = []
        var index = 1
        var wanted: Parameter?
        while index < arguments.before.count {
            let argument = arguments.before[index]
            index += 1
            guard let option = command.options.first(where: { $0.name == argument }) else {
                if !argument.hasPrefix("--") { places.append(argument) }
                continue
            }
            guard let parameter = option.parameter else { continue }
            if index == arguments.before.count { wanted = parameter }
            index += 1
        }
        if let wanted { return complete(wanted, arguments.current) }
        if command.takesCondition, let operand = completeOperand(arguments) { return operand }
        if arguments.current.quote == nil, arguments.current.raw.hasPrefix("--") {
            let options = command.options.map { (name: $0.name, summary: $0.summary) }
            return completion(arguments.current.text, options, replacing: arguments.current.raw.unicodeScalars.count)
        }
        // A form of which keywords are there is meant rather than one that takes them as values.
        let forms = command.forms.map { (form: $0, count: Self.matchedKeywords($0, places)) }
        let most = forms.map(\.count).max() ?? 0
        let next = forms.filter { $0.count == most }.flatMap {
            Self.next(in: $0.form.elements[...], after: places[...])
        }
        return complete(next, arguments.current)
    }

    /// Returns how many arguments are keywords of a form in their places.
    private static func matchedKeywords(_ form: Form, _ arguments: [String]) -> Int {
        zip(form.elements, arguments).count { element, argument in
            if case .keyword(let keyword) = element { keyword == argument } else { false }
        }
    }

    /// Completes the argument after `open` and `defined` in a condition; nil elsewhere.
    private func completeOperand(_ arguments: TypedArguments) -> Completion? {
        guard arguments.current.quote == nil, arguments.before.count > 1 else { return nil }
        switch arguments.before.last {
        case "open":
            return completion(
                arguments.current.text, sources.sessions(), replacing: arguments.current.raw.unicodeScalars.count)
        case "defined":
            let names = sources.variables().map { (name: $0, summary: "") }
            return completion(arguments.current.text, names, replacing: arguments.current.raw.unicodeScalars.count)
        default: return nil
        }
    }

    /// Returns the elements that can follow the given arguments.
    private static func next(in elements: ArraySlice<Element>, after arguments: ArraySlice<String>) -> [Element] {
        guard let element = elements.first else { return [] }
        let rest = elements.dropFirst()
        switch element {
        case .optional(let inner):
            let inside = next(in: inner[...] + rest, after: arguments)
            return inside + next(in: rest, after: arguments)
        case .keyword(let keyword):
            guard let argument = arguments.first else { return [element] }
            return argument == keyword ? next(in: rest, after: arguments.dropFirst()) : []
        case .repeating: return [element]
        case .parameter, .condition:
            return arguments.isEmpty ? [element] : next(in: rest, after: arguments.dropFirst())
        }
    }

    private func complete(_ elements: [Element], _ argument: TypedArguments.Current) -> Completion {
        var names: [CompletionSources.Named] = []
        var others = Completion.nothing
        for element in elements {
            switch element {
            case .keyword(let keyword): names.append((keyword, ""))
            case .condition: names += ["defined", "not", "open"].map { ($0, "") }
            case .optional: break
            case .parameter(let parameter), .repeating(let parameter):
                let own = complete(parameter, argument)
                others = others.merged(with: own)
            }
        }
        let keywords = completion(argument.text, names, replacing: argument.raw.unicodeScalars.count)
        // After a comma in a list of sessions nothing else is possible.
        return others.merged(with: keywords)
    }

    private func complete(_ parameter: Parameter, _ argument: TypedArguments.Current) -> Completion {
        switch parameter.kind {
        case .session:
            return completion(argument.text, sources.sessions(), replacing: argument.raw.unicodeScalars.count)
        case .target: return completeTarget(argument)
        case .command:
            let commands = table.descriptions.map { (name: $0.name, summary: $0.summary) }
            return completion(argument.text, commands + sources.topics, replacing: argument.raw.unicodeScalars.count)
        case .choice(let choices):
            return completion(argument.text, choices.map { ($0, "") }, replacing: argument.raw.unicodeScalars.count)
        case .script where !argument.text.hasPrefix("<"): return completeFile(argument)
        default: break
        }
        switch parameter.name {
        case "FILE" where argument.text.hasPrefix("<") && !parameter.suggestions.isEmpty:
            return completion(
                argument.text, parameter.suggestions.map { ($0, "") }, replacing: argument.raw.unicodeScalars.count)
        case "FILE", "PATH": return completeFile(argument)
        case "ADDRESS":
            return completion(argument.text, addresses.map { ($0, "") }, replacing: argument.raw.unicodeScalars.count)
        default:
            return completion(
                argument.text, parameter.suggestions.map { ($0, "") }, replacing: argument.raw.unicodeScalars.count)
        }
    }

    /// Completes the last name of a list. A glob is replaced by the names it matches.
    private func completeTarget(_ argument: TypedArguments.Current) -> Completion {
        let last =
            argument.raw.lastIndex(of: ",").map { String(argument.raw[argument.raw.index(after: $0)...]) }
            ?? argument.raw
        let sessions = sources.sessions()
        if isGlob(last) {
            let names = sessions.map(\.name).filter { globMatches(last, $0) }
            let all = names.joined(separator: ",")
            return names.isEmpty
                ? .nothing
                : Completion(
                    replaced: last.unicodeScalars.count, choices: [.init(text: all, shown: all, summary: "")],
                    suffix: " ")
        }
        return completion(last, sessions, replacing: last.unicodeScalars.count)
    }

    private func completeFile(_ argument: TypedArguments.Current) -> Completion {
        let entries = FileNames.completions(of: argument.bytes)
        let choices = entries.map { entry in
            let escaped = Escapes.escaped(entry.path).replacing("\"", with: "\\\"")
            let needsQuotes =
                argument.quote != nil || !entry.path.elementsEqual(escaped.utf8)
                || escaped.contains { " '#${}".contains($0) }
            // Typing continues inside a folder, so its quotes stay open.
            let text = needsQuotes ? "\"" + escaped + (entry.isFolder ? "" : "\"") : escaped
            return Completion.Choice(text: text, shown: entry.shown, summary: "")
        }
        let isFolder = entries.count == 1 && entries[0].isFolder
        return Completion(replaced: argument.raw.unicodeScalars.count, choices: choices, suffix: isFolder ? "" : " ")
    }

    /// The addresses in the previously typed lines, sorted and without duplicates.
    private var addresses: [String] {
        var found: Set<String> = []
        for line in sources.history() {
            let arguments = TypedArguments(line + " ").before
            guard let name = arguments.first, ["open", "listen", "serve"].contains(name) else { continue }
            for argument in arguments.dropFirst() where argument.contains(":") && !argument.contains("${") {
                found.insert(argument)
            }
        }
        return found.sorted()
    }

    private func completion(
        _ argument: String, _ candidates: [CompletionSources.Named], replacing count: Int
    ) -> Completion {
        var seen: Set<String> = []
        let fitting = candidates.filter { $0.name.hasPrefix(argument) && seen.insert($0.name).inserted }
        let choices = fitting.sorted { $0.name < $1.name }.map {
            Completion.Choice(text: $0.name, shown: $0.name, summary: $0.summary)
        }
        return Completion(replaced: count, choices: choices, suffix: " ")
    }

    // MARK: Variables and arrows

    /// Returns the name after an unclosed `${`, or nil.
    private func openVariable(in line: String) -> String? {
        guard let start = line.lastIndex(of: "$"), line[start...].hasPrefix("${") else { return nil }
        if start > line.startIndex, line[line.index(before: start)] == "\\" { return nil }
        let name = line[start...].dropFirst(2)
        return name.contains("}") || name.contains(" ") ? nil : String(name)
    }

    private func completeVariable(_ name: String) -> Completion {
        if let colon = name.lastIndex(of: ":") { return completeFunction(name[name.index(after: colon)...]) }
        // Session and environment variables are numerous: they are offered once their first part has been typed.
        let all =
            name.hasPrefix("env.")
            ? sources.environment().map { "env." + $0 }
            : sources.variables().filter { !$0.contains(".") || name.contains(".") }
        let fitting = Set(all.filter { $0.hasPrefix(name) }).sorted()
        let choices = fitting.map { Completion.Choice(text: $0 + "}", shown: $0, summary: "") }
        return Completion(replaced: name.unicodeScalars.count, choices: choices, suffix: "")
    }

    /// A function after `${name:`; one with arguments ends in its parenthesis.
    private func completeFunction(_ name: Substring) -> Completion {
        let choices = ValueFunction.allCases.filter { $0.rawValue.hasPrefix(name) }.map { function in
            let text = function.rawValue + (function.arguments.isEmpty ? "" : "(")
            return Completion.Choice(text: text, shown: function.usage, summary: function.summary)
        }
        return Completion(replaced: name.unicodeScalars.count, choices: choices, suffix: "")
    }

    /// Whether the line is an arrow line, whose text cannot be completed.
    private func isArrow(_ line: String) -> Bool {
        let trimmed = line.drop { $0 == " " || $0 == "\t" }
        guard let arrow = trimmed.firstIndex(where: { $0 == ">" || $0 == "<" }), arrow > trimmed.startIndex else {
            return false
        }
        return !trimmed[..<arrow].contains { $0 == " " || $0 == "\t" }
    }
}

/// The arguments of a line being typed.
struct TypedArguments {
    /// The argument at the cursor.
    struct Current {
        /// The text as typed, with its opening quote.
        var raw = ""
        /// The text so far, without quotes.
        var text = ""
        /// The open quote, or nil.
        var quote: Character?

        /// The bytes that the argument represents so far.
        var bytes: [UInt8] {
            guard quote == "\"" else { return text.losslessBytes }
            let raw = String(raw.dropFirst()).losslessBytes
            var bytes: [UInt8] = []
            var index = 0
            while index < raw.count {
                if raw[index] == UInt8(ascii: "\\"), let decoded = try? Escapes.decode(raw, at: &index) {
                    bytes += decoded
                } else {
                    bytes.append(raw[index])
                    index += 1
                }
            }
            return bytes
        }
    }

    /// The arguments before the current one, without quotes.
    private(set) var before: [String] = []
    private(set) var current = Current()

    init(_ line: String) {
        var isEscaped = false
        var isInArgument = false
        for character in line {
            if isEscaped {
                current.text.append(character)
                current.raw.append(character)
                isEscaped = false
            } else if current.quote == nil, character == " " || character == "\t" {
                if isInArgument { before.append(current.text) }
                current = Current()
                isInArgument = false
            } else {
                isInArgument = true
                take(character, &isEscaped)
            }
        }
    }

    private mutating func take(_ character: Character, _ isEscaped: inout Bool) {
        current.raw.append(character)
        switch (character, current.quote) {
        case ("\\", "\""): isEscaped = true
        case ("\"", nil) where current.text.isEmpty, ("'", nil) where current.text.isEmpty: current.quote = character
        case (let closing, let quote?) where closing == quote: current.quote = nil
        default: current.text.append(character)
        }
    }
}
