import Reactor
import Results
import Sessions
import Sockets
import VM
import Wire

/// A listener of a script: each incoming connection is a session NAME.1, NAME.2, … until `accept` renames it.
package final class Reception: Service, Resource {
    package let name: String
    package let kind = "listener"
    private let listener: any Acceptor
    /// What is spoken, for its location; nil for the plain protocol of the listener.
    private let scheme: Address.Scheme?
    /// The path of a WebSocket, or empty.
    private let path: String
    /// What precedes the data of each connection.
    private let steps: [HandshakeList.Step]
    private let handshakes: AcceptedHandshakes
    /// Whether clients need a certificate.
    private let asksForCertificate: Bool
    /// Why the last handshake failed.
    package private(set) var lastProblem: String?
    private let lineEnding: LineEnding?
    private let framing: Framing?
    private var accepted = 0
    /// Connections not yet taken by `accept`, oldest first.
    private var backlog: [Session] = []
    private var waiting: [Strand] = []
    /// The backlog size at which ended sessions are removed from it: a long-running server keeps none.
    private var sweepAt = 64
    /// The timer for the next check for silent peers.
    private var idleTimer: Timer?
    private var isExhausted = false
    private unowned let world: World

    package init(
        name: String, listener: any Acceptor, scheme: Address.Scheme?, path: String, steps: [HandshakeList.Step],
        asksForCertificate: Bool, lineEnding: LineEnding?, framing: Framing?, _ world: World
    ) {
        self.scheme = scheme
        self.path = path
        self.steps = steps
        self.asksForCertificate = asksForCertificate
        handshakes = AcceptedHandshakes(world)
        self.name = name
        self.listener = listener
        self.lineEnding = lineEnding
        self.framing = framing
        self.world = world
        listener.onExhaustion = { [unowned self] in
            // Noted once until the next client connects.
            if !isExhausted { world.transcript.note("\(name): out of file descriptors; new connections wait") }
            isExhausted = true
        }
        listener.onConnection { [unowned self] transport, peer in
            isExhausted = false
            handshakes.perform(steps, over: transport, from: peer) { [unowned self] outcome, problem in
                guard let outcome else {
                    lastProblem = problem
                    return world.transcript.note("\(name): \(problem)")
                }
                welcome(outcome.transport, from: peer, source: outcome.source)
            }
        }
    }

    package var location: String {
        (scheme.map { $0 == .tcp ? "" : $0.rawValue + "://" } ?? "") + listener.address.description + path
    }

    package var isOpen: Bool { world.sessions.service(named: name) === self }

    package func close() { world.close(self, named: name) }

    package func stop() {
        listener.close()
        handshakes.cancel()
        if let idleTimer { world.loop.cancel(idleTimer) }
        for strand in waiting { strand.wake() }
    }

    /// Returns the oldest connection not taken yet. If there is none, returns nil and wakes `strand` when one arrives.
    package func take(for strand: Strand) -> Session? {
        sweep()
        guard backlog.isEmpty else {
            forget(strand)
            return backlog.removeFirst()
        }
        if !waiting.contains(where: { $0 === strand }) { waiting.append(strand) }
        return nil
    }

    package func forget(_ strand: Strand) {
        waiting.removeAll { $0 === strand }
        // A strand that was woken but no longer waits leaves its connection to the next.
        for strand in waiting.prefix(backlog.count) { strand.wake() }
    }

    private func sweep() {
        backlog.removeAll { world.sessions[$0.name] !== $0 }
        sweepAt = max(64, 2 * backlog.count)
    }

    /// Schedules the removal of silent peers. Nothing signals the end of a datagram peer, so a peer that has been
    /// silent for long, was not accepted and is not waited for is forgotten, and its socket is closed.
    private func watchIdleness() {
        guard idleTimer == nil, let oldest = backlog.map(\.idleSince).min() else { return }
        // Many peers are checked together, not one at a time.
        let limit = world.settings.idle
        let due = max(oldest + limit, world.loop.now + max(limit / 8, .milliseconds(100)))
        idleTimer = world.loop.schedule(at: due) { [unowned self] in
            idleTimer = nil
            forgetIdle(limit)
            watchIdleness()
        }
    }

    private func forgetIdle(_ limit: Duration) {
        sweep()
        let now = world.loop.now
        let idle = backlog.filter { $0.idleSince + limit <= now && $0.feed.waiters.reader == nil && !$0.isAnswering }
        for session in idle {
            let unread = session.unreadCount
            let message = unread == 0 ? "" : "; \(shown(bytes: unread)) of unread data dropped"
            world.transcript.note("\(session.name): silent for \(shown(limit)), session removed\(message)")
            world.sessions.remove(session.name)
        }
        sweep()
    }

    private func welcome(_ transport: any Transport, from peer: String, source: String?) {
        repeat { accepted += 1 } while world.sessions["\(name).\(accepted)"] != nil
        let session = world.adopt(
            transport, name: "\(name).\(accepted)", address: peer, peer: peer, lineEnding: lineEnding, framing: framing,
            listener: name)
        session.source = source
        backlog.append(session)
        if backlog.count >= sweepAt { sweep() }
        if listener is DatagramListener { watchIdleness() }
        world.transcript.note("\(session.name): connected from \(peer)" + (source.map { " for \($0)" } ?? ""))
        // If clients need no certificate, there is nothing to note.
        if let details = transport.details, details.certificate != nil || asksForCertificate {
            world.transcript.note("\(session.name): \(details.summary(isInsecure: false))")
        }
        world.triggers.accepted(session)
        // One strand per connection: several may arrive in one turn.
        for strand in waiting.prefix(backlog.count) { strand.wake() }
    }
}

extension World {
    /// The most bytes shown in a turn before the keyboard is checked again.
    private static let readSizeAtPrompt = 16 * 1024

    /// Makes a connection a session named `name`; matching triggers apply to it from now on.
    package func adopt(
        _ transport: any Transport, name: String, address: String, peer: String, lineEnding: LineEnding?,
        framing: Framing?, child: ChildProcess? = nil, screen: ProgramScreen? = nil, listener: String? = nil
    ) -> Session {
        let channel = Channel(transport: transport, peer: peer, inboxLimit: settings.inboxLimit, on: loop)
        if settings.isAtPrompt {
            channel.overflow = .dropOldest
            channel.readSize = Self.readSizeAtPrompt
        }
        if isHolding { channel.hold(true, for: .output) }
        channel.setFraming(settings.framing(framing, over: transport.kind.medium))
        channel.cutIsEnd = settings.cutIsEnd
        let session = Session(
            name: name, address: address, channel: channel, child: child,
            lineEnding: lineEnding, ownEnding: settings.lineEnding(of: transport.kind), screen: screen,
            listener: listener, color: sessions.nextColor, transcript: transcript, observer: self, on: loop)
        sessions.add(session)
        triggers.update(session)
        return session
    }
}
