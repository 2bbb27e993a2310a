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
                CommandOption("--pty", "run on a pseudo-terminal instead of pipes"),
                CommandOption("--no-echo", "turn off the echo of the terminal (with --pty)"),
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
                """,
            examples: [
                "spawn calc bc -l\ncalc> 2 + 3\ncalc< 5", "spawn server redis-server --port 7000",
                "spawn sh --pty -- sh -i", "spawn list sh -c \"ls | wc -l\"",
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
        compiler.emit(
            SpawnInstruction(
                name: Value(name: try call.required("NAME")), program: Value(systemString: arguments[0]),
                arguments: arguments.dropFirst().map { Value(systemString: $0) },
                hasTerminal: call.has(option: "--pty"), isWithoutEcho: call.has(option: "--no-echo"),
                lineEnding: call.value(ofOption: "--eol").map { Value(lineEnding: $0) },
                framing: call.value(ofOption: "--frame").map { Value(framing: $0) }, range: call.range))
    }
}

private struct SpawnInstruction: Instruction {
    let name: Value<String>
    let program: Value<SystemString>
    let arguments: [Value<SystemString>]
    let hasTerminal: Bool
    let isWithoutEcho: Bool
    let lineEnding: Value<LineEnding>?
    let framing: Value<Framing>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        try world.sessions.requireFree(name)
        var values: [SystemString] = []
        for argument in arguments { values.append(try argument.evaluate(in: strand)) }
        var request = ChildRequest(program: try program.evaluate(in: strand), arguments: values)
        request.hasTerminal = hasTerminal
        request.isWithoutEcho = isWithoutEcho
        return .wait(
            SpawnWait(
                request, name: name, lineEnding: try lineEnding?.evaluate(in: strand) ?? .lf,
                framing: try framing?.evaluate(in: strand), world))
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
    private unowned let world: World
    private var starting: ChildStarting?
    private var hasStarted = false
    private var hasName = false
    private var result: Result<Void, WireFailure>?

    init(
        _ request: ChildRequest, name: String, lineEnding: LineEnding, framing: Framing?, _ world: World
    ) {
        self.request = request
        self.name = name
        self.lineEnding = lineEnding
        self.framing = framing
        self.world = world
        limit = world.settings.scaled(world.settings.timeout)
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !hasStarted { try begin(strand) }
        switch result {
        case .success: return true
        case .failure(let failure): throw cannotStart(failure)
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
        if hasName { world.sessions.unreserve(name) }
        hasName = false
    }

    private func begin(_ strand: Strand) throws(Failure) {
        hasStarted = true
        hasName = true
        world.sessions.reserve(name)
        world.transcript.statement(statement)
        do throws(WireFailure) {
            starting = try world.children.start(request) { [unowned self, unowned strand] outcome in
                starting = nil
                releaseName()
                result = outcome.map { child, transport in began(child, transport, strand) }
                strand.wake()
            }
        } catch {
            releaseName()
            throw cannotStart(error)
        }
    }

    private func began(_ child: ChildProcess, _ transport: any Transport, _ strand: Strand) {
        let title = request.commandLine.map { quotedArgument($0.description) }.joined(separator: " ")
        let session = world.adopt(
            transport, name: name, address: title, peer: "pid \(child.number)", lineEnding: lineEnding,
            framing: framing, child: child)
        strand.holdings?.open(session)
        world.transcript.note("\(name): running as process \(child.number)")
    }

    private func cannotStart(_ failure: WireFailure) -> Failure {
        let program = request.program.description
        let isMissing = failure.isMissingFile
        let problem = isMissing && !program.contains("/") ? "not found in PATH" : failure.message
        // The file exists: its interpreter or loader is missing.
        if isMissing, program.contains("/"), request.program.withCString({ access($0, F_OK) }) == 0 {
            return Failure(.connection, "\(name): cannot start \(quotedArgument(program)): \(missingInterpreter)")
        }
        return Failure(
            .connection, "\(name): cannot start \(quotedArgument(program)): \(problem)",
            details: isMissing ? hint(for: program) : [])
    }

    /// The missing program in the first line of a script (execve(2), Interpreter scripts), or whatever else is missing.
    private var missingInterpreter: String {
        let descriptor = request.program.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { return "its interpreter does not exist" }
        let file = Descriptor(owning: descriptor)
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(file.number, &bytes, bytes.count)
        guard count > 2, bytes.starts(with: "#!".utf8) else { return "its dynamic loader does not exist" }
        let line = bytes[2..<count].prefix { $0 != UInt8(ascii: "\n") }
        let interpreter = line.drop { $0 == 0x20 || $0 == 0x09 }.prefix { $0 != 0x20 && $0 != 0x09 }
        let hint = interpreter.last == UInt8(ascii: "\r") ? " (the file has CRLF line endings)" : ""
        return "its interpreter \(Escapes.visible(interpreter)) does not exist\(hint)"
    }

    /// Returns a hint for syntax that only a shell understands.
    private func hint(for program: String) -> [String] {
        if program.contains(" ") {
            return [
                "spawn does not run a shell: pass each argument separately, or write: spawn \(name) sh -c \(quotedArgument(program))"
            ]
        }
        if program.contains("=") {
            return ["to set an environment variable, write: spawn \(name) env \(program) COMMAND"]
        }
        return []
    }

    private var statement: String {
        let options = (request.hasTerminal ? ["--pty"] : []) + (request.isWithoutEcho ? ["--no-echo"] : [])
        let command = request.commandLine.map { commandArgument($0.description) }
        return
            (["spawn", name] + options + world.settings.options(lineEnding, framing, isDatagram: false)
            + (options.isEmpty && !request.program.description.hasPrefix("--") ? [] : ["--"]) + command).joined(
                separator: " ")
    }

    /// Returns an argument of a program, quoted if the language would not accept it bare.
    private func commandArgument(_ text: String) -> String {
        ["|", ">", ">>", "<", "2>&1", "&&", "||", "&", ";", "{"].contains(text) ? "\"\(text)\"" : quotedArgument(text)
    }
}
