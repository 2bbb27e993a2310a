import Reactor
import Results
import Sessions
import VM
import Wire

/// A listener of a script: each incoming connection is a session NAME.1, NAME.2, … until `accept` renames it.
package final class Reception: Service, Resource {
    package let name: String
    package let kind = "listener"
    private let listener: any Acceptor
    /// The context for the TLS handshake of each connection, or nil without TLS.
    private let context: TLSContext?
    private let handshakes: AcceptedHandshakes?
    /// Whether each connection begins with a PROXY header.
    private let readsProxyHeader: Bool
    /// The headers that are being read, each with its time limit.
    private var headers: [ObjectIdentifier: (reader: ProxyHeaderReader, timer: Timer)] = [:]
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
        name: String, listener: any Acceptor, context: TLSContext?, lineEnding: LineEnding?, framing: Framing?,
        readsProxyHeader: Bool = false, _ world: World
    ) {
        self.context = context
        handshakes = context.map { AcceptedHandshakes($0, world) }
        self.readsProxyHeader = readsProxyHeader
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
        listener.accept = { [unowned self] transport, peer in
            isExhausted = false
            if readsProxyHeader, let socket = transport as? SocketTransport {
                readHeader(of: socket, from: peer)
            } else {
                secure(transport, from: peer, source: nil)
            }
        }
    }

    package var location: String {
        (context != nil ? "tls://" : listener is DatagramListener ? "udp://" : "") + listener.address.description
    }

    package var isOpen: Bool { world.sessions.service(named: name) === self }

    package func close() { world.close(self, named: name) }

    package func stop() {
        listener.close()
        handshakes?.cancel()
        for (reader, timer) in headers.values {
            reader.cancel()
            world.loop.cancel(timer)
        }
        headers = [:]
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

    private func readHeader(of socket: SocketTransport, from peer: String) {
        let id = ObjectIdentifier(socket)
        let reader = ProxyHeaderReader(socket, on: world.loop) { [unowned self] result in
            if let timer = headers.removeValue(forKey: id)?.timer { world.loop.cancel(timer) }
            switch result {
            case .success(let source): secure(socket, from: peer, source: source)
            case .failure(let error): world.transcript.note("\(name): connection from \(peer): \(error.message)")
            }
        }
        let limit = world.settings.scaled(world.settings.timeout)
        let timer = world.loop.schedule(after: limit) { [unowned self] in
            headers.removeValue(forKey: id)?.reader.cancel()
            world.transcript.note("\(name): connection from \(peer): no PROXY header for \(shown(limit))")
        }
        headers[id] = (reader, timer)
        reader.start()
    }

    /// Performs the TLS handshake, if the listener has TLS. `source` is the address that a proxy has reported.
    private func secure(_ transport: any Transport, from peer: String, source: String?) {
        guard let handshakes, let socket = transport as? SocketTransport else {
            return welcome(transport, from: peer, source: source)
        }
        handshakes.perform(over: socket) { [unowned self] result in
            switch result {
            case .success(let transport): welcome(transport, from: peer, source: source)
            case .failure(let error): refused(peer, error)
            }
        }
    }

    private func refused(_ peer: String, _ error: TLSError) {
        let message = "TLS handshake with \(peer) failed: \(error.message)"
        lastProblem = message
        world.transcript.note("\(name): \(message)")
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
        if let details = transport.details, details.certificate != nil || context?.options.authorities != nil {
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
        framing: Framing?, child: ChildProcess? = nil, listener: String? = nil
    ) -> Session {
        let channel = Channel(transport: transport, peer: peer, inboxLimit: settings.inboxLimit, on: loop)
        if settings.isAtPrompt {
            channel.overflow = .dropOldest
            channel.readSize = Self.readSizeAtPrompt
        }
        if isHolding { channel.hold(true, for: .output) }
        let isDatagram = transport.kind == .udp
        channel.setFraming(settings.framing(framing, isDatagram: isDatagram))
        channel.cutIsEnd = settings.cutIsEnd
        let session = Session(
            name: name, address: address, channel: channel, child: child,
            lineEnding: lineEnding ?? settings.lineEnding(isDatagram: isDatagram),
            listener: listener, color: sessions.nextColor, transcript: transcript, observer: self, on: loop)
        sessions.add(session)
        triggers.update(session)
        return session
    }
}
