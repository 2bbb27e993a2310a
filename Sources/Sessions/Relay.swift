import Results

/// Passes on what one session says to another, as it comes: one direction of a bridge.
package final class Relay {
    package let source: Feed
    private let session: Session
    private let sink: Session
    private let transcript: Transcript
    package private(set) var isOver = false

    /// More than this waiting for the sink holds up the source.
    private static let highWater = 256 * 1024

    package init(from source: Feed, to sink: Session, _ transcript: Transcript) {
        self.source = source
        session = source.session
        self.sink = sink
        self.transcript = transcript
    }

    /// Whether something waits to be passed on.
    private var hasNews: Bool { !source.inbox.isEmpty }

    /// Passes on what is there; throws when it does not fit the other side's frames.
    package func advance() throws(Failure) {
        guard !isOver else { return }
        if sink.channel.output == .open { try passOn() }
        guard sink.channel.output == .open else { return abandon() }
        session.channel.hold(sink.channel.bytesWaiting > Self.highWater, for: .bridge)
        if source.hasEnded, !hasNews || needsMessages { try relayEnd() }
    }

    /// Ends before its time: the source is read again.
    package func stop() {
        showPart()
        session.channel.hold(false, for: .bridge)
    }

    private func showPart() {
        sink.voice.showHeldBack()
    }

    /// Whether one side has frames: then lines are passed on, and not bytes.
    private var needsMessages: Bool {
        source.framing.prefixLength != nil || sink.framing.prefixLength != nil
            || !source.framing.isDatagram && sink.framing.isDatagram
    }

    private func passOn() throws(Failure) {
        let inbox = source.inbox
        if needsMessages {
            while let end = inbox.nextLineEnd() {
                let line = inbox.bytes(in: inbox.front..<end.text)
                let isReturn = source.framing == .line && line.last == UInt8(ascii: "\r")
                try sink.send(line: Array(line.dropLast(isReturn ? 1 : 0)), at: nil)
                source.consume(Match(start: inbox.front, end: end.next, takesMessage: true))
            }
            guard source.isFull, inbox.nextLineEnd() == nil else { return }
            throw Failure(
                .connection, "\(session.name): a line does not fit into the inbox (\(shown(bytes: inbox.limit)))",
                details: ["raise the limit: set inbox SIZE"])
        } else if source.framing.isDatagram {
            while let end = inbox.messageEnds?.first {
                let datagram = inbox.bytes(in: inbox.front..<end)
                sink.voice.sent(datagram)
                sink.relay(datagram)
                source.consume(Match(start: inbox.front, end: end, takesMessage: true))
            }
        } else if !inbox.isEmpty {
            sink.voice.relayed(inbox.bytes)
            sink.relay(inbox.bytes)
            source.drain()
        }
    }

    /// The source has ended in its way, and so does our side of the sink.
    private func relayEnd() throws(Failure) {
        isOver = true
        if needsMessages {
            if let gap = session.gap { throw Failure(.connection, "\(session.name): \(gap)") }
            // A last line without its ending is a frame like the others.
            let rest = Array(source.inbox.bytes)
            if !rest.isEmpty { try sink.send(line: rest, at: nil) }
            source.drain()
        }
        showPart()
        if session.channel.input == .ended || session.channel.input == .closed {
            try? sink.endOutput()
        } else {
            cut(sink, because: session)
        }
    }

    /// The sink takes nothing any more: what the source says is lost, and it is told so.
    private func abandon() {
        isOver = true
        showPart()
        session.channel.hold(false, for: .bridge)
        if case .failed = sink.channel.output, !source.hasEnded { cut(session, because: sink) }
    }

    private func cut(_ session: Session, because other: Session) {
        guard session.channel.isOpen else { return }
        transcript.note("\(session.name): cut, because \(other.name) was: \(other.inputState)")
        session.channel.close(reset: true)
    }
}
