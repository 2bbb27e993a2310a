import ArgumentParser
import Glibc
import Reactor
import Wire

/// The echo server: returns what each client sends, upper-cased.
@main
struct Echod: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echod",
        abstract: "Return what each client sends, upper-cased, in one select loop.",
        version: "echod 0.1.0")

    /// Carries any bytes: a path need not be text.
    @Option(help: ArgumentHelp("Listen on ADDRESS: an IP address, [::1] or unix:PATH.", valueName: "address"))
    var bind = "127.0.0.1"

    @Option(help: ArgumentHelp("Listen on port N; 0 is any free one.", valueName: "n"))
    var port: UInt16 = 8080

    @Option(help: "What to answer: upper, echo or discard.")
    var mode = EchoService.Mode.upper

    @Option(help: ArgumentHelp("Serve at most N clients at a time; others wait.", valueName: "n"))
    var maxConnections: Int?

    @Option(help: ArgumentHelp("Disconnect a client that is silent for D, such as 30s.", valueName: "d"))
    var idleTimeout: IdleTime?

    @Flag(name: .short, help: "Log each client to standard error.")
    var verbose = false

    func validate() throws {
        if let maximum = maxConnections, maximum < 1 { throw ValidationError("--max-connections takes 1 or more") }
    }

    func run() throws {
        raiseDescriptorLimit()
        let loop = EventLoop()
        let output = LineOutput(on: loop)
        let service = try makeService(output, on: loop)
        var isRunning = true
        let signals = try catchSignals(on: loop) {
            // On a second signal, do not wait for clients that never read their answers.
            if !isRunning { Glibc.exit(0) }
            isRunning = false
        }
        output.say("echod: listening on \(service.address.description)")
        while isRunning, output.problem == nil { loop.turn() }
        if let problem = output.problem {
            service.close()
            throw Refusal(outputProblem: problem)
        }
        var hasClients = true
        let limit = loop.schedule(after: .seconds(10)) { hasClients = false }
        service.stop { hasClients = false }
        while hasClients { loop.turn() }
        loop.cancel(limit)
        signals.end()
    }

    private func catchSignals(on loop: EventLoop, _ end: @escaping () -> Void) throws -> Signals {
        do {
            return try Signals([SIGTERM, SIGINT], on: loop) { _ in end() }
        } catch {
            throw Refusal(message: "cannot wait for signals: \(errorMessage(error.rawValue))")
        }
    }

    private func makeService(_ output: LineOutput, on loop: EventLoop) throws -> EchoService {
        let host = bind.contains(":") && !bind.hasPrefix("[") ? "[\(bind)]" : bind
        let limits = EchoService.Limits(maxConnections: maxConnections, idleTimeout: idleTimeout?.duration)
        do {
            let address = try Address(parsing: bind.hasPrefix("unix:") ? bind : "\(host):\(port)")
            let listener = try Listener(at: address, on: loop)
            listener.onExhaustion = { output.log("echod: out of file descriptors; new clients wait") }
            let service = EchoService(listener: listener, mode: mode, limits: limits, on: loop)
            if verbose { service.log = { output.log("echod: " + $0()) } }
            return service
        } catch let error as ListenError {
            throw Refusal(message: error.message)
        } catch let error as AddressError {
            throw ValidationError(error.message.inOneLine)
        }
    }

    private static func lines(of text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// Parses the command line and runs the server. A usage error is status 1, as in muxsh; the option library would
    /// use 64.
    static func main() {
        occupyStandardDescriptors()
        // A write to a closed pipe fails with an error, which the status reports.
        signal(SIGPIPE, SIG_IGN)
        let output = LineOutput(on: EventLoop())
        do {
            let arguments = (1..<max(1, Int(CommandLine.argc))).compactMap { CommandLine.unsafeArgv[$0] }
            var command = try parseAsRoot(arguments.map { SystemString(copying: $0).description.inOneLine })
            try command.run()
        } catch let error as Refusal {
            if let message = error.message { output.log("echod: \(message)") }
            Glibc.exit(3)
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            guard code == .success else {
                if !text.isEmpty { lines(of: text).forEach(output.log) }
                Glibc.exit(code == .validationFailure ? 1 : code.rawValue)
            }
            lines(of: text).forEach(output.say)
            if let problem = output.finish() {
                if let message = Refusal(outputProblem: problem).message { output.log("echod: \(message)") }
                Glibc.exit(3)
            }
        }
    }
}

/// The reason why the server does not run, with exit status 3.
private struct Refusal: Error {
    /// Nil when no message is needed because the reader of standard output is gone.
    let message: String?

    init(message: String) {
        self.message = message
    }

    init(outputProblem number: Int32) {
        message =
            number == EPIPE
            ? nil : "cannot write standard output: \(number == EBADF ? "it is closed" : errorMessage(number))"
    }
}

extension EchoService.Mode: ExpressibleByArgument {}

/// A duration as an option: `500ms`, `30s`, `2m`.
struct IdleTime: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let units: [(String, Int)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        for (unit, milliseconds) in units where argument.hasSuffix(unit) {
            guard let number = Int(argument.dropLast(unit.count)), (1...1_000_000).contains(number) else { continue }
            duration = .milliseconds(number * milliseconds)
            return
        }
        return nil
    }
}
