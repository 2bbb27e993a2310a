extension Template {
    /// The template as a glob: a variable can have any value, so it becomes `*`.
    package var glob: String { segments.map(\.globText).joined() }
}

extension Template.Segment {
    /// The segment as a glob: a variable can have any value, so it becomes `*`.
    var globText: String {
        switch self {
        case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
        case .expansion: "*"
        }
    }
}

extension CommandDescription {
    /// The parameters of all forms, without duplicates.
    package var allParameters: [Parameter] {
        var seen: Set<String> = []
        return forms.flatMap { $0.elements.flatMap(\.parameters) }.filter { seen.insert($0.name).inserted }
    }
}

extension Element {
    var parameters: [Parameter] {
        switch self {
        case .keyword, .condition: []
        case .parameter(let parameter), .repeating(let parameter): [parameter]
        case .optional(let inner): inner.flatMap(\.parameters)
        }
    }
}

extension CommandCall {
    /// Returns the arguments of all parameters of the wanted kinds.
    private func arguments(where isWanted: (Parameter.Kind) -> Bool) -> [Argument] {
        description.allParameters.filter { isWanted($0.kind) }.flatMap { arguments($0.name) }
    }

    /// The name of the command that it defines, or nil.
    var newCommand: Argument? {
        arguments {
            if case .newCommand = $0 { return true }
            return false
        }.first
    }

    /// The names of the variables that are local to its block.
    var localNames: [String] {
        arguments {
            if case .localVariable = $0 { return true }
            return false
        }.compactMap(\.template.literalText)
    }

    /// Whether it generates a session name, because the optional name was omitted.
    var givesNumberedSession: Bool {
        description.allParameters.contains { parameter in
            if case .newSession = parameter.kind { return argument(parameter.name) == nil }
            return false
        }
    }

    /// The names and globs of the sessions that it opens, including connections of a listener.
    private var openedSessions: [String] {
        var names = givesNumberedSession ? ["s*"] : []
        for parameter in description.allParameters {
            for argument in arguments(parameter.name) {
                switch kind(of: parameter) {
                case .newSession: names.append(argument.template.glob)
                case .newListener: names.append(argument.template.glob + ".*")
                default: break
                }
            }
        }
        for argument in values(ofOption: "--stderr") { names.append(argument.template.glob) }
        return names
    }

    /// The names and globs of the sessions that the statements of its block open.
    package var sessionsOpenedInside: KnownNames {
        var names = KnownNames()
        for case .command(let call) in block.flatMap(\.withAllInside) { names.formUnion(call.openedSessions) }
        return names
    }

    /// Returns what an argument of the call means: 'listen --shared' opens a session instead of a listener.
    func kind(of parameter: Parameter) -> Parameter.Kind {
        if case .newListener = parameter.kind, has(option: "--shared") { return .newSession }
        return parameter.kind
    }
}

extension Argument {
    /// Whether it is written like a regex: `/…/` with flags, without quotes.
    var looksLikeRegex: Bool {
        guard case .bare = style else { return false }
        let text = template.glob
        guard text.hasPrefix("/"), let end = text.lastIndex(of: "/"), end > text.startIndex else { return false }
        return text[text.index(after: end)...].allSatisfy { "ims".contains($0) }
    }
}
