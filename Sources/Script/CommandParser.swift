/// Parses the arguments of one command line according to the command's description.
struct CommandParser {
    /// How a command line ends.
    enum Ending {
        case plain
        /// With a `{`: the lines of a block follow.
        case block
    }

    private let description: CommandDescription
    private var lexer: Lexer
    private var arguments: [Argument] = []
    private var call: CommandCall
    private var ending = Ending.plain
    private var optionsEnded = false
    private var form = Form()

    /// `lexer` is positioned after the command's name.
    init(description: CommandDescription, lexer: Lexer, range: SourceRange) {
        self.description = description
        self.lexer = lexer
        call = CommandCall(description: description, range: range)
    }

    /// Returns the call and whether it opens a block.
    ///
    /// Throws `ScriptError`, or `Lexer.NeedsMoreLines` if the command continues on a line that has not been read.
    mutating func parse() throws -> (CommandCall, Ending) {
        try readArguments()
        try bindWords()
        call.content = form.content
        if form.content.isBlock && ending == .plain {
            throw ScriptError(
                call.range, "\(commandName) needs a block",
                hint: "end the line with '{' and close it with '}' on its own line")
        }
        return (call, ending)
    }

    /// The command's name in errors; a branch may have no name.
    private var commandName: String { description.name.isEmpty ? "a branch" : description.name }

    private mutating func readArguments() throws {
        while let argument = try next() {
            if case .block = ending { throw blockOnOneLine(argument.range) }
            if argument.bareLiteral == "{" {
                ending = .block
            } else if !optionsEnded, let text = argument.bareLiteral, text.hasPrefix("--") {
                try readOption(text, argument)
            } else {
                arguments.append(argument)
                if isProgram(at: arguments.count - 1) { optionsEnded = true }
            }
        }
        if case .block = ending, !description.forms.contains(where: \.content.isBlock) {
            throw ScriptError(lexer.position, "\(commandName) takes no block", hint: "remove the '{'")
        }
    }

    private mutating func next() throws -> Argument? {
        try lexer.next(allowsRegex: mayBePattern(at: arguments.count), allowsShift: description.takesShift)
    }

    private mutating func readOption(_ text: String, _ argument: Argument) throws {
        if text == "--" {
            optionsEnded = true
            return
        }
        let name = String(text.prefix { $0 != "=" })
        guard let option = description.options.first(where: { $0.name == name }) else {
            throw unknownOption(name, argument)
        }
        guard option.parameter != nil else {
            guard name == text else { throw ScriptError(argument.range, "\(name) takes no value") }
            return try call.bind(option: option, value: nil)
        }
        if name != text {
            let value = Template(Array(text.dropFirst(name.count + 1).utf8))
            return try call.bind(option: option, value: Argument(style: .bare, template: value, range: argument.range))
        }
        if let isValue = option.isValue {
            // Whether the next argument is the value is known only after reading it.
            var ahead = lexer
            let next = try ahead.next(allowsRegex: false)
            guard let value = next, let text = value.bareLiteral, isValue(text) else {
                return try call.bind(option: option, value: nil)
            }
            lexer = ahead
            return try call.bind(option: option, value: value)
        }
        guard let value = try lexer.next(allowsRegex: false) else {
            throw ScriptError(argument.range, "\(name) needs a value", hint: "write \(option.usage)")
        }
        try call.bind(option: option, value: value)
    }

    private func unknownOption(_ name: String, _ argument: Argument) -> ScriptError {
        let problem = "\(commandName) has no option '\(name)'"
        if let hint = description.optionHints[name] { return ScriptError(argument.range, problem, hint: hint) }
        let known = description.options.map(\.name)
        var hint = known.isEmpty ? "\(commandName) has no options" : "options are \(known.joined(separator: ", "))"
        if let nearest = nearestSpelling(of: name, among: known) { hint = "did you mean '\(nearest)'?" }
        return ScriptError(argument.range, problem, hint: hint + " (quote text that begins with --)")
    }

    /// Whether the argument at this position is a program, followed by its arguments.
    private func isProgram(at index: Int) -> Bool {
        description.forms.contains { form in
            guard form.elements.indices.contains(index), case .parameter(let parameter) = form.elements[index],
                case .program = parameter.kind
            else { return false }
            return true
        }
    }

