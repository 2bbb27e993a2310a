import Engine
import Results
import Script
import VM

/// `on`: runs a block whenever a line matches.
struct OnCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "on", summary: "run a block whenever a line matches",
            forms: Trigger.Event.allCases.map {
                Form(.parameter(.target), .keyword($0.rawValue), content: .statements)
            } + [
                Form(
                    .parameter(.target), .keyword("prompt"), .parameter(Expectation.pattern), content: .statements),
                Form(.parameter(.target), .parameter(Expectation.pattern), content: .statements),
            ],
            blockNames: ["session"], startsStrand: true,
            text: """
                Each whole line from T that the script has not read yet is tested once, on arrival; sessions opened \
                later are included. If it matches, it is consumed and the block runs concurrently with the script, with \
                ${session} and the captures set. Other lines are left for the script. The same 'on' run again \
                replaces its former block; 'off T' removes it. A trigger set inside a test ends with the test.

                Events start a block too: 'connect', when a listener has accepted the connection (for a server that \
                speaks first), 'eof' and 'reset', when the stream has ended and every line is answered.

                'prompt' looks at a line whose end has not arrived, such as 'login: ', whenever nothing has arrived for \
                50ms, and consumes it through the match.

                The blocks of one session run one after the other, and a line that has to wait for a block holds \
                back the lines after it. A block may read from the session: it reads the data that follows its line, \
                and data that it leaves unread is tested again.
                """,
            examples: [
                "listen mail :0 --eol crlf\non mail.* connect {\n    ${session}> 220 ready\n}",
                "listen fake :0\non fake.* /^GET (\\w+)/ {\n    ${session}> VALUE ${1}\n}",
                "on irc /^PING (.*)/ {\n    irc> PONG ${1}\n}",
                "on router prompt \"Password: \" {\n    router> ${env.PASSWORD}\n}",
            ],
            caveats: [
                "Lines that match no trigger are discarded unless the script reads the session.",
                """
                A line can be read by the script only when it is complete, unless no trigger can match it. If the \
                peer prompts without a newline and the script waits for that, anchor the pattern of 'on' with ^.
                """,
                """
                A failure in a block fails the script. Exception: if a client of a listener has left before it was \
                answered, only that block is aborted, with a note.
                """,
                """
                Each run of the block has its own variables; a name that the script sets above the block is the \
                script's, shared by all.
                """,
                "A line longer than the inbox is a failure.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        try requireOwnSessions(call, compiler.place)
        let program = compiler.strand(call)
        if let event = Trigger.Event.allCases.first(where: { call.keywords.contains($0.rawValue) }) {
            return compiler.emit(
                OnInstruction(
                    target: try call.target(), argument: nil, pattern: nil, event: event, isPrompt: false,
                    program: program, range: call.range))
        }
        let pattern = try call.required("PATTERN")
        if let argument = pattern.bareLiteral, Expectation.keywords.contains(argument) || argument == "timeout" {
            throw ScriptError(
                pattern.range, "'on' takes text or a /regex/, not '\(argument)'",
                hint: "to match the text, quote it: \"\(argument)\"")
        }
        compiler.emit(
            OnInstruction(
                target: try call.target(), argument: pattern, pattern: call.regex("PATTERN"), event: nil,
                isPrompt: call.keywords.contains("prompt"), program: program, range: call.range))
    }
}

extension OnCommand {
    /// Throws in a block of another strand, unless it is one of `parallel` that opens the session itself.
    private static func requireOwnSessions(_ call: CommandCall, _ place: Compiler.Place) throws(ScriptError) {
        guard place.isInStrand else { return }
        let target = try call.target()
        guard let sessions = place.parallelSessions else {
            throw ScriptError(
                call.range, "'on' is not allowed inside 'on' or 'start'", hint: "set the trigger before that block")
        }
        for item in target.items where !sessions.overlaps(item.template.glob) {
            throw ScriptError(
                item.range, "inside 'parallel', 'on' is only for sessions that the same block opens",
                hint: "set the trigger before 'parallel'")
        }
    }
}

private struct OnInstruction: Instruction {
    let target: Target
    /// The text or regex; nil for an event.
    let argument: Argument?
    let pattern: PatternSource?
    let event: Trigger.Event?
    let isPrompt: Bool
    let program: Program
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let trigger = Trigger(
            targets: try strand.names(of: target), pattern: try pattern(in: strand), isPrompt: isPrompt,
            program: program, environment: strand.environment,
            strand: strand.place?.ownsTriggers == true ? ObjectIdentifier(strand) : nil, range: range)
        strand.world.triggers.add(trigger)
        strand.holdings?.open(trigger)
        return .next
    }

    private func pattern(in strand: Strand) throws(Failure) -> Trigger.Pattern {
        if let event { return .event(event) }
        if let pattern { return .regex(try strand.regex(pattern)) }
        let text = try argument.map { argument throws(Failure) in try strand.expand(argument.template) } ?? []
        guard !text.isEmpty else { throw Failure(.expectation, "the search text is empty", range: argument?.range) }
        return .text(text)
    }
}

/// `off`: removes triggers.
struct OffCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "off", summary: "remove triggers",
            forms: [Form(.parameter(.target))],
            text: "Remove the triggers of these sessions. A block that is running finishes.",
            examples: ["off irc", "off *"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(OffInstruction(target: try call.target(), range: call.range))
    }
}

private struct OffInstruction: Instruction {
    let target: Target
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        world.triggers.remove(targets: try strand.names(of: target))
        return .next
    }
}

extension Strand {
    /// Returns the names and globs of a target, whether or not sessions that match them are open.
    fileprivate func names(of target: Target) throws(Failure) -> [String] {
        var names: [String] = []
        for item in target.items { names.append(try text(item.template)) }
        return names
    }
}
