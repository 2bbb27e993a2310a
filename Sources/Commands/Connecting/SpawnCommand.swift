import Engine
import Glibc
import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// `spawn`: starts a program as a session.
struct SpawnCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "spawn", summary: "start a program as a session",
            forms: [
                Form(
                    .parameter(Parameter("NAME", .newSession)), .parameter(Parameter("COMMAND", .program)),
                    .optional([.repeating(Parameter("ARG", .argument))]))
            ],
            options: [
                CommandOption(
                    "--pty", Parameter("ROWSxCOLS", .checked(terminalSizeProblem)),
                    "run on a pseudo-terminal instead of pipes (24x80)", isValue: looksLikeTerminalSize),
                CommandOption("--no-echo", "turn off the echo of the terminal (with --pty)"),
                CommandOption("--cd", Parameter("DIR", .path), "working directory of the program"),
                CommandOption(
                    "--env", Parameter("NAME=VALUE", .checked(assignmentProblem)), "set an environment variable",
                    isRepeatable: true),
                CommandOption("--input", Parameter("PATH", .path), "standard input from a file"),
                CommandOption(
                    "--socket", Parameter("RESERVED", .session), "give it the socket of 'reserve'", isRepeatable: true),
                CommandOption("--stderr", Parameter("OTHER", .newSession), "standard error as a session of its own"),
                CommandOption("--eol", .lineEnding, "line ending to send: lf, crlf, cr, nul or none"),
                CommandOption("--frame", .framing, "framing, such as raw or u16; see 'help frames'"),
            ],
            text: """
                The program's standard output and standard error are received; data sent goes to its standard input, \
                and 'NAME>|' closes that (on a pseudo-terminal by sending the end-of-file character). COMMAND is \
                looked up in PATH. All arguments after COMMAND belong to it, options included. ${NAME.pid} is its \
                process ID.

                The program runs in its own session and process group. 'close' ends it with SIGTERM, and with \
                SIGKILL after a second or with --reset. No program outlives muxsh, nor do the processes it has \
                started.

                With --pty the screen that the program draws is kept: see 'expect NAME screen', 'show NAME --screen', \
                'send NAME --key', ${NAME.cursor.row}, ${NAME.cursor.column} and ${NAME.screen}. What it asks its \
                terminal is answered, and TERM is xterm-256color unless --env sets it.
                """,
            examples: [
                "spawn calc bc -l\ncalc> 2 + 3\ncalc< 5", "spawn server redis-server --port 7000",
                "spawn sh --pty -- sh -i",
                "spawn top --pty 30x100 top\nexpect top screen 1 \"load average\"\nsend top --key q",
                "spawn list sh -c \"ls | wc -l\"",
            ],
            caveats: [
                "spawn does not run a shell. For pipes and redirections write: spawn NAME sh -c \"ls | wc -l\".",
                "A program that fails does not fail the script. To check its exit status use 'wait NAME status N'.",
                "Many programs buffer their output when it goes to a pipe, and answer late: use --pty.",
                "'set eol' does not apply to programs: lines to a program end with LF unless --eol is given.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let arguments = [try call.required("COMMAND")] + call.arguments("ARG")
        for argument in arguments {
            if let text = argument.bareLiteral, ["|", ">", ">>", "<", "2>&1", "&&", "||", "&", ";"].contains(text) {
                throw ScriptError(
                    argument.range, "spawn does not run a shell: '\(text)' has no meaning here",
                    hint: "run one: spawn NAME sh -c \"…\"")
            }
        }
        guard call.has(option: "--pty") || !call.has(option: "--no-echo") else {
            throw ScriptError(call.range, "--no-echo needs --pty")
        }
        if let name = call.argument("NAME")?.template.literalText, let errors = call.value(ofOption: "--stderr"),
            errors.template.literalText == name
        {
            throw ScriptError(errors.range, "two sessions cannot be named '\(name)'")
        }
        compiler.emit(
            SpawnInstruction(
                name: Value(name: try call.required("NAME")), program: Value(systemString: arguments[0]),
                arguments: arguments.dropFirst().map { Value(systemString: $0) },
                setup: ProgramSetup(call), hasTerminal: call.has(option: "--pty"),
                terminalSize: call.value(ofOption: "--pty").map { Value(terminalSize: $0) },
                isWithoutEcho: call.has(option: "--no-echo"),
                sockets: call.values(ofOption: "--socket").map { Value(name: $0) },
                errorName: call.value(ofOption: "--stderr").map { Value(name: $0) },
                lineEnding: call.value(ofOption: "--eol").map { Value(lineEnding: $0) },
                framing: call.value(ofOption: "--frame").map { Value(framing: $0) }, range: call.range))
    }
}

private struct SpawnInstruction: Instruction {
    let name: Value<String>
    let program: Value<SystemString>
    let arguments: [Value<SystemString>]
    let setup: ProgramSetup
    let hasTerminal: Bool
    let terminalSize: Value<TerminalSize>?
    let isWithoutEcho: Bool
    let sockets: [Value<String>]
    let errorName: Value<String>?
    let lineEnding: Value<LineEnding>?
    let framing: Value<Framing>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        try world.sessions.requireFree(name)
        // Before the arguments, which may contain the numbers of the descriptors.
        let sockets = try sockets(in: strand)
        var values: [SystemString] = []
        for argument in arguments { values.append(try argument.evaluate(in: strand)) }
        var request = ChildRequest(program: try program.evaluate(in: strand), arguments: values)
        request.sockets = sockets
        request.hasTerminal = hasTerminal
        request.isWithoutEcho = isWithoutEcho
        if let size = try terminalSize?.evaluate(in: strand) { request.terminalSize = size }
        try setup.apply(to: &request, strand)
        let errorName = try errorName?.evaluate(in: strand)
        if let errorName {
            guard errorName != name else { throw Failure(.expectation, "two sessions cannot be named '\(name)'") }
            try world.sessions.requireFree(errorName)
            request.separatesErrors = true
        }
        return .wait(
            SpawnWait(
                request, name: name, errorName: errorName, input: try setup.input?.evaluate(in: strand),
                lineEnding: try lineEnding?.evaluate(in: strand) ?? .lf,
                framing: try framing?.evaluate(in: strand), world))
    }
}

