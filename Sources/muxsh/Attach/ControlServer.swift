import Engine
import Glibc
import Reactor
import Results
import Script
import Sessions
import Sockets
import VM
import Wire

/// Lets prompts of the same user attach to the run through a Unix socket, in the run's own loop.
///
/// Their entries run one after the other, and not while an entry of the run's own prompt runs. One that does not read
/// what it is sent is dropped, never waited for.
final class ControlServer {
    private let loop: EventLoop
    private let reader: ScriptReader
    private let passwords: Passwords
    private var listener: Listener?
    private(set) var guests: [Guest] = []
    private weak var world: World?

    /// The most prompts attached at a time.
    private static let mostGuests = 32

    init(on loop: EventLoop, _ reader: ScriptReader, _ passwords: Passwords) {
        self.loop = loop
        self.reader = reader
        self.passwords = passwords
    }

    /// Lets prompts attach at a path; nil ends that, and detaches all.
    func listen(at path: SystemString?) throws(Failure) {
        close("the run lets no prompts attach any more")
        guard let path else { return }
        do throws(AddressError) {
            _ = try Address(parsing: Array("unix:".utf8) + path.bytes)
        } catch {
            throw Failure(.connection, error.message)
        }
        if path.bytes.first == UInt8(ascii: "@") {
            throw Failure(
                .connection, "cannot listen on unix:\(path): a socket without a file has no mode that protects it")
        }
        // Only its owner may connect.
        let former = umask(0o177)
        defer { umask(former) }
        do throws(ListenError) {
            let listener = try Listener(at: .unix(path: path), on: loop)
            listener.onConnection { [unowned self] transport, _ in accept(transport) }
            self.listener = listener
        } catch {
            throw Failure(.connection, error.message)
        }
    }

    /// Detaches all prompts, and lets no more attach.
    func close(_ reason: String) {
        listener?.close()
        listener = nil
        for guest in guests { dismiss(guest, reason) }
    }

    /// Makes the prompts those of a script that begins.
    func attach(to world: World) {
        self.world = world
        world.guests = guests.map(\.seat)
        for guest in guests {
            guest.strand = nil
            guest.seat.talk = nil
            show(guest, in: world)
        }
    }

    private func accept(_ transport: any Transport) {
        guard let peer = transport.peerCredentials, peer.user == geteuid(), guests.count < Self.mostGuests else {
            return
        }
        let seat = Seat(title: "process \(peer.process)", since: loop.now)
        let guest = Guest(ControlChannel(transport, on: loop), seat)
        guest.channel.receive = { [unowned self, unowned guest] in receive($0, from: guest) }
        guest.channel.onEnd = { [unowned self, unowned guest] in leave(guest) }
        guests.append(guest)
        world?.guests.append(seat)
    }

    private func receive(_ message: ControlMessage, from guest: Guest) {
        switch message.kind {
        case .hello:
            guest.greet(message)
            guard guest.isPrompt, let world else { return }
            show(guest, in: world)
            world.transcript.hint("attached: \(guest.seat.title)")
        case .width: guest.resize(message.text(0))
        case .entry: guest.entries.append(message)
        case .interrupt:
            guest.entries = []
            if let strand = guest.strand { strand.scheduler.end(strand, .cancelled) }
        default: break
        }
    }

    /// Shows what happens at an attached prompt, too.
    private func show(_ guest: Guest, in world: World) {
        guard guest.isPrompt else { return }
        world.transcript.addGuest(
            ObjectIdentifier(guest), write: { [unowned guest] in guest.send(.show, $0) },
            hidesStatements: { [unowned guest, unowned world] in
                guest.isTyped && world.scheduler.running?.owner === guest.seat
            })
    }

    private func leave(_ guest: Guest) {
        guests.removeAll { $0 === guest }
        guard let world else { return }
        world.guests.removeAll { $0 === guest.seat }
        world.transcript.removeGuest(ObjectIdentifier(guest))
        if let strand = guest.strand { strand.scheduler.end(strand, .cancelled) }
        if guest.isPrompt { world.transcript.hint("detached: \(guest.seat.title)") }
    }

    /// Ends a connection with a reason, which the prompt shows.
    private func dismiss(_ guest: Guest, _ reason: String) {
        guest.channel.send(ControlMessage(.bye, reason))
        guest.channel.end()
        leave(guest)
    }

