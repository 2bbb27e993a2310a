import Reactor
import Results
import Wire

/// Relays data from one session to another as it arrives: one direction of a bridge.
package final class Relay {
    package let source: Feed
    private let session: Session
    private let sink: Session
    private let transcript: Transcript
    /// The faults of a bridge with a name; nil without one.
    private let flow: Flow?
    package private(set) var isOver = false
    /// When something is due that no event announces, or nil.
    package private(set) var due: Instant?
    /// Whether a fault has ended the bridge.
    package private(set) var isCut = false

    /// Reading from the source pauses while more bytes than this wait for the sink.
    private static let highWater = 256 * 1024

    package init(from source: Feed, to sink: Session, flow: Flow? = nil, _ transcript: Transcript) {
        self.flow = flow
        self.source = source
        session = source.session
        self.sink = sink
        self.transcript = transcript
    }

    /// Whether data waits to be relayed.
    private var hasNews: Bool { !source.inbox.isEmpty }

    /// Relays the available data; throws if it does not fit the frames of the other side.
    package func advance() throws(Failure) {
        guard !isOver else { return }
        if sink.channel.output == .open {
            if let flow, !flow.isClear { return try advance(flow) }
            try passOn()
        }
        guard sink.channel.output == .open else { return abandon() }
        session.channel.hold(sink.channel.bytesWaiting > Self.highWater, for: .bridge)
        if source.hasEnded, !hasNews || needsMessages { try relayEnd() }
    }

    /// Relays as the faults allow.
    private func advance(_ flow: Flow) throws(Failure) {
        guard !needsMessages, !source.framing.keepsMessages else {
            throw Failure(.connection, "\(session.name): faults are for bridges of streams without --frame")
        }
        let now = sink.clock()
        if hasNews {
            flow.receive(source.inbox.bytes, at: now)
            source.drain()
        }
        if source.hasEnded { flow.receiveEnd(isReset: session.channel.input != .ended, at: now) }
        due = nil
        deliver: while sink.channel.output == .open, sink.channel.bytesWaiting <= Self.highWater {
            switch flow.next(at: sink.clock()) {
            case .deliver(let bytes, let range):
                bytes.withUnsafeBytes { all in
                    let piece = UnsafeRawBufferPointer(rebasing: all[range])
                    sink.voice.relayed(piece)
                    sink.relay(piece)
                }
                flow.advance(range.count)
            case .wait(let time):
                due = time
                break deliver
            case .end:
                flow.finish()
                return try relayEnd()
            case .cut(let isReset):
                isCut = true
                return cutBoth(isReset: isReset)
            }
        }
        guard sink.channel.output == .open else { return abandon() }
        session.channel.hold(flow.isFull || sink.channel.bytesWaiting > Self.highWater, for: .bridge)
    }

    /// Ends both sessions because of a fault.
    private func cutBoth(isReset: Bool) {
        isOver = true
        showPart()
        for side in [session, sink] where side.channel.isOpen {
            transcript.note("\(side.name): \(isReset ? "reset" : "cut") by a fault")
            if isReset { side.channel.close(reset: true) } else { try? side.endOutput() }
        }
    }

    /// Ends the relay early: the source is read again.
    package func stop() {
        showPart()
        session.channel.hold(false, for: .bridge)
    }

    private func showPart() {
        sink.voice.showHeldBack()
    }

    /// Whether one side uses frames: then lines are relayed instead of bytes.
    private var needsMessages: Bool {
        source.framing.format != nil || sink.framing.format != nil
            || !source.framing.keepsMessages && sink.framing.keepsMessages
            || source.framing == .message && !sink.framing.keepsMessages
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
        } else if source.framing.keepsMessages {
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

    /// Ends our side of the sink in the way the source ended.
    private func relayEnd() throws(Failure) {
        isOver = true
        if needsMessages {
            if let gap = session.gap { throw Failure(.connection, "\(session.name): \(gap)") }
            // A last line without an ending is a frame like the others.
            let rest = Array(source.inbox.bytes)
            if !rest.isEmpty { try sink.send(line: rest, at: nil) }
            source.drain()
        }
        showPart()
        if session.channel.input == .ended || session.channel.input == .closed {
            try? sink.endOutput(as: session.channel.closing)
        } else {
            cut(sink, because: session)
        }
    }

    /// Ends the relay because the sink accepts no more data. The source's data is lost; if the sink failed, the source
    /// is reset.
    private func abandon() {
        isOver = true
        showPart()
        session.channel.hold(false, for: .bridge)
        // Where both sides end together, the end of the sink's peer is on its way here.
        if sink.channel.input == .ended, sink.framing == .message { return }
        if case .failed = sink.channel.output, !source.hasEnded { cut(session, because: sink) }
    }

    private func cut(_ session: Session, because other: Session) {
        guard session.channel.isOpen else { return }
        transcript.note("\(session.name): cut, because \(other.name) was: \(other.inputState)")
        session.channel.close(reset: true)
    }
}
