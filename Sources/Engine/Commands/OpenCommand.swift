import Reactor
import Script
import Wire

/// `open`: connects to a server and gives the session a name.
struct OpenCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "open", summary: "connect to a server",
            forms: [
                Form(.parameter(Parameter("NAME", .newSession)), .parameter(.address)), Form(.parameter(.address)),
            ],
            options: [
                CommandOption("--retry", .duration, "keep trying for D while the server is starting"),
                CommandOption("--timeout", .duration, "give up after D (default: the timeout setting)"),
                CommandOption("--eol", .lineEnding, "what ends a line that is sent: lf, crlf, cr, nul or none"),
                CommandOption("--frame", .framing, "what a line is: line, raw, u8, u16, u32, u16le or u32le"),
                CommandOption(
                    "--bind", Parameter("ADDRESS", .checked(addressProblem)),
                    "the address and port of our side; port 0 is any"),
            ],
            text: """
                ADDRESS is host:port, :port (localhost), [::1]:port, unix:/path or unix:@abstract; a port is a number or \
                a service's name. Without NAME the session is called s1, s2 and so on. A name that is still open is an \
                error; one whose peer has ended is free again. With --frame raw whatever one read returns is a line; \
                with u8 to u32le the length of a line, in so many bits, stands before it.
                """,
            examples: [
                "open a localhost:8080", "open redis localhost:6379 --eol crlf --retry 10s",
                "open db unix:/run/db.sock",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            OpenInstruction(
                name: call.word("NAME").map { Value(name: $0) }, address: Value(address: try call.required("ADDRESS")),
                retry: call.value(ofOption: "--retry").map { Value(duration: $0) },
                retryWord: call.value(ofOption: "--retry"),
                timeout: call.value(ofOption: "--timeout").map { Value(duration: $0) },
                lineEnding: call.value(ofOption: "--eol").map { Value(lineEnding: $0) },
                framing: call.value(ofOption: "--frame").map { Value(framing: $0) },
                bind: call.value(ofOption: "--bind").map { Value(address: $0) },
                range: call.range))
    }
}

/// What is wrong with an address, or nil. Our side's may leave out the port.
func addressProblem(_ text: String) -> String? {
    do throws(AddressError) {
        _ = try Address(parsing: text)
        return nil
    } catch {
        return error.message
    }
}

extension Parameter {
    static var address: Parameter { Parameter("ADDRESS", .checked(addressProblem)) }
}

extension Value where Result == Address {
    convenience init(address word: Word) {
        self.init(word, .checked(addressProblem)) { try? Address(parsing: String(decoding: $0, as: UTF8.self)) }
    }
}

extension Value where Result == LineEnding {
    convenience init(lineEnding word: Word) {
        self.init(word, Parameter.lineEnding.kind) { LineEnding(rawValue: String(decoding: $0, as: UTF8.self)) }
    }
}

private struct OpenInstruction: Instruction {
    let name: Value<String>?
    let address: Value<Address>
    let retry: Value<Duration>?
    let retryWord: Word?
    let timeout: Value<Duration>?
    let lineEnding: Value<LineEnding>?
    let framing: Value<Framing>?
    let bind: Value<Address>?
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let sessions = interpreter.sessions
        let name = try name?.evaluate(in: strand) ?? sessions.nextNumberedName()
        guard sessions.isFree(name) else {
            throw Failure(.connection, "'\(name)' is still open; close it first: close \(name)")
        }
        let retry = try self.retry?.evaluate(in: strand)
        let timeout = try self.timeout?.evaluate(in: strand)
        let limit = retry ?? timeout ?? interpreter.settings.timeout
        return .wait(
            OpenWait(
                name: name, address: try address.evaluate(in: strand), retries: retry != nil,
                limit: interpreter.settings.scaled(limit), bind: try bind?.evaluate(in: strand),
                lineEnding: try lineEnding?.evaluate(in: strand), framing: try framing?.evaluate(in: strand),
                retry: try retryWord.map { word throws(Failure) in try strand.text(word.template) }, interpreter))
    }
}

