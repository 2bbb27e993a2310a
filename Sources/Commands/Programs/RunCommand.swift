import Engine
import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// `run`: runs a program to its end.
struct RunCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "run", summary: "run a program to its end",
            forms: [
                Form(
                    .parameter(Parameter("COMMAND", .program)), .optional([.repeating(Parameter("ARG", .argument))]))
            ],
            options: [
                CommandOption(
                    "--status", Parameter("N", .checked(statusProblem)), "expected exit status, or any (default 0)"),
                CommandOption("--input", Parameter("TEXT", .text), "text for its standard input (default: empty)"),
                CommandOption("--cd", Parameter("DIR", .path), "working directory of the program"),
                CommandOption(
                    "--env", Parameter("NAME=VALUE", .checked(assignmentProblem)), "set an environment variable",
                    isRepeatable: true),
            ],
            resultNames: ["status"],
            text: """
                ${0} is its standard output and ${status} its exit status. Another exit status than N is a failure \
                that shows its standard error. All arguments after COMMAND belong to it, except a bare 'within D' at \
                the end: the time limit, after which the program is killed. Quote 'within' to pass it on.
                """,
            examples: [
                "run date +%Y\nprint \"it is ${0:trim}\"", "run --input \"b\\na\\n\" sort within 2s",
                "run --status 1 grep -q x /dev/null",
            ],
            caveats: [
                "run does not run a shell. For pipes and redirections write: run sh -c \"ls | wc -l\".",
                "Processes that the program has started and left running are killed.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        var arguments = [try call.required("COMMAND")] + call.arguments("ARG")
        var limit: Value<Duration>?
        if arguments.count >= 3, arguments[arguments.count - 2].bareLiteral == "within" {
            let last = arguments[arguments.count - 1]
            if let problem = Parameter.Kind.duration.problem(with: last) { throw ScriptError(last.range, problem) }
            limit = Value(duration: last)
            arguments.removeLast(2)
        }
        compiler.emit(
            RunInstruction(
                program: Value(systemString: arguments[0]),
                arguments: arguments.dropFirst().map { Value(systemString: $0) },
                status: call.value(ofOption: "--status").map { Value(runStatus: $0) },
                input: call.value(ofOption: "--input").map { Value(text: $0) },
                setup: ProgramSetup(call, hasInputFile: false), limit: limit, range: call.range))
    }

    /// Returns the problem with an expected status, or nil.
    fileprivate static func statusProblem(_ bytes: [UInt8]) -> String? {
        let text = Escapes.visible(bytes)
        if text == "any" || Literals.count(text).map({ $0 <= 255 }) == true { return nil }
        return "'\(text)' is not an exit status; write 0 to 255 or any"
    }
}

extension Value where Result == Int? {
    /// An expected exit status; nil for any.
    fileprivate convenience init(runStatus argument: Argument) {
        self.init(argument, .checked(RunCommand.statusProblem)) { bytes in
            guard RunCommand.statusProblem(bytes) == nil else { return nil }
            return .some(Literals.count(String(decoding: bytes, as: UTF8.self)))
        }
    }
}

private struct RunInstruction: Instruction {
    let program: Value<SystemString>
    let arguments: [Value<SystemString>]
    let status: Value<Int?>?
    let input: Value<[UInt8]>?
    let setup: ProgramSetup
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        var values: [SystemString] = []
        for argument in arguments { values.append(try argument.evaluate(in: strand)) }
        var request = ChildRequest(program: try program.evaluate(in: strand), arguments: values)
        request.separatesErrors = true
        try setup.apply(to: &request, strand)
        let settings = strand.world.settings
        return .wait(
            RunWait(
                request, input: try input?.evaluate(in: strand) ?? [],
                status: try status.map { status throws(Failure) in try status.evaluate(in: strand) } ?? 0,
                limit: settings.scaled(try limit?.evaluate(in: strand) ?? settings.timeout), strand.world))
    }
}

/// Runs a program: writes its input, and reads its output and its errors to their ends.
private final class RunWait: Wait {
    var limit: Duration?
    var wanted: String { "the end of \(title)" }
    private let request: ChildRequest
    private let input: [UInt8]
    /// The expected exit status; nil for any.
    private let status: Int?
    private unowned let world: World
    private var starting: ChildStarting?
    private var hasStarted = false
    private var problem: WireFailure?
    private var child: ChildProcess?
    private var output: Stream?
    private var errors: Stream?

    /// The largest output in bytes.
    private static let longestOutput = 64 << 20
    /// How much of the standard error is kept: its end.
    private static let longestErrors = 64 << 10
    private static let shownLines = 10