    // MARK: Output

    /// The prompt whose entry runs now, or nil.
    var current: Guest? {
        guard let owner = reporting ?? world?.scheduler.running?.owner else { return nil }
        return guests.first { $0.seat === owner }
    }
    /// Whose failure is being told.
    private var reporting: AnyObject?

    /// Sends output to all prompts, and to the one without a prompt whose command has made it.
    func share(_ text: [UInt8]) {
        guard !guests.isEmpty else { return }
        let current = current
        for guest in guests where guest.isPrompt || guest === current { guest.send(.show, text) }
    }

    // MARK: Entries

    /// Whether an entry of an attached prompt runs.
    var isBusy: Bool { guests.contains { $0.strand != nil } }

    /// Sends changes to the prompts and begins the next entry. Called before each wait of the loop.
    func refresh() {
        guard !guests.isEmpty, let world else { return }
        for guest in guests where guest.channel.isTooSlow {
            leave(guest)
            guest.channel.close()
            world.transcript.hint("\(guest.seat.title) did not read its output and was detached")
        }
        let isOccupied = world.settings.isAtPrompt && world.isRunning
        if !isBusy, !isOccupied, let guest = guests.first(where: { !$0.entries.isEmpty }) {
            // The next one has its turn first next time.
            guests.removeAll { $0 === guest }
            guests.append(guest)
            begin(guest.entries.removeFirst(), of: guest, in: world)
        }
        for guest in guests where guest.hasGreeted { guest.updateSoon(in: world) }
    }

    private func begin(_ entry: ControlMessage, of guest: Guest, in world: World) {
        let text = entry.text(0)
        var parser = reader.parser(for: SourceText(name: guest.isPrompt ? "<prompt>" : "-c"))
        let reading = LineReading(world, guest.seat, reader.registry.table)
        let password = entry.text(1) == "hidden" ? reading.password(in: text) : nil
        if let password {
            passwords.keep(password, in: world)
            parser.feed(reading.statement(ofPassword: password).losslessBytes)
        }
        let lines = password == nil ? text.split(separator: "\n", omittingEmptySubsequences: false) : []
        for line in lines {
            guard let statement = reading.statement(of: String(line), isInside: parser.isInsideStatement) else {
                continue
            }
            parser.feed(statement.losslessBytes)
        }
        parser.finish()
        let statements = parser.takeCompleted()
        // `quit` leaves only the prompt that it is typed at.
        if statements.contains(where: \.isQuit) { return dismiss(guest, "") }
        var checker = reader.checker(of: world)
        do throws(ScriptErrors) {
            let script = try reader.compile(statements, &checker, parseErrors: parser.errors)
            var shownData = ShownData()
            shownData.forget(for: statements, in: world)
            guest.isTyped = statements.count == 1 && lines.count <= 1
            world.start(script, for: guest.seat) { [weak self, unowned guest] strand in
                guest.strand = strand
                strand.onEnd = { [weak self, weak guest] in self?.ended($0, guest) }
            }
        } catch {
            tell(guest, in: world) { world.diagnostics.report(error.rendered) }
            finish(guest, Failure.Status.script.rawValue)
        }
    }

    private func ended(_ outcome: Scheduler.Outcome, _ guest: Guest?) {
        guard let guest, let world else { return }
        guest.strand = nil
        switch outcome {
        case .passed: finish(guest, 0)
        case .exited(let status): finish(guest, status ?? 0)
        case .cancelled:
            guest.send(.show, Array("# interrupted\n".utf8))
            finish(guest, Failure.Status.interrupted.rawValue)
        case .failed(let failure):
            tell(guest, in: world) { world.report(failure) }
            finish(guest, failure.status.rawValue)
        }
    }

    private func tell(_ guest: Guest, in world: World, _ report: () -> Void) {
        reporting = guest.seat
        defer { reporting = nil }
        report()
    }

    private func finish(_ guest: Guest, _ status: Int32) {
        if let world { guest.updateState(in: world) }
        guest.channel.send(ControlMessage(.done, String(status)))
    }
}

extension Statement {
    fileprivate var isQuit: Bool {
        if case .command(let call) = self { call.description.name == "quit" } else { false }
    }
}
