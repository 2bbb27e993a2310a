/// A command's name, syntax and documentation: the only source for checks, help, completion and the manual.
package struct CommandDescription {
    package let name: String
    /// A summary in one line, without a period.
    package let summary: String
    /// The forms of the command, the more specific ones first.
    package let forms: [Form]
    package let options: [CommandOption]
    /// What to write instead of options that users might expect here, by option name.
    package let optionHints: [String: String]
    /// What may follow its block.
    package let alternative: Alternative
    /// The built-in names that are set inside its block.
    package let blockNames: [String]
    /// The built-in names that it sets.
    package let resultNames: [String]
    /// Whether its block runs concurrently with the script.
    package let startsStrand: Bool
    /// What its keywords do, by keyword, for lists of choices.
    package let keywordSummaries: [String: String]
    /// The full description: paragraphs separated by empty lines.
    package let text: String
    /// Example lines, each a script in its own context.
    package let examples: [String]
    /// Behavior that surprises, costs time or loses data: one or two sentences each.
    package let caveats: [String]

    package init(
        name: String, summary: String, forms: [Form], options: [CommandOption] = [],
        optionHints: [String: String] = [:], alternative: Alternative = .none, blockNames: [String] = [],
        resultNames: [String] = [], startsStrand: Bool = false, keywordSummaries: [String: String] = [:],
        text: String = "", examples: [String] = [], caveats: [String] = []
    ) {
        self.name = name
        self.summary = summary
        self.forms = forms
        self.options = options
        self.optionHints = optionHints
        self.alternative = alternative
        self.blockNames = blockNames
        self.resultNames = resultNames
        self.startsStrand = startsStrand
        self.keywordSummaries = keywordSummaries
        self.text = text
        self.examples = examples
        self.caveats = caveats
    }

    /// What may follow the block of a command.
    package enum Alternative {
        case none
        /// `} else {`
        case otherwise
        /// `} else {` and `} else if COND {`
        case conditions
    }

    /// The usage line of each form: `expect T PATTERN [within D]`.
    package var usages: [String] { forms.map(usage) }

    /// The usage lines with the place of the options: `spawn NAME [OPTION…] COMMAND [ARG…]`.
    package var synopses: [String] {
        guard !options.isEmpty else { return usages }
        return forms.map { form in
            let place = form.elements.firstIndex { element in
                if case .parameter(let parameter) = element, case .program = parameter.kind { true } else { false }
            }
            var arguments = form.elements.map(\.usage)
            arguments.insert("[OPTION…]", at: place ?? arguments.count)
            return ([name] + arguments + (form.content.isBlock ? ["{"] : [])).joined(separator: " ")
        }
    }

    /// The keywords of all forms.
    package var keywords: [String] {
        func keywords(in elements: [Element]) -> [String] {
            elements.flatMap { element -> [String] in
                switch element {
                case .keyword(let keyword): [keyword]
                case .optional(let group): keywords(in: group)
                case .parameter, .repeating, .condition: []
                }
            }
        }
        return forms.flatMap { keywords(in: $0.elements) }
    }

    /// Whether any form takes `<<` as an operator.
    package var takesShift: Bool {
        forms.contains { form in
            form.elements.contains { element in
                guard case .parameter(let parameter) = element, case .choice(let choices) = parameter.kind else {
                    return false
                }
                return choices.contains("<<")
            }
        }
    }

    /// Whether any form contains a condition.
    package var takesCondition: Bool {
        forms.contains { form in
            form.elements.contains { if case .condition = $0 { true } else { false } }
        }
    }

    /// Returns the usage line of a form. A row may have no name.
    func usage(of form: Form) -> String {
        var arguments = (name.isEmpty ? [] : [name]) + form.elements.map(\.usage)
        if form.content.isBlock { arguments.append("{") }
        return arguments.joined(separator: " ")
    }
}

/// One form of a command: its elements in sequence, and the contents of its block.
package struct Form {
    package let elements: [Element]
    package let content: Content

    /// The contents of a block.
    package enum Content {
        /// No block.
        case none
        case statements
        /// Lines of one kind, each with its own block: the branches of `select` and `parallel`.
        indirect case rows(CommandDescription)

        /// Whether a `{` is required.
        package var isBlock: Bool {
            if case .none = self { return false }
            return true
        }

        /// The description of its rows, or nil if it does not contain rows.
        package var rows: CommandDescription? {
            if case .rows(let description) = self { return description }
            return nil
        }
    }

    package init(elements: [Element], content: Content = .none) {
        self.elements = elements
        self.content = content
    }

    package init(_ elements: Element..., content: Content = .none) {
        self.elements = elements
        self.content = content
    }
}

/// One element of a form.
package indirect enum Element {
    /// A fixed argument that is required here, without quotes.
    case keyword(String)
    case parameter(Parameter)
    /// Arguments that may be omitted as a group.
    case optional([Element])
    /// One or more arguments.
    case repeating(Parameter)
    /// A condition: `A == B`, `defined NAME`, `not …`.
    case condition

    /// The element as shown in the usage line.
    package var usage: String {
        switch self {
        case .keyword(let argument): argument
        case .parameter(let parameter): parameter.name
        case .optional(let elements): "[" + elements.map(\.usage).joined(separator: " ") + "]"
        case .repeating(let parameter): parameter.name + "…"
        case .condition: "COND"
        }
    }
}

