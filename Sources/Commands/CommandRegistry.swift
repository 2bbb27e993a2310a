import Script
import Sessions
import VM

/// The commands of the language.
package struct CommandRegistry: CommandSet {
    /// The descriptions of the commands.
    package let table: CommandTable
    private let types: [String: any Command.Type]

    private init(_ commands: [(name: String, type: any Command.Type)]) {
        table = CommandTable(commands.map { command in (command.name, { command.type.description }) })
        types = Dictionary(commands) { first, _ in first }
    }

    /// Returns all commands, in the order of the manual.
    package static func standard() -> CommandRegistry {
        CommandRegistry([
            ("open", OpenCommand.self),
            ("listen", ListenCommand.self),
            ("accept", AcceptCommand.self),
            ("serve", ServeCommand.self),
            ("tunnel", TunnelCommand.self),
            ("fault", FaultCommand.self),
            ("reserve", ReserveCommand.self),
            ("spawn", SpawnCommand.self),
            ("run", RunCommand.self),
            ("signal", SignalCommand.self),
            ("wait", WaitCommand.self),
            ("starttls", StartTLSCommand.self),
            ("bridge", BridgeCommand.self),
            ("close", CloseCommand.self),
            ("send", SendCommand.self),
            ("drain", DrainCommand.self),
            ("expect", ExpectCommand.self),
            ("select", SelectCommand.self),
            ("compare", CompareCommand.self),
            ("on", OnCommand.self),
            ("off", OffCommand.self),
            ("let", LetCommand.self),
            ("set", SetCommand.self),
            ("if", IfCommand.self),
            ("while", WhileCommand.self),
            ("repeat", RepeatCommand.self),
            ("for", ForCommand.self),
            ("break", BreakCommand.self),
            ("continue", ContinueCommand.self),
            ("define", DefineCommand.self),
            ("defer", DeferCommand.self),
            ("source", SourceCommand.self),
            ("try", TryCommand.self),
            ("retry", RetryCommand.self),
            ("parallel", ParallelCommand.self),
            ("start", StartCommand.self),
            ("join", JoinCommand.self),
            ("barrier", BarrierCommand.self),
            ("test", TestCommand.self),
            ("skip", SkipCommand.self),
            ("check", CheckCommand.self),
            ("fail", FailCommand.self),
            ("time", TimeCommand.self),
            ("sleep", SleepCommand.self),
            ("print", PrintCommand.self),
            ("write", WriteCommand.self),
            ("exit", ExitCommand.self),
            ("list", ListCommand.self),
            ("show", ShowCommand.self),
            ("talk", TalkCommand.self),
            ("view", ViewCommand.self),
            ("mute", MuteCommand.self),
            ("unmute", UnmuteCommand.self),
            ("find", FindCommand.self),
            ("reopen", ReopenCommand.self),
            ("interact", InteractCommand.self),
            ("control", ControlCommand.self),
            ("history", HistoryCommand.self),
            ("edit", EditCommand.self),
            ("save", SaveCommand.self),
            ("record", RecordCommand.self),
            ("help", HelpCommand.self),
            ("quit", QuitCommand.self),
        ])
    }

    /// The commands by purpose, for `help`.
    static let groups: [(title: String, names: [String])] = [
        (
            "Connecting",
            [
                "open", "listen", "accept", "serve", "spawn", "run", "signal", "wait", "starttls", "bridge", "tunnel",
                "fault", "reserve", "close",
            ]
        ),
        ("Talking", ["send", "drain", "expect", "select", "compare", "on", "off"]),
        ("Values and files", ["let", "set", "print", "write", "sleep", "time"]),
        (
            "Flow",
            [
                "if", "while", "repeat", "for", "break", "continue", "define", "defer", "source", "try", "retry",
                "parallel", "start", "join", "barrier", "exit",
            ]
        ),
        ("Tests", ["test", "check", "fail", "skip"]),
        (
            "At the prompt",
            [
                "list", "show", "talk", "interact", "control", "reopen", "view", "mute", "unmute", "find", "history",
                "edit",
                "save", "record", "help", "quit",
            ]
        ),
    ]

    /// Compiles statements; throws all errors that are detected only when they become instructions.
    ///
    /// - Parameters:
    ///   - owners: decides which variables are the script's; by default the statements are all of it.
    ///   - isMarked: whether the host is told when each statement begins.
    package func compile(
        _ statements: [Statement], owners: VariableOwners? = nil, isMarked: Bool = false
    ) throws(ScriptErrors) -> CompiledScript {
        var whole = VariableOwners()
        if owners == nil { whole.collect(statements) }
        var compiler = Compiler(commands: self, owners: owners ?? whole)
        compiler.compile(script: statements, isMarked: isMarked)
        guard compiler.errors.isEmpty else { throw ScriptErrors(errors: compiler.errors) }
        return compiler.script
    }

    package func compile(_ arrow: ArrowLine, into compiler: inout Compiler) {
        if arrow.reads { compiler.read(arrow.target) }
        compiler.emit(ArrowInstruction.make(arrow))
    }

    package func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        guard let type = types[call.description.name] else {
            throw ScriptError(call.range, "unknown command '\(call.description.name)'")
        }
        try type.compile(call, into: &compiler)
    }
}

extension CommandCall {
    /// Returns the argument of a parameter that every form of the command has.
    func required(_ parameter: String) throws(ScriptError) -> Argument {
        guard let argument = argument(parameter) else {
            throw ScriptError(range, "\(description.name) needs \(parameter)")
        }
        return argument
    }

    /// Returns the target given by a parameter, by default T.
    func target(_ parameter: String = "T") throws(ScriptError) -> Target {
        let argument = try required(parameter)
        return try Target(argument.template, range: argument.range)
    }

    /// The limit of `within D`, or nil.
    package var within: Value<Duration>? {
        keywords.contains("within") ? argument("D").map { Value(duration: $0) } : nil
    }
}

extension Parameter {
    /// Parameters that many commands share.
    static var target: Parameter { Parameter("T", .target) }
    package static var duration: Parameter { Parameter("D", .duration) }
    static var lineEnding: Parameter {
        Parameter(
            "E", .choice(LineEnding.allCases.map(\.rawValue)),
            summaries: [
                "lf": "\\n, the default", "crlf": "\\r\\n: SMTP, HTTP, Redis, FTP", "cr": "\\r: many serial devices",
                "nul": "\\0", "none": "nothing is added to a line",
            ])
    }
}

extension Element {
    /// `[within D]`.
    package static var within: Element { .optional([.keyword("within"), .parameter(.duration)]) }
}