    init(_ request: ChildRequest, input: [UInt8], status: Int?, limit: Duration, _ world: World) {
        self.request = request
        self.input = input
        self.status = status
        self.limit = limit
        self.world = world
    }

    /// The command line, for messages.
    private var title: String { request.commandLine.map { quotedArgument($0.description) }.joined(separator: " ") }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if !hasStarted { try begin(strand) }
        if let problem { throw StartFailure(request, "", command: "run").failure(problem) }
        // A program that cannot write its output would never end.
        if let output, output.channel.isFull {
            cancel()
            throw Failure(.expectation, "\(title): its output is longer than 64 MiB")
        }
        if let output, let errors, let ending = child?.ending {
            // Processes it has left could keep its output open.
            if let child { world.children.release(child, isForced: true) }
            if output.hasEnded, errors.hasEnded { return try finish(ending, output, errors, strand) }
        }
        guard !isLate else {
            var failure = Failure(.expectation, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
            failure.details = errorLines()
            cancel()
            throw failure
        }
        return false
    }

    func cancel() {
        starting?.cancel()
        starting = nil
        if let child { world.children.release(child, isForced: true) }
        output?.close()
        errors?.close()
    }

    private func begin(_ strand: Strand) throws(Failure) {
        hasStarted = true
        do throws(WireFailure) {
            starting = try world.children.start(request) { [unowned self, weak strand] outcome in
                starting = nil
                switch outcome {
                case .failure(let failure): problem = failure
                case .success(let started): began(started, strand)
                }
                strand?.wake()
            }
        } catch {
            throw StartFailure(request, "", command: "run").failure(error)
        }
    }

    private func began(_ started: StartedChild, _ strand: Strand?) {
        child = started.process
        started.process.onExit = { [weak strand] in strand?.wake() }
        let output = Stream(started.transport, limit: Self.longestOutput + 1, on: world.loop) { [weak strand] in
            strand?.wake()
        }
        input.withUnsafeBytes { output.channel.send($0) }
        output.channel.endOutput()
        self.output = output
        errors = started.errors.map {
            Stream($0, limit: Self.longestErrors, keepsEnd: true, on: world.loop) { [weak strand] in strand?.wake() }
        }
    }

    private func finish(
        _ ending: ChildProcess.Ending, _ output: Stream, _ errors: Stream, _ strand: Strand
    ) throws(Failure) -> Bool {
        if case .failed(let problem) = output.channel.input {
            cancel()
            throw Failure(.connection, "\(title): cannot read its output: \(problem.message)")
        }
        let bytes = Array(output.channel.inbox.bytes)
        strand.capture([bytes])
        strand.setResult("status", to: Array(String(ending.status).utf8))
        if let status, ending != .exited(Int32(status)) {
            var failure = Failure(.expectation, "\(title): expected status \(status), but it \(ending.description)")
            failure.details = errorLines()
            cancel()
            throw failure
        }
        cancel()
        return true
    }

    /// The last lines of its standard error.
    private func errorLines() -> [Failure.Detail] {
        guard let errors else { return [] }
        let lines = SourceText.lines(of: Array(errors.channel.inbox.bytes)).filter { !$0.isEmpty }
        guard !lines.isEmpty else { return [.text("it wrote nothing to standard error")] }
        return lines.suffix(Self.shownLines).map { .text("stderr: \(Escapes.visible($0))") }
    }
}

/// One stream of a program, read to its end.
private final class Stream: ChannelDelegate {
    let channel: Channel
    private let onChange: () -> Void

    init(
        _ transport: any Transport, limit: Int, keepsEnd: Bool = false, on loop: EventLoop,
        onChange: @escaping () -> Void
    ) {
        channel = Channel(transport: transport, peer: "", inboxLimit: limit, on: loop)
        self.onChange = onChange
        if keepsEnd { channel.overflow = .dropOldest }
        channel.delegate = self
    }

    var hasEnded: Bool { channel.input != .open }

    func close() { channel.close() }

    func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer) {}
    func channelInboxGrew(_ channel: Channel) { if channel.isFull { onChange() } }
    func channelInputEnded(_ channel: Channel) { onChange() }
    func channelOutputAdvanced(_ channel: Channel) {}
    func channelOutputFailed(_ channel: Channel) {}
    func channelWasRefused(_ channel: Channel) {}
    func channel(_ channel: Channel, mustDrop count: Int) {
        channel.inbox.consume(through: channel.inbox.front + count)
    }
}