/// An option of a command.
package struct CommandOption {
    /// The name with its dashes: `--retry`.
    package let name: String
    /// The value it takes, or nil for a flag.
    package let parameter: Parameter?
    package let summary: String
    /// Whether it may be given several times.
    package let isRepeatable: Bool
    /// Whether its value may be omitted: then only a bare argument for which this is true is its value.
    package let isValue: ((String) -> Bool)?

    package init(
        _ name: String, _ parameter: Parameter, _ summary: String, isRepeatable: Bool = false,
        isValue: ((String) -> Bool)? = nil
    ) {
        self.name = name
        self.parameter = parameter
        self.summary = summary
        self.isRepeatable = isRepeatable
        self.isValue = isValue
    }

    /// Creates a flag.
    package init(_ name: String, _ summary: String) {
        self.name = name
        parameter = nil
        self.summary = summary
        isRepeatable = false
        isValue = nil
    }

    /// The option as shown in the usage: `--retry D`.
    package var usage: String {
        name + (parameter.map { isValue == nil ? " \($0.name)" : " [\($0.name)]" } ?? "")
    }
}

/// A parameter of a command or option.
package struct Parameter {
    /// The name in upper case, as shown in the usage.
    package let name: String
    package let kind: Kind
    /// Likely values, offered by completion.
    package let suggestions: [String]
    /// What the values do, by value, for lists of choices.
    package let summaries: [String: String]

    package init(_ name: String, _ kind: Kind, suggestions: [String] = [], summaries: [String: String] = [:]) {
        self.name = name
        self.kind = kind
        self.suggestions = suggestions
        self.summaries = summaries
    }

    /// The kind of value that a parameter takes.
    package enum Kind {
        /// The name of a new session.
        case newSession
        /// The name of a new listener; its connections are named NAME.1, NAME.2 and so on.
        case newListener
        /// The name of one session.
        case session
        /// Session names, lists of them and globs.
        case target
        /// The name of a variable that the command sets.
        case newVariable
        /// The name of a variable that is local to the command's block.
        case localVariable
        /// The name of a new command.
        case newCommand
        /// Any text.
        case text
        /// Text to search for, or /regex/.
        case pattern
        case duration
        case size
        /// A whole number, zero or greater.
        case count
        /// Bytes in hexadecimal.
        case hex
        /// The path of a script; it must be known before the run.
        case script
        /// The path of a file.
        case path
        /// The name of a command.
        case command
        /// A program to run; all following arguments belong to it, even those that begin with --.
        case program
        /// An argument of a program.
        case argument
        /// One of these values.
        case choice([String])
        /// A value checked by its owner: the function returns the problem with a text, or nil.
        case checked(([UInt8]) -> String?)

        /// Returns the problem with an argument, as far as it is known before the run, or nil.
        package func problem(with argument: Argument) -> String? {
            guard let bytes = argument.literal else {
                if case .script = self { return "the path must be constant, because scripts are read before the run" }
                return nil
            }
            return problem(with: bytes)
        }

        /// Returns the problem with a value, or nil.
        package func problem(with bytes: [UInt8]) -> String? {
            let text = Escapes.visible(bytes)
            switch self {
            case .text, .command: return nil
            case .script, .path:
                return bytes.isEmpty ? "empty file name" : bytes.contains(0) ? nul("a path") : nil
            case .program: return bytes.isEmpty ? "empty program name" : argumentProblem(bytes)
            case .argument: return argumentProblem(bytes)
            case .target: return nil
            case .pattern: return bytes.isEmpty ? "the search text is empty" : nil
            case .newSession where isReservedName(text), .newListener where isReservedName(text):
                return "'\(text)' is a built-in name and cannot name a session"
            case .newSession, .newListener, .session:
                return isSessionName(text)
                    ? nil
                    : "'\(text)' is not a valid session name: use a letter or '_', then letters, digits, '_', '-' and '.'"
            case .newCommand:
                return isSessionName(text)
                    ? nil
                    : "'\(text)' is not a valid command name: use a letter or '_', then letters, digits, '_', '-' and '.'"
            case .newVariable, .localVariable:
                return isVariableName(text) && isSessionName(text)
                    ? nil
                    : "'\(text)' is not a valid variable name: use a letter or '_', then letters, digits, '_', '-' and '.'"
            case .duration:
                return Literals.duration(text) == nil
                    ? Literals.tooLong(text) ?? "'\(text)' is not a duration; write 5s, 200ms or 1m" : nil
            case .size:
                return Literals.size(text) == nil
                    ? Literals.tooLarge(text, "size") ?? "'\(text)' is not a size; write 4096, 16KiB or 4MiB" : nil
            case .count:
                return Literals.count(text) == nil
                    ? Literals.tooLarge(text, "number") ?? "'\(text)' is not a whole number" : nil
            case .hex:
                return Literals.hex(bytes) == nil ? "'\(text)' is not hexadecimal; write pairs such as \"0d 0a\"" : nil
            case .choice(let choices):
                return choices.contains(text) ? nil : "'\(text)' is not one of \(choices.joined(separator: ", "))"
            case .checked(let check): return check(bytes)
            }
        }

        private func argumentProblem(_ bytes: [UInt8]) -> String? {
            bytes.contains(0) ? nul("a program argument") : nil
        }

        private func nul(_ what: String) -> String { "\(what) cannot contain a NUL byte" }
    }
}

/// All commands, by name and in the order of the manual.
///
/// A description is made when it is first asked for: with all of them, a script would start 0.1 ms later.
package final class CommandTable {
    /// The names, in the order of the manual.
    package let names: [String]
    private let makers: [String: () -> CommandDescription]
    private var made: [String: CommandDescription] = [:]

    package init(_ commands: [(name: String, description: () -> CommandDescription)]) {
        names = commands.map(\.name)
        makers = Dictionary(commands.map { ($0.name, $0.description) }) { first, _ in first }
    }

    package var descriptions: [CommandDescription] { names.compactMap { self[$0] } }

    package subscript(name: String) -> CommandDescription? {
        if let description = made[name] { return description }
        guard let description = makers[name]?() else { return nil }
        made[name] = description
        return description
    }
}
