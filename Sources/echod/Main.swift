import Glibc
import Options
import Reactor
import Sockets

/// The echo server: returns what each client sends, upper-cased.
@main
struct Echod {
    private var bind: SystemString = "127.0.0.1"
    private var port: Int?
    private var mode = EchoService.Mode.upper
    private var limits: EchoService.Limits = (nil, nil)
    private var isVerbose = false

    private static var options: OptionTable<Echod> {
        OptionTable(
            program: "echod", purpose: "Return what each client sends, upper-cased, in one select loop.",
            options: [
                .init(
                    nil, "bind", .required("ADDRESS"), "Listen on ADDRESS: an IP address, [::1] or unix:PATH.",
                    details: "The default is 127.0.0.1. The file of a Unix socket is removed at the end."
                ) {
                    $0.bind = $1 ?? $0.bind
                },
                .number("port", 0...65535, \.port, "Listen on port N (8080); 0 is any free one."),
                .choice("mode", "MODE", \.mode, "What to answer: upper, echo (unchanged) or discard (nothing)."),
                .number(
                    "max-connections", 1...1_000_000, \.limits.connections,
                    "Serve at most N clients at a time; others wait.",
                    details: "They wait in the kernel's queue. When echod is terminated, these are answered too."),
                .init(nil, "idle-timeout", .required("D"), "Disconnect a client that is silent for D, such as 30s.") {
                    echod, text throws(UsageError) in
                    echod.limits.idleTime = try idleTime(text?.description ?? "")
                },
                .flag(
                    "v", nil, \.isVerbose, "Log each client to standard error.",
                    details: "If the log is not read, lines are dropped and counted; clients are not slowed down."),
            ])
    }

    private static func idleTime(_ text: String) throws(UsageError) -> Duration {
        for (unit, length) in [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)] where text.hasSuffix(unit) {
            guard let count = Int(text.dropLast(unit.count)), (1...1_000_000).contains(count) else { continue }
            return .milliseconds(count * length)
        }
        throw UsageError("--idle-timeout", "'\(text)' is not a duration", hint: "write 500ms, 30s or 2m")
    }

    static func main() {
        occupyStandardDescriptors()
        // A write to a closed pipe fails with an error, which the status reports.
        signal(SIGPIPE, SIG_IGN)
        raiseDescriptorLimit()
        let loop = EventLoop()
        let output = LineOutput("echod", on: loop)
        var echod = Echod()
        do {
            let request = try options.parse(programArguments(), into: &echod)
            if case .text(let text) = request { output.write(text) } else { try echod.serve(output, on: loop) }
        } catch {
            let usage = error as? UsageError ?? (error as? AddressError).map { UsageError("--bind", $0.message) }
            output.log(usage.map(options.message) ?? "echod: \(error)")
            exit(usage == nil ? 3 : 1)
        }
        exit(output.finish() ? 0 : 3)
    }

    /// Serves until a signal or an error of standard output.
    private func serve(_ output: LineOutput, on loop: EventLoop) throws {
        let isPath = bind.bytes.starts(with: "unix:".utf8)
        let host = String(bind.description.drop { $0 == "[" }.prefix { $0 != "]" })
        let address = try isPath ? Address(parsing: bind.bytes) : .tcp(host: host, service: "\(port ?? 8080)")
        let listener = try Listener(at: address, on: loop)
        listener.onExhaustion = { output.log("echod: out of file descriptors; new clients wait") }
        let service = EchoService(listener: listener, mode: mode, limits: limits, on: loop)
        if isVerbose { service.log = { output.log("echod: " + $0()) } }
        var isRunning = true
        let signals = try Signals([SIGTERM, SIGINT], on: loop) { _ in
            // On a second signal, do not wait for clients that never read their answers.
            if !isRunning { exit(0) }
            isRunning = false
        }
        output.write("echod: listening on \(service.address.description.inOneLine)\n")
        while isRunning, !output.isBroken { loop.turn() }
        var hasClients = true
        let limit = loop.schedule(after: .seconds(10)) { hasClients = false }
        service.stop { hasClients = false }
        while hasClients { loop.turn() }
        loop.cancel(limit)
        signals.end()
    }
}
