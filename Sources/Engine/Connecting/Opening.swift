import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// Resolves, connects and performs the TLS handshake, with retries if requested, until a session is open.
package final class Opening: Wait {
    package var limit: Duration?
    package var wanted: String { "a connection to \(request.address.description)" }

    private let request: OpeningRequest
    private unowned let world: World
    private unowned var strand: Strand?
    private let context: TLSContext?
    /// The ticket of the session to resume, or nil.
    private let ticket: TLSTicket?
    private var began: Instant
    private var attempts = 0
    private var dialer: Dialer?
    private var pause: Timer?
    private var attemptTimer: Timer?
    private var lastProblem: HandshakeError?
    /// Whether retrying cannot solve the problem.
    private var isPermanent = false
    private var isDone = false
    private var isAwaitingTicket = false
    private var hasName = false

    /// The pause after the first attempt; it doubles with each attempt up to the longest.
    private static let firstPause = Duration.milliseconds(5)
    private static let longestPause = Duration.milliseconds(100)

    /// - Throws: if a file of the TLS options cannot be used.
    package init(_ request: OpeningRequest, _ world: World) throws(Failure) {
        self.request = request
        self.world = world
        limit = request.limit
        began = world.loop.readClock()
        context = request.address.isTLS ? try request.tls.context(.client, for: request.name) : nil
        ticket = try request.resumed.map { name throws(Failure) in
            guard let ticket = world.tickets[name] else {
                throw Failure(.connection, "\(request.name): '\(name)' has no TLS session to resume")
            }
            return ticket
        }
    }

    package func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if self.strand == nil {
            self.strand = strand
            world.transcript.statement(statement)
            world.sessions.reserve(request.name)
            hasName = true
            try awaitTicket()
        }
        if isLate { _ = dialer?.settle() }
        if isDone { return true }
        if isLate, isAwaitingTicket { throw noTicket }
        let isIdle = !isAwaitingTicket && dialer == nil && pause == nil
        guard isLate || isIdle else { return false }
        let failure = failure(isLate: isLate)
        cancel()
        throw failure
    }

    /// Begins, or waits for the ticket of the session to resume: over TLS 1.3 it comes after the handshake.
    private func awaitTicket() throws(Failure) {
        guard let ticket, !ticket.isThere, let name = request.resumed else { return attempt() }
        guard world.sessions[name]?.channel.input == .open else {
            cancel()
            throw noTicket
        }
        isAwaitingTicket = true
        ticket.waiters[ObjectIdentifier(self)] = { [unowned self] in
            isAwaitingTicket = false
            attempt()
        }
    }

    private var noTicket: Failure {
        Failure(
            .connection,
            "\(request.name): the server has given '\(request.resumed ?? "")' no ticket to resume its session")
    }

    package func cancel() {
        ticket?.waiters[ObjectIdentifier(self)] = nil
        releaseName()
        cancelAttempt()
        if let pause { world.loop.cancel(pause) }
    }

    private func cancelAttempt() {
        dialer?.cancel()
        if let attemptTimer { world.loop.cancel(attemptTimer) }
    }

    private func releaseName() {
        if hasName { world.sessions.unreserve(request.name) }
        hasName = false
    }

    private func attempt() {
        attempts += 1
        began = world.loop.readClock()
        if request.retry != nil, request.attemptLimit < request.limit {
            attemptTimer = world.loop.schedule(after: request.attemptLimit) { [unowned self] in attemptIsLate() }
        }
        if case .serial(let path) = request.address { return openSerial(path) }
        var route = Dialer.Route(to: request.address, context: context)
        (route.bind, route.proxies, route.proxyHeader) = (request.bind, request.proxies, request.proxyHeader)
        route.ticket = ticket
        (route.webSocket, route.messageLimit) = (request.webSocket, world.settings.inboxLimit)
        let dialer = Dialer(route, on: world.loop) { [unowned self] result in
            self.dialer = nil
            switch result {
            case .success(let connection):
                opened(over: connection.transport, to: connection.address.description, connection.ticket)
            case .failure(let error): failed(error)
            }
        }
        self.dialer = dialer
        dialer.start()
    }

    private func openSerial(_ path: SystemString) {
        do throws(HandshakeError) {
            opened(over: try SerialTransport(at: path, request.serial), to: request.address.description)
        } catch {
            failed(error)
        }
    }

    /// Ends an attempt that takes too long: a server that hangs on one connection may accept the next.
    private func attemptIsLate() {
        if dialer?.settle() == true { return }
        let place = currentPhase
        cancelAttempt()
        dialer = nil
        failed(HandshakeError(message: "no answer within \(shown(request.attemptLimit))\(place)"))
    }

    private var currentPhase: String { dialer?.phase ?? "" }

    private func opened(over transport: any Transport, to peer: String, _ ticket: TLSTicket? = nil) {
        let took = shown(world.loop.readClock() - began)
        let name = request.name
        releaseName()
        if world.settings.isAtPrompt { world.openings[name] = request }
        let session = world.adopt(
            transport, name: name, address: request.address.description, peer: peer,
            lineEnding: request.lineEnding, framing: request.framing)
        if let strand { strand.holdings?.open(session) }
        let way =
            request.proxies.isEmpty ? "" : " through \(request.proxies.map(\.description).joined(separator: ", "))"
        let end = request.proxies.isEmpty ? peer : request.address.description
        world.transcript.note("\(name): connected to \(end)\(way) in \(took)")
        if let ticket { world.tickets[name] = ticket }
        if let details = transport.details {
            world.transcript.note("\(name): \(details.summary(isInsecure: request.tls.isInsecure))")
        }
        isDone = true
        if let attemptTimer { world.loop.cancel(attemptTimer) }
        wake()
    }

    private func failed(_ problem: HandshakeError) {
        if let attemptTimer { world.loop.cancel(attemptTimer) }
        lastProblem = problem
        // A program that has failed is probably the server.
        isPermanent = problem.isRefusal || world.hasFailedProgram
        guard request.retry != nil, !isPermanent else { return wake() }
        let length = min(Self.longestPause, Self.firstPause * (1 << min(attempts - 1, 10)))
        pause = world.loop.schedule(after: length) { [unowned self] in
            pause = nil
            attempt()
        }
    }

    private func wake() {
        if let strand { strand.wake() }
    }

    private func failure(isLate: Bool) -> Failure {
        let what = "\(request.name): cannot connect to \(request.address.description)"
        let hint = lastProblem?.hints ?? []
        guard isLate else {
            return Failure(.connection, "\(what): \(lastProblem?.message ?? "no address")", details: hint)
        }
        let place = currentPhase
        let time = shown(limit ?? .zero)
        guard request.retry != nil else {
            return Failure(.connection, "\(what): timed out after \(time)\(place)", details: hint)
        }
        return Failure(
            .connection, "\(what) within \(time) (\(counted(attempts, "attempt")))",
            details: ["last: \(lastProblem?.message ?? "no answer")\(place)"] + hint)
    }

    private var statement: String {
        var arguments = ["open", request.name, quotedArgument(request.address.description)]
        arguments += world.settings.options(
            request.lineEnding, request.framing, of: request.address.kind)
        arguments += request.tls.arguments + request.webSocket.arguments
        for proxy in request.proxies { arguments += ["--via", quotedArgument(proxy.written)] }
        if let version = request.proxyHeader { arguments += ["--proxy-protocol", version.rawValue] }
        if request.serial != SerialSettings() { arguments += request.serial.arguments }
        if let resumed = request.resumed { arguments += ["--resume", resumed] }
        if let retry = request.retry { arguments += ["--retry", retry] }
        if let bind = request.bind { arguments += ["--bind", quotedArgument(bind.description)] }
        return arguments.joined(separator: " ")
    }
}

extension WebSocketSettings {
    /// The settings as options of `open` and `listen`.
    package var arguments: [String] {
        protocols.flatMap { ["--protocol", quotedArgument($0)] }
            + fields.flatMap { ["--header", quotedArgument("\($0.name): \($0.value)")] }
    }
}

extension SerialSettings {
    /// The settings as options of `open`.
    fileprivate var arguments: [String] {
        [
            "--baud", String(speed), "--parity", parity.rawValue, "--data-bits", String(dataBits), "--stop-bits",
            String(stopBits), "--flow", flow.rawValue,
        ]
    }
}
