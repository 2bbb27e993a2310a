import Glibc
import Reactor
import Sockets
import SystemPackage

/// The owner of a channel: receives its events, called from the event loop.
package protocol ChannelDelegate: AnyObject {
    /// The channel received `bytes`: part of a stream of lines, or one whole message. The buffer is valid only during
    /// the call, and the call must not change the inbox.
    func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer)
    /// The inbox contains everything from one read.
    func channelInboxGrew(_ channel: Channel)
    /// No more data will arrive; `channel.input` gives the reason.
    func channelInputEnded(_ channel: Channel)
    /// The kernel accepted queued bytes from the outbox.
    func channelOutputAdvanced(_ channel: Channel)
    /// Data can no longer be delivered to the peer; `channel.output` gives the reason.
    func channelOutputFailed(_ channel: Channel)
    /// Something happened that is not data; `note` says what.
    func channel(_ channel: Channel, notes note: String)
    /// The last datagram sent was not delivered; `channel.refusal` gives the reason.
    func channelWasRefused(_ channel: Channel)
    /// The channel holds more than its limit: the delegate must drop the oldest `count` unread bytes.
    func channel(_ channel: Channel, mustDrop count: Int)
}

extension ChannelDelegate {
    package func channel(_ channel: Channel, notes note: String) {}
}

