import Reactor
import Script

/// What can stand at the cursor.
package struct Completion: Equatable {
    /// One of the things that can stand there.
    package struct Choice: Equatable {
        /// What takes the place of what was typed.
        package let text: String
        /// What a list of the choices shows.
        package let shown: String
        /// What it is, in a few words; may be empty.
        package let summary: String
    }

    /// How many scalars before the cursor a choice takes the place of.
    package let replaced: Int
    /// What could stand there, sorted.
    package let choices: [Choice]
    /// What is inserted behind the only choice.
    package let suffix: String

    package static let nothing = Completion(replaced: 0, choices: [], suffix: "")

    package var candidates: [String] { choices.map(\.text) }

    /// With the choices of another, where both take the place of the same.
    func merged(with other: Completion) -> Completion {
        if choices.isEmpty { return other }
        guard other.replaced == replaced else { return self }
        let texts = Set(candidates)
        let all = choices + other.choices.filter { !texts.contains($0.text) }
        return Completion(replaced: replaced, choices: all.sorted { $0.text < $1.text }, suffix: suffix)
    }

    /// What all choices begin with.
    var commonPrefix: String {
        guard let first = choices.first?.text else { return "" }
        return choices.dropFirst().reduce(first) { prefix, choice in
            String(zip(prefix, choice.text).prefix { $0 == $1 }.map(\.0))
        }
    }
}

/// What is there to be completed, besides the command table.
package struct CompletionSources {
    /// A name, and what it is in a few words.
    package typealias Named = (name: String, summary: String)

    package var sessions: () -> [Named] = { [] }
    package var definitions: () -> [String] = { [] }
    package var variables: () -> [String] = { [] }
    /// The names of environment variables.
    package var environment: () -> [String] = { [] }
    /// The lines typed before: addresses are found in them.
    package var history: () -> [String] = { [] }
    package var topics: [Named] = []
    /// Whether lines are talk, and commands begin with a colon.
    package var isTalking: () -> Bool = { false }

    package init() {}
}

/// Finds completions from the command table and from what is there.
package struct Completer {
    private let table: CommandTable
    private let sources: CompletionSources

    package init(table: CommandTable, sources: CompletionSources) {
        self.table = table
        self.sources = sources
    }

    /// What can stand at the end of `line`, which is the text before the cursor.
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

    // MARK: Words

    /// The first word: a command, or a session and its arrow.
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
        let next = command.forms.flatMap { Self.next(in: $0.elements[...], after: places[...]) }
        return complete(next, arguments.current)
    }

    /// What stands behind `open` and `defined` in a condition; nil elsewhere.
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

    /// The elements that can stand behind some words.
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
        // Behind a comma of a list of sessions there can be nothing else.
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
        case .script: return completeFile(argument)
        default: break
        }
        switch parameter.name {
        case "FILE", "PATH": return completeFile(argument)
        case "ADDRESS":
            return completion(argument.text, addresses.map { ($0, "") }, replacing: argument.raw.unicodeScalars.count)
        default:
            return completion(
                argument.text, parameter.suggestions.map { ($0, "") }, replacing: argument.raw.unicodeScalars.count)
        }
    }

    /// The last name of a list; a glob gives way to the names it means.
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
            // A folder is gone into: its quotes stay open.
            let text = needsQuotes ? "\"" + escaped + (entry.isFolder ? "" : "\"") : escaped
            return Completion.Choice(text: text, shown: entry.shown, summary: "")
        }
        let isFolder = entries.count == 1 && entries[0].isFolder
        return Completion(replaced: argument.raw.unicodeScalars.count, choices: choices, suffix: isFolder ? "" : " ")
    }

    /// Addresses in the lines typed before, the newest first seen once.
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

    /// The name in a `${` that is not closed, or nil.
    private func openVariable(in line: String) -> String? {
        guard let start = line.lastIndex(of: "$"), line[start...].hasPrefix("${") else { return nil }
        if start > line.startIndex, line[line.index(before: start)] == "\\" { return nil }
        let name = line[start...].dropFirst(2)
        return name.contains("}") || name.contains(" ") ? nil : String(name)
    }

    private func completeVariable(_ name: String) -> Completion {
        // Those of sessions and of the environment are many: they are offered when their first part is there.
        let all =
            name.hasPrefix("env.")
            ? sources.environment().map { "env." + $0 }
            : sources.variables().filter { !$0.contains(".") || name.contains(".") }
        let fitting = Set(all.filter { $0.hasPrefix(name) }).sorted()
        let choices = fitting.map { Completion.Choice(text: $0 + "}", shown: $0, summary: "") }
        return Completion(replaced: name.unicodeScalars.count, choices: choices, suffix: "")
    }

    /// Whether the line is an arrow line, whose text is nobody's to complete.
    private func isArrow(_ line: String) -> Bool {
        let trimmed = line.drop { $0 == " " || $0 == "\t" }
        guard let arrow = trimmed.firstIndex(where: { $0 == ">" || $0 == "<" }), arrow > trimmed.startIndex else {
            return false
        }
        return !trimmed[..<arrow].contains { $0 == " " || $0 == "\t" }
    }
}

/// The words of a line that is being typed.
struct TypedArguments {
    /// The word at the cursor.
    struct Current {
        /// As it stands in the line, with its opening quote.
        var raw = ""
        /// What it says so far.
        var text = ""
        /// The quote it is in, or nil.
        var quote: Character?

        /// The bytes it means so far.
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

    /// The words before it, without quotes.
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
