import Script

/// Finds completions from the command table and the completion sources.
package struct Completer {
    private let table: CommandTable
    private let sources: CompletionSources

    package init(table: CommandTable, sources: CompletionSources) {
        self.table = table
        self.sources = sources
    }

    /// Returns the possible completions at the end of `line`, the text of a row before the cursor.
    ///
    /// - Parameter isFirstRow: whether it is the first row of an entry.
    package func complete(_ line: String, isFirstRow: Bool = true) -> Completion {
        if isFirstRow, sources.isTalking() {
            guard line.hasPrefix(":"), !line.hasPrefix("::") else { return completeTalk(line) }
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

    /// Completes a word of what is said with the words of the conversation.
    private func completeTalk(_ line: String) -> Completion {
        let word = line.split(separator: " ", omittingEmptySubsequences: false).last.map(String.init) ?? ""
        guard !word.isEmpty else { return .nothing }
        var seen: Set<String> = [word]
        let words = sources.words().filter { $0.hasPrefix(word) && seen.insert($0).inserted }
        let choices = words.map { Completion.Choice(text: $0, shown: $0, summary: "") }
        return Completion(replaced: word.unicodeScalars.count, choices: choices, suffix: " ")
    }

    /// Returns what comes next in the form of a command, such as `ADDRESS`, after a row that ends in a blank; empty if
    /// that is unknown.
    package func hint(_ line: String, isFirstRow: Bool = true) -> String {
        var line = line
        if isFirstRow, sources.isTalking() {
            guard line.hasPrefix(":") else { return "" }
            line.removeFirst()
        }
        guard line.hasSuffix(" "), !isArrow(line) else { return "" }
        let arguments = TypedArguments(line)
        guard arguments.current.raw.isEmpty, let name = arguments.before.first, let command = table[name] else {
            return ""
        }
        let (places, wanted) = place(arguments, of: command)
        if let wanted { return wanted.name }
        var hints: [(text: String, isGeneral: Bool)] = []
        for form in Self.meantForms(of: command, places) {
            guard let rest = Self.rest(of: form.elements[...], after: places[...]), let next = rest.first else {
                continue
            }
            let elements = rest.map(\.usage) + (form.content.isBlock ? ["{"] : [])
            let text = elements.joined(separator: " ")
            if hints.contains(where: { $0.text == text }) { continue }
            if case .parameter = next { hints.append((text, true)) } else { hints.append((text, false)) }
        }
        // The only form without a keyword is the usual one.
        if hints.count(where: \.isGeneral) == 1 { hints.sort { $0.isGeneral && !$1.isGeneral } }
        // The more specific forms come first; the last one is the usual one.
        if hints.count > 1, hints.allSatisfy(\.isGeneral), let last = hints.popLast() { hints.insert(last, at: 0) }
        return hints.prefix(3).map(\.text).joined(separator: " | ") + (hints.count > 3 ? " | …" : "")
    }

    /// Returns the elements of a form that can follow the given arguments; nil if the arguments do not fit.
    private static func rest(
        of elements: ArraySlice<Element>, after arguments: ArraySlice<String>
    ) -> ArraySlice<Element>? {
        guard let argument = arguments.first else { return elements }
        guard let element = elements.first else { return nil }
        let others = elements.dropFirst()
        switch element {
        case .optional(let inner):
            let inside = inner[...] + others
            return rest(of: inside, after: arguments) ?? rest(of: others, after: arguments)
        case .keyword(let keyword):
            return argument == keyword ? rest(of: others, after: arguments.dropFirst()) : nil
        case .repeating: return [.optional([element])]
        case .parameter, .condition: return rest(of: others, after: arguments.dropFirst())
        }
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
        let (places, wanted) = place(arguments, of: command)
        if let wanted { return complete(wanted, arguments.current) }
        if command.takesCondition, let operand = completeOperand(arguments) { return operand }
        if arguments.current.quote == nil, arguments.current.raw.hasPrefix("--") {
            if let value = completeValue(of: command, arguments.current) { return value }
            let options = command.options.map { (name: $0.name, summary: $0.summary) }
            return completion(arguments.current.text, options, replacing: arguments.current.raw.unicodeScalars.count)
        }
        let next = Self.meantForms(of: command, places).flatMap { Self.next(in: $0.elements[...], after: places[...]) }
        return complete(next, of: command, arguments.current)
    }

    /// Returns the arguments that are not options, and the parameter of the option that the cursor is after.
    private func place(
        _ arguments: TypedArguments, of command: CommandDescription
    ) -> (places: [String], wanted: Parameter?) {
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
        return (places, wanted)
    }

    /// Returns the forms that may be meant: one of which keywords are there rather than one that takes them as values.
    private static func meantForms(of command: CommandDescription, _ places: [String]) -> [Form] {
        let forms = command.forms.map { (form: $0, count: matchedKeywords($0, places)) }
        let most = forms.map(\.count).max() ?? 0
        return forms.filter { $0.count == most }.map(\.form)
    }

    /// Completes the value in `--option=value`; nil for other arguments.
    private func completeValue(of command: CommandDescription, _ argument: TypedArguments.Current) -> Completion? {
        guard let sign = argument.raw.firstIndex(of: "="),
            let option = command.options.first(where: { $0.name == argument.raw[..<sign] }),
            let parameter = option.parameter
        else { return nil }
        let value = String(argument.raw[argument.raw.index(after: sign)...])
        return complete(parameter, TypedArguments.Current(raw: value, text: value))
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
            return completion(
                arguments.current.text, sources.variables(), replacing: arguments.current.raw.unicodeScalars.count)
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

    private func complete(
        _ elements: [Element], of command: CommandDescription, _ argument: TypedArguments.Current
    ) -> Completion {
        var names: [CompletionSources.Named] = []
        var others = Completion.nothing
        for element in elements {
            switch element {
            case .keyword(let keyword): names.append((keyword, command.keywordSummaries[keyword] ?? ""))
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
            return completion(argument, choices.map { ($0, parameter.summaries[$0] ?? "") })
        case .script where !argument.text.hasPrefix("<"): return completeFile(argument)
        case .program where !argument.text.contains("/"):
            return completion(argument, Programs.names(beginningWith: argument.text).map { ($0, "") })
        case .program, .argument: return completeFile(argument)
        default: break
        }
        switch parameter.name {
        case "FILE" where !argument.text.hasPrefix("<") || parameter.suggestions.isEmpty, "PATH":
            return completeFile(argument)
        case "ADDRESS": return completion(argument, addresses)
        default:
            return completion(argument, parameter.suggestions.map { ($0, parameter.summaries[$0] ?? "") })
        }
    }

    private func completion(
        _ argument: TypedArguments.Current, _ candidates: [CompletionSources.Named]
    ) -> Completion {
        completion(argument.text, candidates, replacing: argument.raw.unicodeScalars.count)
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
            let escaped = Escapes.escaped(entry.path).replacing("\"", by: "\\\"")
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

    /// The addresses that are known, with how.
    private var addresses: [CompletionSources.Named] {
        var counts: [String: Int] = [:]
        for line in sources.history() {
            let arguments = TypedArguments(line + " ").before
            guard let name = arguments.first, ["open", "listen", "serve"].contains(name) else { continue }
            for argument in arguments.dropFirst()
            where argument.contains(":") && !argument.includes("${") && !argument.hasPrefix("--") {
                counts[argument, default: 0] += 1
            }
        }
        let typed = counts.map { (name: $0.key, summary: "typed \(counted($0.value, "time"))") }
        return sources.addresses() + typed
    }

    /// Returns the candidates that begin with an argument; if there are none, those that contain it, or else its
    /// characters in sequence.
    private func completion(
        _ argument: String, _ candidates: [CompletionSources.Named], replacing count: Int
    ) -> Completion {
        var seen: Set<String> = []
        let all = candidates.filter { seen.insert($0.name).inserted }
        var fitting = all.filter { $0.name.hasPrefix(argument) }
        let isFuzzy = fitting.isEmpty && !argument.isEmpty
        if isFuzzy {
            let wanted = argument.lowercased()
            fitting = all.filter { $0.name.lowercased().includes(wanted) }
            if fitting.isEmpty { fitting = all.filter { Self.hasInSequence(wanted, $0.name.lowercased()) } }
        }
        let choices = fitting.sorted { $0.name < $1.name }.map {
            Completion.Choice(text: $0.name, shown: $0.name, summary: $0.summary)
        }
        return Completion(replaced: count, choices: choices, suffix: " ", isFuzzy: isFuzzy)
    }

    /// Whether a name begins with the first character of a text and contains the others in sequence.
    private static func hasInSequence(_ text: String, _ name: String) -> Bool {
        guard text.first == name.first else { return false }
        var rest = Substring(name)
        return text.allSatisfy { character in
            guard let index = rest.firstIndex(of: character) else { return false }
            rest = rest[rest.index(after: index)...]
            return true
        }
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
        let isEnvironment = name.hasPrefix("env.")
        let all = isEnvironment ? sources.environment().map { ("env." + $0, "") } : sources.variables()
        var seen: Set<String> = []
        let fitting = all.filter { $0.0.hasPrefix(name) && seen.insert($0.0).inserted }.sorted { $0.0 < $1.0 }
        var choices = fitting.map { Completion.Choice(text: $0.0 + "}", shown: $0.0, summary: $0.1) }
        // Environment variables are numerous: they are offered after their first part.
        if "env.".hasPrefix(name), !isEnvironment {
            choices.append(Completion.Choice(text: "env.", shown: "env.", summary: "the environment"))
        }
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
