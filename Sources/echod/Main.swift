import ArgumentParser
import Glibc
import Reactor
import Wire

/// The echo server: what each client sends comes back, upper-cased.
@main
struct Echod: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echod",
        abstract: "Return what each client sends, upper-cased, in one select loop.",
        version: "echod 0.1.0")

    @Option(help: ArgumentHelp("Listen on ADDRESS: an IP address, [::1] or unix:PATH.", valueName: "address"))
    var bind = "127.0.0.1"

    @Option(help: ArgumentHelp("Listen on port N; 0 is any free one.", valueName: "n"))
    var port: UInt16 = 8080

    @Option(help: "What to answer: upper, echo or discard.")
    var mode = EchoService.Mode.upper

    @Option(help: ArgumentHelp("Serve at most N clients at a time; others wait.", valueName: "n"))
    var maxConnections: Int?

    @Option(help: ArgumentHelp("Close a client that is silent for D, such as 30s.", valueName: "d"))
    var idleTimeout: IdleTime?

    @Flag(name: .short, help: "Tell of each client on standard error.")
    var verbose = false

    func validate() throws {
        if let most = maxConnections, most < 1 { throw ValidationError("--max-connections takes 1 or more") }
    }

    func run() throws {
        raiseDescriptorLimit()
        let loop = EventLoop()
        let service = try makeService(on: loop)
        var isRunning = true
        let signals = try Signals([SIGTERM, SIGINT], on: loop) { _ in
            // A second signal does not wait for clients that never take their answers.
            if !isRunning { Glibc.exit(0) }
            isRunning = false
        }
        say("echod: listening on \(service.address.description)", to: STDOUT_FILENO)
        while isRunning { loop.turn() }
        var hasClients = true
        let limit = loop.schedule(after: .seconds(5)) { hasClients = false }
        service.stop { hasClients = false }
        while hasClients { loop.turn() }
        loop.cancel(limit)
        signals.end()
    }

    private func makeService(on loop: EventLoop) throws -> EchoService {
        let host = bind.contains(":") && !bind.hasPrefix("[") ? "[\(bind)]" : bind
        let limits = EchoService.Limits(maxConnections: maxConnections, idleTimeout: idleTimeout?.duration)
        do {
            let address = try Address(parsing: bind.hasPrefix("unix:") ? bind : "\(host):\(port)")
            let service = EchoService(
                listener: try Listener(at: address, on: loop), mode: mode, limits: limits, on: loop)
            if verbose { service.log = { say("echod: " + $0(), to: STDERR_FILENO) } }
            return service
        } catch let error as ListenError {
            say("echod: \(error.message)", to: STDERR_FILENO)
            throw ExitCode(3)
        } catch let error as AddressError {
            throw ValidationError(error.message)
        }
    }

    /// Wrong usage is status 1, as in muxsh; the option library would say 64.
    static func main() {
        occupyStandardDescriptors()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if !text.isEmpty { say(text, to: code == .success ? STDOUT_FILENO : STDERR_FILENO) }
            Glibc.exit(code == .validationFailure ? 1 : code.rawValue)
        }
    }
}

extension EchoService.Mode: ExpressibleByArgument {}

/// A length of time as an option: `500ms`, `30s`, `2m`.
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

/// Writes a line at once, so that a program that waits for it sees it.
private func say(_ text: String, to descriptor: Int32) {
    let bytes = Array((text + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
}
