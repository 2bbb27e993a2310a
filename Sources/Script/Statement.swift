/// One statement of a checked script.
package enum Statement {
    case arrow(ArrowLine)
    case command(CommandCall)
    case invocation(Invocation)

    /// The position of the statement.
    package var range: SourceRange {
        switch self {
        case .arrow(let arrow): arrow.range
        case .command(let call): call.range
        case .invocation(let invocation): invocation.range
        }
    }
}

/// `NAME ARG…`: runs the block that `define` gave this name.
package struct Invocation {
    package let name: String
    package let nameRange: SourceRange
    package let arguments: [Argument]
    /// The whole line without its indentation.
    package let range: SourceRange
}

/// `T> text`, `T< text`, `T<~ regex`, `T>|`, `T<|` or `T<| 1000`.
package struct ArrowLine {
    package enum Action {
        /// Send the text, followed by a line ending if `ending`.
        case send(Template, ending: Bool)
        /// Expect the next line to be exactly the text; without `ending`, the next bytes.
        case line(Template, ending: Bool)
        /// Expect the next line to match the pattern.
        case match(PatternSource)
        /// End our side (half-close).
        case endOutput
        /// Expect the peer to end its side next, with a close code if one is given (WebSocket).
        case endOfStream(code: UInt16?)
        /// Expect the connection to be reset next.
        case reset
    }

    package let target: Target
    package let action: Action
    /// The whole line without its indentation.
    package let range: SourceRange
    /// The text after the arrow.
    package let textRange: SourceRange
}

/// A command with its arguments assigned to parameters and options.
package struct CommandCall {
    package let description: CommandDescription
    package let range: SourceRange
    /// The keywords among the arguments.
    package fileprivate(set) var keywords: Set<String> = []
    /// The statements of its block, or of the file it includes.
    package internal(set) var block: [Statement] = []
    /// The `else if` parts: calls of the same command, each with its own condition and block.
    package internal(set) var alternatives: [CommandCall] = []
    /// The statements of its `else` part, or nil.
    package internal(set) var otherwise: [Statement]?
    /// The condition, if the command takes one.
    package private(set) var condition: Condition?
    /// The contents of the block in the chosen form.
    package internal(set) var content = Form.Content.none
    private var parameters: [String: [Argument]] = [:]
    private var options: [String: [Argument?]] = [:]
    private var patterns: [String: PatternSource] = [:]

    init(description: CommandDescription, range: SourceRange) {
        self.description = description
        self.range = range
    }

    /// Returns the argument of a parameter, or nil if it was omitted.
    package func argument(_ parameter: String) -> Argument? {
        parameters[parameter]?.first
    }

    /// Returns the arguments of a repeating parameter.
    package func arguments(_ parameter: String) -> [Argument] {
        parameters[parameter] ?? []
    }

    /// Returns the pattern of a parameter of kind `pattern` if its argument is a regex, otherwise nil.
    package func regex(_ parameter: String) -> PatternSource? {
        patterns[parameter]
    }

    /// All arguments and option values, for checks that apply to each of them.
    package var allArguments: [Argument] {
        parameters.values.flatMap { $0 } + options.values.flatMap { $0 }.compactMap { $0 }
    }

    /// Whether an option was given.
    package func has(option: String) -> Bool {
        options.keys.contains(option)
    }

    /// Returns the value of an option, or nil if it was not given.
    package func value(ofOption option: String) -> Argument? {
        options[option]?.last ?? nil
    }

    /// Returns the values of an option that may be repeated.
    package func values(ofOption option: String) -> [Argument] {
        options[option]?.compactMap { $0 } ?? []
    }

    mutating func bind(_ argument: Argument, to parameter: Parameter) throws(ScriptError) {
        parameters[parameter.name, default: []].append(argument)
        if case .regex(let flags) = argument.style {
            patterns[parameter.name] = try PatternSource(
                template: argument.template, flags: flags, range: argument.range, offset: 1)
        } else if let problem = parameter.kind.problem(with: argument) {
            throw ScriptError(argument.range, problem)
        }
    }

    mutating func bind(_ condition: Condition) {
        self.condition = condition
    }

    mutating func bind(keyword: String) {
        keywords.insert(keyword)
    }

    mutating func bind(option: CommandOption, value: Argument?) throws(ScriptError) {
        guard options[option.name] == nil || option.isRepeatable || value == nil else {
            throw ScriptError(value?.range ?? range, "duplicate '\(option.name)'")
        }
        options[option.name, default: []].append(value)
        if let value, let problem = option.parameter?.kind.problem(with: value) {
            throw ScriptError(value.range, problem)
        }
    }
}

extension Statement {
    /// Whether the statement is complete in its line, unlike a block, an included file or a defined command.
    package var isSingleLine: Bool {
        switch self {
        case .arrow: true
        case .command(let call): call.block.isEmpty
        case .invocation: false
        }
    }
}

extension Statement {
    /// The statement itself and all statements in its blocks.
    package var withAllInside: [Statement] {
        guard case .command(let call) = self else { return [self] }
        let parts = call.alternatives.flatMap { Statement.command($0).withAllInside }
        return [self] + parts + (call.block + (call.otherwise ?? [])).flatMap(\.withAllInside)
    }
}

extension ArrowLine {
    /// Whether it consumes received data.
    package var reads: Bool {
        switch action {
        case .send, .endOutput: false
        case .line, .match, .endOfStream, .reset: true
        }
    }
}
