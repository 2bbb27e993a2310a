import Reactor
import Script
import Wire

/// A listener of a script: each connection that comes is a session NAME.1, NAME.2, … until `accept` names it.
final class Reception: Service {
    let name: String
    let kind = "listener"
    private let listener: Listener
    private let lineEnding: LineEnding?
    private let framing: Framing?
    private var accepted = 0
    /// Connections that `accept` has not given out, oldest first.
    private var untaken: [Conversation] = []
    private var waiting: [Strand] = []
    /// How many there may be before those that have ended are forgotten: so that a server that runs for long keeps none.
    private var sweepAt = 64
    private unowned let interpreter: Interpreter

    init(
        name: String, listener: Listener, lineEnding: LineEnding?, framing: Framing?, _ interpreter: Interpreter
    ) {
        self.name = name
        self.listener = listener
        self.lineEnding = lineEnding
        self.framing = framing
        self.interpreter = interpreter
        listener.accept = { [unowned self] transport, peer in welcome(transport, from: peer) }
    }

    var address: SocketAddress { listener.address }

    func close() {
        listener.close()
        for strand in waiting { interpreter.wake(strand) }
    }

    /// The oldest connection that nobody has taken; or nil, and `strand` is woken when one comes.
    func take(for strand: Strand) -> Conversation? {
        sweep()
        guard untaken.isEmpty else {
            forget(strand)
            return untaken.removeFirst()
        }
        if !waiting.contains(where: { $0 === strand }) { waiting.append(strand) }
        return nil
    }

    func forget(_ strand: Strand) {
        waiting.removeAll { $0 === strand }
        // One that was woken and went away leaves its connection to the next.
        for strand in waiting.prefix(untaken.count) { interpreter.wake(strand) }
    }

    private func sweep() {
        untaken.removeAll { interpreter.sessions[$0.name] !== $0 }
        sweepAt = max(64, 2 * untaken.count)
    }

    private func welcome(_ transport: any Transport, from peer: String) {
        repeat { accepted += 1 } while interpreter.sessions["\(name).\(accepted)"] != nil
        let conversation = interpreter.adopt(
            transport, name: "\(name).\(accepted)", address: peer, peer: peer, lineEnding: lineEnding, framing: framing,
            listener: name)
        untaken.append(conversation)
        if untaken.count >= sweepAt { sweep() }
        interpreter.transcript.note("\(conversation.name): connected from \(peer)")
        // As many as there are connections: several may come in one turn.
        for strand in waiting.prefix(untaken.count) { interpreter.wake(strand) }
    }
}

extension Interpreter {
    /// Makes a session of a connection and gives it a name; triggers that mean it look at it from now on.
    func adopt(
        _ transport: any Transport, name: String, address: String, peer: String, lineEnding: LineEnding?,
        framing: Framing?, listener: String? = nil
    ) -> Conversation {
        let session = Session(transport: transport, peer: peer, inboxLimit: settings.inboxLimit, on: loop)
        if settings.dropsOldest { session.overflow = .dropOldest }
        if isHolding { session.hold(true, for: .output) }
        session.setFraming(framing ?? settings.framing)
        let conversation = Conversation(
            name: name, address: address, session: session, lineEnding: lineEnding ?? settings.lineEnding,
            listener: listener, color: sessions.nextColor, transcript: transcript, observer: self, on: loop)
        sessions.add(conversation)
        triggers.update(conversation)
        return conversation
    }
}