extension SpawnInstruction {
    /// Returns the reserved sockets, which listen from now on, and numbers them as the program will see them.
    private func sockets(in strand: Strand) throws(Failure) -> [(SharedDescriptor, SystemString)] {
        var result: [(SharedDescriptor, SystemString)] = []
        for value in sockets {
            let name = try value.evaluate(in: strand)
            guard let place = strand.world.sessions.service(named: name) as? ReservedPlace,
                let bytes = SystemString(Array(name.utf8))
            else {
                throw Failure(
                    .connection, "'\(name)' is not reserved; write: reserve \(name) :0", range: value.argument.range)
            }
            do throws(WireFailure) {
                result.append((try place.reservation.handOver(), bytes))
            } catch {
                throw Failure(.connection, "\(name): cannot listen on \(place.location): \(error.message)")
            }
            place.descriptor = 2 + result.count
        }
        return result
    }
}

/// Waits until the program is running.
private final class SpawnWait: Wait {
    var limit: Duration?
    var wanted: String { "the start of \(request.program)" }
    private let request: ChildRequest
    private let name: String
    private let lineEnding: LineEnding
    private let framing: Framing?
    /// The name of the session of its standard error, or nil.
    private let errorName: String?
    /// The path of its standard input, or nil.
    private let input: SystemString?
    private unowned let world: World
    private var starting: ChildStarting?
    private var hasStarted = false
    private var hasName = false
    private var result: Result<Void, WireFailure>?

    init(
        _ request: ChildRequest, name: String, errorName: String?, input: SystemString?, lineEnding: LineEnding,
        framing: Framing?, _ world: World
    ) {
        self.request = request
        self.name = name
        self.lineEnding = lineEnding
        self.framing = framing
        self.errorName = errorName
        self.input = input
        self.world = world
        limit = world.settings.scaled(world.settings.timeout)
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !hasStarted { try begin(strand) }
        switch result {
        case .success: return true
        case .failure(let failure): throw StartFailure(request, "\(name): ", command: "spawn \(name)").failure(failure)
        case nil where isLate:
            cancel()
            throw Failure(.connection, "\(name): timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
        case nil: return false
        }
    }

    func cancel() {
        releaseName()
        starting?.cancel()
        starting = nil
    }

    private func releaseName() {
        if hasName {
            world.sessions.unreserve(name)
            if let errorName { world.sessions.unreserve(errorName) }
        }
        hasName = false
    }

    private func begin(_ strand: Strand) throws(Failure) {
        hasStarted = true
        hasName = true
        world.sessions.reserve(name)
        if let errorName { world.sessions.reserve(errorName) }
        world.transcript.statement(statement)
        do throws(WireFailure) {
            starting = try world.children.start(request) { [unowned self, unowned strand] outcome in
                starting = nil
                releaseName()
                result = outcome.map { began($0, strand) }
                strand.wake()
            }
        } catch {
            releaseName()
            throw StartFailure(request, "\(name): ", command: "spawn \(name)").failure(error)
        }
    }

    private func began(_ started: StartedChild, _ strand: Strand) {
        let child = started.process
        let size = request.terminalSize
        let screen = request.hasTerminal ? ProgramScreen(rows: size.rows, columns: size.columns) : nil
        let title = request.commandLine.map { quotedArgument($0.description) }.joined(separator: " ")
        let session = world.adopt(
            started.transport, name: name, address: title, peer: "pid \(child.number)", lineEnding: lineEnding,
            framing: framing, child: child, screen: screen)
        strand.holdings?.open(session)
        if let errorName, let errors = started.errors {
            let session = world.adopt(
                errors, name: errorName, address: "standard error of \(name)", peer: "pid \(child.number)",
                lineEnding: lineEnding, framing: framing)
            strand.holdings?.open(session)
        }
        world.transcript.note("\(name): running as process \(child.number)")
    }

    private var statement: String {
        let size = "\(request.terminalSize.rows)x\(request.terminalSize.columns)"
        var options: [String] = []
        if request.hasTerminal { options += size == "24x80" ? ["--pty"] : ["--pty", size] }
        if request.isWithoutEcho { options.append("--no-echo") }
        if let directory = request.directory { options += ["--cd", quotedArgument(directory.description)] }
        for variable in request.environment { options += ["--env", quotedArgument(variable.description)] }
        for (_, name) in request.sockets { options += ["--socket", quotedArgument(name.description)] }
        if let input { options += ["--input", quotedArgument(input.description)] }
        if let errorName { options += ["--stderr", errorName] }
        let command = request.commandLine.map { commandArgument($0.description) }
        return
            (["spawn", name] + options + world.settings.options(lineEnding, framing, of: .process)
            + (options.isEmpty && !request.program.description.hasPrefix("--") ? [] : ["--"]) + command).joined(
                separator: " ")
    }

    /// Returns an argument of a program, quoted if the language would not accept it bare.
    private func commandArgument(_ text: String) -> String {
        ["|", ">", ">>", "<", "2>&1", "&&", "||", "&", ";", "{"].contains(text) ? "\"\(text)\"" : quotedArgument(text)
    }
}
