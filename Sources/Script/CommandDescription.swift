/// What a command is called, takes and does: the one source of checks, help, completion and the manual.
package struct CommandDescription {
    package let name: String
    /// What it does, in one line without a full stop.
    package let summary: String
    /// The ways to write it, the more particular ones first.
    package let forms: [Form]
    package let options: [CommandOption]
    /// What to write in place of options that one might expect here.
    package let optionHints: [String: String]
    /// What may follow its block.
    package let alternative: Alternative
    /// The built-in names that are set inside its block.
    package let blockNames: [String]
    /// The built-in names that it sets.
    package let resultNames: [String]
    /// What it does in full: paragraphs with an empty line between them.
    package let text: String
    /// Lines that show it, each a script of its own context.
    package let examples: [String]
    /// What surprises, costs time or loses data: a sentence or two each.
    package let caveats: [String]

    package init(
        name: String, summary: String, forms: [Form], options: [CommandOption] = [],
        optionHints: [String: String] = [:], alternative: Alternative = .none, blockNames: [String] = [],
        resultNames: [String] = [],
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

    /// Each form as a person writes it: `expect T PATTERN [within D]`.
    package var usages: [String] { forms.map(usage) }

    /// Whether a question stands in it.
    package var takesCondition: Bool {
        forms.contains { form in
            form.elements.contains { if case .condition = $0 { true } else { false } }
        }
    }

    /// A form as a person writes it. A row has no name of its own.
    func usage(of form: Form) -> String {
        var arguments = (name.isEmpty ? [] : [name]) + form.elements.map(\.usage)
        if form.content.isBlock { arguments.append("{") }
        return arguments.joined(separator: " ")
    }
}

/// One way to write a command: its words in order, and what stands between its braces.
package struct Form {
    package let elements: [Element]
    package let content: Content

    /// What a block holds.
    package enum Content {
        /// There is no block.
        case none
        case statements
        /// Lines of one kind, each with a block of its own: the branches of `select` and `parallel`.
        indirect case rows(CommandDescription)

        /// Whether a `{` is needed.
        package var isBlock: Bool {
            if case .none = self { return false }
            return true
        }

        /// What its lines are, when they are no statements.
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

/// One place in a form.
package indirect enum Element {
    /// A word that must stand there, without quotes.
    case keyword(String)
    case parameter(Parameter)
    /// Words that may be left out together.
    case optional([Element])
    /// One or more words.
    case repeating(Parameter)
    /// A question: `A == B`, `defined NAME`, `not …`.
    case condition

    /// As the usage line shows it.
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
    /// With its dashes: `--retry`.
    package let name: String
    /// The value it takes, or nil for a flag.
    package let parameter: Parameter?
    package let summary: String

    package init(_ name: String, _ parameter: Parameter, _ summary: String) {
        self.name = name
        self.parameter = parameter
        self.summary = summary
    }

    /// A flag.
    package init(_ name: String, _ summary: String) {
        self.name = name
        parameter = nil
        self.summary = summary
    }

    /// `--retry D`.
    package var usage: String {
        name + (parameter.map { " " + $0.name } ?? "")
    }
}

/// A word that a command takes.
package struct Parameter {
    /// In capitals, as the usage shows it.
    package let name: String
    package let kind: Kind
    /// Words that it may well be, to be offered.
    package let suggestions: [String]

    package init(_ name: String, _ kind: Kind, suggestions: [String] = []) {
        self.name = name
        self.kind = kind
        self.suggestions = suggestions
    }

    /// What a parameter's word must be.
    package enum Kind {
        /// A name that the command gives to a session.
        case newSession
        /// A name that the command gives to a listener; its connections are NAME.1, NAME.2 and so on.
        case newListener
        /// The name of one session.
        case session
        /// Names, lists and globs of sessions.
        case target
        /// A name that the command gives a value.
        case newVariable
        /// A name that has a value inside the command's block.
        case localVariable
        /// A name that the command makes a command of.
        case newCommand
        /// Any text.
        case text
        /// Text to search for, or /regex/.
        case pattern
        case duration
        case size
        /// A whole number from zero on.
        case count
        /// Bytes in hexadecimal.
        case hex
        /// The path of a script, known before the run.
        case script
        /// The path of a file.
        case path
        /// The name of a command.
        case command
        /// A program to run: from here on every word is its own, also one that begins with --.
        case program
        /// A word of a program.
        case argument
        /// One of these words.
        case choice([String])
        /// Something that its owner checks: the function says what is wrong with a text, or nil.
        case checked(([UInt8]) -> String?)

        /// What is wrong with a word that is known before the run, or nil.
        package func problem(with argument: Argument) -> String? {
            guard let bytes = argument.literal else {
                if case .script = self { return "the path must be constant, because scripts are read before the run" }
                return nil
            }
            return problem(with: bytes)
        }

        /// What is wrong with a value, or nil.
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
package struct CommandTable {
    package let descriptions: [CommandDescription]
    private let byName: [String: CommandDescription]

    package init(_ descriptions: [CommandDescription]) {
        self.descriptions = descriptions
        byName = Dictionary(descriptions.map { ($0.name, $0) }) { first, _ in first }
    }

    package subscript(name: String) -> CommandDescription? {
        byName[name]
    }
}