    /// Whether any form takes a pattern at this position or after the last argument.
    private func mayBePattern(at index: Int) -> Bool {
        let previous = arguments.last?.bareLiteral
        return description.forms.contains { form in
            let flat = form.elements.flatMap(\.flattened)
            if case .condition? = flat.first { return previous == "=~" }
            for (place, element) in flat.enumerated() {
                guard case .parameter(let parameter) = element, case .pattern = parameter.kind else { continue }
                if place == index { return true }
                if place > 0, let keyword = flat[place - 1].keyword, keyword == previous { return true }
            }
            return false
        }
    }

    private mutating func bindWords() throws {
        form = chooseForm()
        var rest = arguments[...]
        try bind(form.elements[...], &rest)
        if let extra = rest.first { throw unexpected(extra, in: form) }
    }

    /// Returns the form whose first keyword is at its position, of several the one that takes these arguments;
    /// otherwise the first form without keywords that accepts the number of arguments, or the closest form.
    private func chooseForm() -> Form {
        let forms = description.forms
        let named = forms.filter { form in
            guard let index = form.keywordPlace, let keyword = form.elements[index].keyword else { return false }
            let place = form.place(of: index, in: arguments)
            return arguments.indices.contains(place) && arguments[place].bareLiteral == keyword
        }
        if let first = named.first {
            return named.count == 1 ? first : named.first { $0.fits(arguments) } ?? first
        }
        let open = forms.filter { $0.keywordPlace == nil }
        // If no form fits, the closest one gives the most useful error.
        return open.first { $0.accepts(arguments.count) }
            ?? (open.isEmpty ? forms : open).reversed().min {
                $0.distance(to: arguments.count) < $1.distance(to: arguments.count)
            } ?? Form()
    }

    private mutating func bind(_ elements: ArraySlice<Element>, _ rest: inout ArraySlice<Argument>) throws {
        for element in elements {
            switch element {
            case .keyword(let keyword):
                guard let argument = rest.popFirst() else { throw missing("'\(keyword)'") }
                guard argument.bareLiteral == keyword else { throw misspelt(argument, wanted: keyword) }
                call.bind(keyword: keyword)
            case .parameter(let parameter):
                guard let argument = rest.popFirst() else { throw missing(parameter.name) }
                try call.bind(argument, to: parameter)
            case .repeating(let parameter):
                if rest.isEmpty { throw missing(parameter.name) }
                // The values end at the keyword that follows them.
                let keyword = elements.drop { !$0.isRepeating }.dropFirst().first?.keyword
                if let keyword, !rest.contains(where: { $0.bareLiteral == keyword }) {
                    guard let second = rest.dropFirst().first else { throw missing("'\(keyword)'") }
                    throw misspelt(second, wanted: keyword)
                }
                while let argument = rest.first, keyword == nil || argument.bareLiteral != keyword {
                    rest.removeFirst()
                    try call.bind(argument, to: parameter)
                }
            case .optional(let inner):
                guard let argument = rest.first else { continue }
                if case .keyword(let keyword)? = inner.first, argument.bareLiteral != keyword { continue }
                try bind(inner[...], &rest)
            case .condition:
                var parser = ConditionParser(rest, end: lexer.position)
                let (condition, others) = try parser.parse()
                if elements.count == 1, let extra = others.first { throw ConditionParser.unexpected(extra) }
                call.bind(condition)
                rest = others
            }
        }
    }

    /// Returns the error for an argument in the place of the keyword `wanted`.
    private func misspelt(_ argument: Argument, wanted: String) -> ScriptError {
        if !call.keywords.isEmpty || description.forms.count == 1 {
            return ScriptError(argument.range, "expected '\(wanted)' here", hint: usageHint(all: false))
        }
        if let error = misspeltKeyword() { return error }
        return ScriptError(argument.range, "wrong arguments for \(commandName)", hint: usageHint(all: true))
    }

    /// Returns the error for an argument that resembles a keyword of any form, or nil.
    private func misspeltKeyword() -> ScriptError? {
        let keywords = Set(description.forms.flatMap { $0.elements.compactMap(\.keyword) })
        for argument in arguments {
            guard let text = argument.bareLiteral, !keywords.contains(text),
                let nearest = nearestSpelling(of: text, among: keywords)
            else { continue }
            return ScriptError(
                argument.range, "\(commandName) has no keyword '\(text)'", hint: "did you mean '\(nearest)'?")
        }
        return nil
    }