/// Resolves and connects, again and again if it may, until there is a session.
private final class OpenWait: Wait {
    var limit: Duration?
    var wanted: String { "a connection to \(address.description)" }

    private let name: String
    private let address: Address
    private let retries: Bool
    private let bind: Address?
    private let lineEnding: LineEnding?
    private let framing: Framing?
    /// The time of --retry as it was written.
    private let retry: String?
    private unowned let interpreter: Interpreter
    private unowned var strand: Strand?
    private var began: Instant
    private var attempts = 0
    private var resolver: Resolver?
    private var connector: Connector?
    private var pause: Timer?
    private var lastProblem: String?
    private var isDone = false

    /// Between two attempts.
    private static let retryPause = Duration.milliseconds(100)

    init(
        name: String, address: Address, retries: Bool, limit: Duration, bind: Address?, lineEnding: LineEnding?,
        framing: Framing?, retry: String?, _ interpreter: Interpreter
    ) {
        self.retry = retry
        self.name = name
        self.address = address
        self.retries = retries
        self.limit = limit
        self.bind = bind
        self.lineEnding = lineEnding
        self.framing = framing
        self.interpreter = interpreter
        began = interpreter.loop.readClock()
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if self.strand == nil {
            self.strand = strand
            interpreter.transcript.statement(statement)
            attempt()
        }
        if isDone { return true }
        let isIdle = resolver == nil && connector == nil && pause == nil
        guard isLate || isIdle else { return false }
        cancel()
        throw failure(isLate: isLate)
    }

    func cancel() {
        resolver?.cancel()
        connector?.cancel()
        if let pause { interpreter.loop.cancel(pause) }
    }

    private func attempt() {
        attempts += 1
        began = interpreter.loop.readClock()
        resolver = Resolver.resolve(address, on: interpreter.loop) { [unowned self] answer in
            resolver = nil
            switch answer {
            case .success(let addresses): connect(to: addresses)
            case .failure(let error): failed(error.message)
            }
        }
    }

    private func connect(to addresses: [SocketAddress]) {
        var local: SocketAddress?
        if let bind {
            _ = Resolver.resolve(bind, on: interpreter.loop) { answer in local = (try? answer.get())?.first }
        }
        let connector = Connector(addresses: addresses, localAddress: local, on: interpreter.loop) {
            [unowned self] result in
            self.connector = nil
            switch result {
            case .success(let connection): connected(connection)
            case .failure(let failure): failed(failure.message(for: address.description))
            }
        }
        self.connector = connector
        connector.start()
    }

    private func connected(_ connection: Connection) {
        let took = shown(interpreter.loop.readClock() - began)
        let conversation = interpreter.adopt(
            connection.transport, name: name, address: address.description, peer: connection.address.description,
            lineEnding: lineEnding, framing: framing)
        if let strand { interpreter.opened(name, conversation, by: strand) }
        interpreter.transcript.note("\(name): connected to \(connection.address.description) in \(took)")
        isDone = true
        wake()
    }

    private func failed(_ problem: String) {
        lastProblem = problem
        if retries {
            pause = interpreter.loop.schedule(after: Self.retryPause) { [unowned self] in
                pause = nil
                attempt()
            }
        } else {
            wake()
        }
    }

    private func wake() {
        if let strand { interpreter.wake(strand) }
    }

    private func failure(isLate: Bool) -> Failure {
        let what = "\(name): cannot connect to \(address.description)"
        guard isLate else { return Failure(.connection, "\(what): \(lastProblem ?? "no address")") }
        let time = shown(limit ?? .zero)
        guard retries else { return Failure(.connection, "\(what): timed out after \(time)") }
        return Failure(
            .connection, "\(what) within \(time) (\(attempts) attempts)",
            details: ["last: \(lastProblem ?? "no answer")"])
    }

    private var statement: String {
        var words = ["open", name, quotedWord(address.description)]
        words += optionWords(lineEnding ?? interpreter.settings.lineEnding, framing ?? interpreter.settings.framing)
        if retries, let retry { words += ["--retry", retry] }
        if let bind { words += ["--bind", quotedWord(bind.description)] }
        return words.joined(separator: " ")
    }
}