/// A byte pipe to one peer over a transport: an inbox, an outbox and the state of both directions.
///
/// The two directions end independently: `input` through the peer, `output` through us. The descriptor is watched only
/// for events that allow progress, so a half-closed or full channel costs nothing.
package final class Channel: DescriptorWatcher {
    /// The peer's address.
    package let peer: String
    /// Received data that has not been consumed yet.
    package private(set) var inbox: Inbox
    /// How received bytes are split into lines.
    package private(set) var framing = Framing.line
    /// Bytes that count as held in addition to those in the inbox: moved elsewhere, but not read yet.
    package var heldElsewhere = 0 {
        didSet { if !watchesRead { updateInterest() } }
    }
    package var overflow = Overflow.pause
    package weak var delegate: (any ChannelDelegate)?
    package private(set) var input = Input.open
    package private(set) var output = Output.open
    /// Bytes received, and bytes handed to the kernel, since the session began.
    package private(set) var bytesReceived = 0
    package private(set) var bytesSent = 0
    /// Whether a connection closed without close_notify counts as a clean end (TLS).
    package var cutIsEnd = false
    /// Why the last datagram sent was not delivered (UDP); nil again after the next send or once reported.
    package var refusal: WireFailure?

    /// The kind of the current or last transport.
    package private(set) var kind: TransportKind
    /// The negotiated TLS parameters, or nil without TLS.
    package private(set) var tls: TLSDetails?
    /// The code and the reason with which the peer has ended, where the protocol has them.
    package private(set) var closing: Closing?

    /// What was agreed on for a WebSocket; nil for other connections.
    package private(set) var webSocket: WebSocketDetails?

    private let loop: EventLoop
    private var transport: (any Transport)?
    /// Whether the transport is temporarily handed over (`suspend`).
    private var isSuspended = false
    private var outbox = Outbox()
    private var decoder: FrameDecoder?
    private var holders: Holders = []
    private var watchesRead = false
    private var watchesWrite = false

    /// The maximum number of bytes that one turn reads from the session, so that no peer starves the others. A read
    /// does not touch the room it does not fill, so that room costs no memory.
    package var readSize = 256 * 1024
    private static let datagramsInTurn = 64

    /// Takes ownership of a connected transport and starts reading from it.
    package init(transport: any Transport, peer: String, inboxLimit: Int, on loop: EventLoop) {
        self.transport = transport
        kind = transport.kind
        tls = transport.details
        webSocket = transport.webSocket
        self.peer = peer
        self.loop = loop
        inbox = Inbox(limit: inboxLimit)
        updateInterest()
    }

    /// Whether all peers share its socket.
    package var isShared: Bool { transport is SharedDatagramTransport }
    /// The peer that sends go to, if several share the socket: the chosen one, or the last that sent something.
    package var recipient: DatagramPeer? {
        get { transport?.recipient ?? transport?.sender }
        set { transport?.recipient = newValue }
    }

    /// The number of bytes queued for the kernel.
    package var bytesWaiting: Int { outbox.count + (transport?.pendingOutput ?? 0) }
    /// Whether the peer has asked us not to show what is typed (telnet).
    package var hidesTyping: Bool { transport?.hidesTyping ?? false }
    /// Whether a carriage return alone ends a line now (telnet in BINARY).
    package var linesEndWithReturn: Bool { transport?.linesEndWithReturn ?? false }
    /// What both sides agreed on, for `show`.
    package var facts: [(String, String)] { transport?.facts ?? [] }

    /// Whether the channel is usable: we have not closed it, and the connection has not ended in both directions.
    package var isOpen: Bool { transport != nil }

    /// Sends `bytes`: now as far as the kernel accepts them, the rest when it can. Ignored once output has ended.
    package func send(_ bytes: UnsafeRawBufferPointer, as kind: MessageKind? = nil) {
        guard output == .open, let transport, !bytes.isEmpty || framing.keepsMessages else { return }
        refusal = nil
        var rest = bytes
        if outbox.isEmpty, !isSuspended {
            transport.messageKind = kind
            switch transport.write(bytes) {
            case .wrote(let count):
                bytesSent += count
                rest = UnsafeRawBufferPointer(rebasing: bytes[count...])
                if transport.pendingOutput > 0 { updateInterest() }
                if count == bytes.count { return }
            case .wouldBlock: break
            case .failed(let failure):
                failOutput(failure)
                return
            }
        }
        outbox.append(rest, isMessage: framing.keepsMessages, kind)
        updateInterest()
    }

    /// Returns why the peer cannot receive `bytes` unmodified, or nil. Call it once for the bytes about to be sent.
    package func admit(_ bytes: UnsafeRawBufferPointer) -> String? {
        transport?.admit(bytes)
    }

    /// Passes on the size of the terminal that the peer writes to.
    package func setTerminalSize(rows: Int, columns: Int) {
        transport?.setTerminalSize(rows: rows, columns: columns)
        updateInterest()
    }

    /// Sends what belongs to the protocol and not to its data; returns why it cannot, or nil.
    package func control(_ control: LayerControl) -> String? {
        guard output == .open, let transport else { return "our side has ended" }
        defer { updateInterest() }
        return transport.control(control)
    }

    /// Ends our side once all queued data has been sent (shutdown(2), SHUT_WR).
    package func endOutput() {
        guard output == .open else { return }
        output = .ending
        finishEndingIfDrained()
    }

    /// Pauses or resumes reading from the peer for a holder that may temporarily be unable to take more.
    package func hold(_ isHeld: Bool, for holder: Holders) {
        if isHeld { holders.insert(holder) } else { holders.remove(holder) }
        updateInterest()
    }

    /// The number of received bytes that have not been consumed, including those of an incomplete frame.
    package var held: Int { inbox.count + undecoded + heldElsewhere }
    /// The number of bytes of an incomplete frame.
    package var undecoded: Int { decoder?.rest.count ?? 0 }
    /// The least length of the incomplete frame, with its length field; nil if there is none.
    package var announced: Int? { decoder?.announced }
    /// Whether the limit is reached; with `Overflow.pause`, nothing more is read until something is consumed.
    package var isFull: Bool { held + messageCount >= inbox.limit }
    /// Messages count too, since an empty one has no bytes.
    private var messageCount: Int { framing == .message ? inbox.messageEnds?.count ?? 0 : 0 }

    /// Applies another framing to unread and future data.
    package func setFraming(_ framing: Framing) {
        let former = self.framing
        self.framing = framing
        // A datagram stays a message in both datagram framings.
        guard !former.keepsMessages || !framing.keepsMessages else {
            return inbox.setMessages(true, feedEndsMessage: framing == .datagram)
        }
        let unread = Array(inbox.bytes) + (decoder?.rest ?? [])
        inbox.consume(through: inbox.end)
        inbox.setMessages(framing != .line, feedEndsMessage: framing == .datagram)
        decoder = framing.format.map { FrameDecoder($0) }
        // A datagram socket gets this framing at its start, before it receives anything.
        guard !framing.keepsMessages else { return }
        do throws(OversizedFrame) {
            try admit(unread) { _ in }
        } catch {
            endInput(.oversized(error.length))
        }
    }

    /// Directs data received from now on to a new inbox; returns the previous inbox with its unread data.
    package func divertInbox() -> Inbox {
        let former = inbox
        inbox = Inbox(limit: former.limit)
        inbox.setMessages(former.messageEnds != nil, feedEndsMessage: former.feedEndsMessage)
        return former
    }

    /// Resumes reading if the inbox was full. Call it after consuming data.
    package func inboxShrank() {
        if !watchesRead { updateInterest() }
    }

    /// Adds stream data to the inbox, and calls `body` with each piece.
    private func admit(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) -> Void) throws(OversizedFrame) {
        if var decoder {
            // A second reference would copy its bytes at each read.
            self.decoder = nil
            defer { self.decoder = decoder }
            return try decoder.feed(bytes, limit: inbox.limit) { frame in
                inbox.append(frame)
                inbox.endMessage()
                body(frame)
            }
        }
        guard !bytes.isEmpty else { return }
        bytes.withUnsafeBytes {
            inbox.append($0)
            body($0)
        }
        if framing != .line { inbox.endMessage() }
    }

    /// Sets a new inbox limit.
    package func setInboxLimit(_ limit: Int) {
        inbox.limit = limit
        transport?.setMessageLimit(limit)
        updateInterest()
    }

    /// Closes the connection immediately; the inbox keeps its data. With `reset` the peer sees a reset.
    package func close(reset: Bool = false) {
        if reset { transport?.resetOnClose() }
        if input == .open { input = .closed }
        switch output {
        case .open, .ending: output = .closed
        case .ended, .failed, .closed: break
        }
        releaseTransport()
    }

    /// Hands over the transport. Until `resume` or `fail`, nothing is read and sent data is queued.
    package func suspend() -> (any Transport)? {
        guard let transport else { return nil }
        isSuspended = true
        loop.unwatch(transport.descriptor)
        return transport
    }

    /// Continues over another transport.
    package func resume(with transport: any Transport) {
        guard isOpen else { return }
        isSuspended = false
        self.transport = transport
        kind = transport.kind
        tls = transport.details
        updateInterest(isForced: true)
        finishEndingIfDrained()
    }

    /// Marks the connection as failed: it can no longer be used.
    package func fail(_ failure: WireFailure) {
        guard isOpen else { return }
        isSuspended = false
        output = .failed(failure)
        endInput(.failed(failure))
    }

    package func descriptorIsReadable() {
        guard let transport, input == .open else { return }
        // Each read returns only one datagram: a turn reads several to be worthwhile.
        for _ in 0..<(framing.keepsMessages ? Self.datagramsInTurn : 1) {
            guard watchesRead || transport.needsWriteToRead, readOnce(transport), input == .open else { return }
        }
        if watchesRead, transport.hasBufferedInput { loop.markReadable(transport.descriptor) }
    }

    package func descriptorIsWritable() {
        guard let transport else { return }
        if transport.needsWriteToRead { descriptorIsReadable() }
        if transport.pendingOutput > 0 {
            if let failure = transport.flush() { return failOutput(failure) }
            if transport.pendingOutput == 0, output == .open { delegate?.channelOutputAdvanced(self) }
        }
        if !outbox.isEmpty { sendWaiting(transport) } else { finishEndingIfDrained() }
        updateInterest()
    }

    /// Reads once, with room for a message of `wanted` bytes; returns false unless data arrived.
    private func readOnce(_ transport: any Transport, for wanted: Int = 0) -> Bool {
        let room =
            overflow == .dropOldest || framing.keepsMessages
            ? max(readSize, framing.keepsMessages ? 65536 : 0, wanted) : min(readSize, inbox.limit - held)
        guard room > 0 else {
            updateInterest()
            return false
        }
        var outcome = ReadOutcome.wouldBlock
        let start = inbox.end
        let count = inbox.receive(maximum: room) { buffer in
            outcome = transport.read(into: buffer)
            if case .bytes(let count) = outcome { return count }
            return 0
        }
        for note in transport.takeNotes() { delegate?.channel(self, notes: note) }
        switch outcome {
        case .bytes:
            bytesReceived += count
            takeIn(from: start)
            return true
        case .needsRoom(let length): return readOnce(transport, for: length)
        case .wouldBlock:
            updateInterest()
            if watchesRead, transport.hasBufferedInput { loop.markReadable(transport.descriptor) }
        case .endOfStream: endInput(outputWasReset ? .reset : .ended)
        case .cut: endInput(cutIsEnd ? .ended : .cut)
        case .refused(let failure): refuse(failure)
        case .failed(let failure): endInput(failure.isReset ? .reset : .failed(failure))
        }
        return false
    }

    private func sendWaiting(_ transport: any Transport) {
        transport.messageKind = outbox.nextKind
        switch outbox.withNext({ transport.write($0) }) {
        case .wrote(let count):
            bytesSent += count
            outbox.remove(count)
            finishEndingIfDrained()
            delegate?.channelOutputAdvanced(self)
        case .wouldBlock: break
        case .failed(let failure): failOutput(failure)
        }
    }

    /// Reports that the last datagram was not delivered; the next one may be.
    private func refuse(_ failure: WireFailure) {
        refusal = failure
        delegate?.channelWasRefused(self)
    }

    /// Splits the data that one read added to the inbox at `start` into lines.
    private func takeIn(from start: Int) {
        if decoder != nil {
            let bytes = Array(inbox.bytes(from: start))
            inbox.uncount(from: start)
            do throws(OversizedFrame) {
                try admit(bytes) { delegate?.channel(self, received: $0) }
            } catch {
                return endInput(.oversized(error.length))
            }
        } else {
            let piece = inbox.bytes(from: start)
            guard !piece.isEmpty || framing.keepsMessages else { return }
            if framing != .line { inbox.endMessage(from: transport?.sender) }
            delegate?.channel(self, received: piece)
        }
        makeRoomIfNeeded()
        delegate?.channelInboxGrew(self)
        if isFull || transport?.pendingOutput ?? 0 > 0 { updateInterest() }
    }

    /// Whether the end of stream is a reset: a write that met the reset has already consumed the error.
    private var outputWasReset: Bool {
        guard case .failed(let failure) = output else { return false }
        return failure.isReset || failure.isBrokenPipe
    }

    private func makeRoomIfNeeded() {
        guard overflow == .dropOldest, held + messageCount > inbox.limit else { return }
        while messageCount > 1024, held <= inbox.limit, held + messageCount > inbox.limit { inbox.consumeMessage() }
        guard held > inbox.limit else { return }
        let excess = min(inbox.count + heldElsewhere, held - inbox.limit)
        delegate?.channel(self, mustDrop: excess)
    }

    private func endInput(_ state: Input) {
        input = state
        if case .oversized = state { return endAll() }
        closing = transport?.closing
        if transport?.bothSidesEndTogether == true, output == .open || output == .ending {
            output = .failed(.other(closing.map(\.description) ?? "closed by the peer"))
        }
        if state != .ended, output == .open || output == .ending { output = .failed(WireFailure(number: ECONNRESET)) }
        if output != .open && output != .ending {
            releaseTransport()
        } else {
            updateInterest()
        }
        delegate?.channelInputEnded(self)
    }

    /// Aborts the connection: the data that follows cannot be decoded.
    private func endAll() {
        if output == .open || output == .ending { output = .closed }
        releaseTransport()
        delegate?.channelInputEnded(self)
    }

    private func failOutput(_ failure: WireFailure) {
        output = .failed(failure)
        updateInterest()
        delegate?.channelOutputFailed(self)
    }

    private func finishEndingIfDrained() {
        guard output == .ending, outbox.isEmpty, !isSuspended, let transport else { return }
        // `endOutput` may close its output descriptor.
        if transport.outputDescriptor != transport.descriptor { loop.unwatch(transport.outputDescriptor) }
        watchesWrite = false
        switch transport.endOutput() {
        case .ended: output = .ended
        case .wouldBlock: return updateInterest()
        case .failed(let failure): return failOutput(failure)
        }
        if input == .open { updateInterest(isForced: true) } else { releaseTransport() }
    }

    private func releaseTransport() {
        guard let transport else { return }
        loop.unwatch(transport.descriptor)
        loop.unwatch(transport.outputDescriptor)
        watchesRead = false
        watchesWrite = false
        self.transport = nil
    }

    private func updateInterest(isForced: Bool = false) {
        guard let transport, !isSuspended else { return }
        let isReading =
            input == .open && holders.isEmpty && (!isFull || overflow == .dropOldest) && transport.acceptsInput
        let isWriting = output == .ending || output == .open && (!outbox.isEmpty || transport.pendingOutput > 0)
        let read = isReading && !transport.needsWriteToRead
        let write = isWriting || isReading && transport.needsWriteToRead
        guard isForced || read != watchesRead || write != watchesWrite else { return }
        watchesRead = read
        watchesWrite = write
        if transport.outputDescriptor == transport.descriptor {
            loop.watch(transport.descriptor, read: read, write: write, watcher: self)
        } else {
            loop.watch(transport.descriptor, read: read, write: false, watcher: self)
            // A transport whose output has ended no longer has an output descriptor.
            if transport.outputDescriptor >= 0 {
                loop.watch(transport.outputDescriptor, read: false, write: write, watcher: self)
            }
        }
        if read, transport.hasBufferedInput { loop.markReadable(transport.descriptor) }
    }
}