    private func missing(_ what: String) -> ScriptError {
        ScriptError(lexer.position, "\(commandName) needs \(what) here", hint: usageHint(all: false))
    }

    private func unexpected(_ argument: Argument, in form: Form) -> ScriptError {
        if case .parameter(let parameter)? = form.elements.last(where: { element in
            if case .parameter = element { return true }
            return false
        }), case .text = parameter.kind {
            return ScriptError(
                argument.range, "\(commandName) takes one \(parameter.name)", hint: "quote the whole text")
        }
        let keywords = form.elements.flatMap { element in
            if case .optional(let inner) = element { return inner.compactMap(\.keyword) }
            return []
        }
        if let text = argument.bareLiteral, keywords.contains(text) {
            return ScriptError(argument.range, "duplicate '\(text)'", hint: usageHint(all: false))
        }
        if let text = argument.bareLiteral, let nearest = nearestSpelling(of: text, among: keywords) {
            return ScriptError(argument.range, "unexpected '\(text)'", hint: "did you mean '\(nearest)'?")
        }
        if let error = misspeltKeyword() { return error }
        return ScriptError(
            argument.range, "\(commandName) takes no more arguments",
            hint: usageHint(all: false) + " (quote text that contains spaces)")
    }

    /// Returns the usage of the chosen form, or of all forms.
    private func usageHint(all: Bool) -> String {
        let usages = all ? description.usages : [description.usage(of: form)]
        return "write " + usages.joined(separator: "\n    or: ")
    }

    private func blockOnOneLine(_ range: SourceRange) -> ScriptError {
        ScriptError(
            range, "a block needs lines of its own",
            hint:
                "write it like this:\n    \(description.name.isEmpty ? "T PATTERN" : description.name) … {\n        …\n    }"
        )
    }
}

extension Form {
    /// The index of the first mandatory keyword, or nil.
    fileprivate var keywordPlace: Int? {
        elements.firstIndex { $0.keyword != nil }
    }

    /// Returns where the element at `index` is among these arguments: a group in front that begins with a keyword may be
    /// left out.
    fileprivate func place(of index: Int, in arguments: [Argument]) -> Int {
        elements[..<index].reduce(0) { place, element in
            guard case .optional(let inner) = element, let keyword = inner.first?.keyword else { return place + 1 }
            let isThere = arguments.indices.contains(place) && arguments[place].bareLiteral == keyword
            return place + (isThere ? inner.count : 0)
        }
    }

    /// Returns how many arguments too many or too few `count` is.
    fileprivate func distance(to count: Int) -> Int {
        let required = elements.count { element in
            if case .optional = element { return false }
            return true
        }
        return abs(required - count)
    }

    /// Whether these arguments are as many as the form takes, with its keywords in their places.
    fileprivate func fits(_ arguments: [Argument]) -> Bool {
        var rest = arguments[...]
        for element in elements {
            let isOptional = if case .optional = element { true } else { false }
            let inner = element.flattened
            if isOptional, let keyword = inner.first?.keyword, rest.first?.bareLiteral != keyword { continue }
            for part in inner {
                guard let argument = rest.popFirst() else { return isOptional }
                if let keyword = part.keyword, argument.bareLiteral != keyword { return false }
            }
        }
        return rest.isEmpty
    }

    /// Whether a line with `count` arguments can have this form.
    fileprivate func accepts(_ count: Int) -> Bool {
        let (minimum, maximum) = elements.map(\.argumentCount).reduce((0, 0)) {
            ($0.0 + $1.minimum, min(many, $0.1 + $1.maximum))
        }
        return count >= minimum && count <= maximum
    }
}

/// More arguments than any line has.
private let many = 1 << 20

extension Element {
    /// The required keyword, or nil.
    fileprivate var keyword: String? {
        if case .keyword(let keyword) = self { return keyword }
        return nil
    }

    fileprivate var isRepeating: Bool { if case .repeating = self { true } else { false } }

    /// The element itself, or the elements of an optional group.
    fileprivate var flattened: [Element] {
        if case .optional(let inner) = self { return inner }
        return [self]
    }

    /// The minimum and maximum number of arguments.
    fileprivate var argumentCount: (minimum: Int, maximum: Int) {
        switch self {
        case .keyword, .parameter: (1, 1)
        case .repeating, .condition: (1, many)
        case .optional(let inner): (0, inner.map(\.argumentCount.maximum).reduce(0) { min(many, $0 + $1) })
        }
    }
}
