import Glibc
import Reactor
import SystemPackage

/// What a channel tells its owner, from the loop.
package protocol ChannelDelegate: AnyObject {
    /// `bytes` have arrived: a piece of a stream of lines, or one whole message. The buffer is valid during the call
    /// only, and the inbox must not be changed in it.
    func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer)
    /// All that one read brought is in the inbox.
    func channelInboxGrew(_ channel: Channel)
    /// No more will arrive; `channel.input` says why.
    func channelInputEnded(_ channel: Channel)
    /// The kernel has taken bytes that waited in the outbox.
    func channelOutputAdvanced(_ channel: Channel)
    /// What we send cannot be delivered any more; `channel.output` says why.
    func channelOutputFailed(_ channel: Channel)
    /// What we sent last was not taken by anybody; `channel.refusal` says why.
    func channelWasRefused(_ channel: Channel)
    /// More is held than may be: the oldest `count` unread bytes are to be dropped.
    func channel(_ channel: Channel, mustDrop count: Int)
}

/// The byte pipe to one peer over a transport: an inbox, an outbox and the state of both directions.
///
/// The two directions end on their own: `input` by what the peer does, `output` by what we do. The descriptor is
/// watched only for what can make progress, so that a half-closed or full channel costs nothing.
package final class Channel: DescriptorWatcher {
    /// The peer's address.
    package let peer: String
    /// What has arrived and was not consumed.
    package private(set) var inbox: Inbox
    /// How its bytes become lines.
    package private(set) var framing = Framing.line
    /// Bytes that count as held besides those of the inbox: they were taken on, and nobody has read them.
    package var heldElsewhere = 0 {
        didSet { if !watchesRead { updateInterest() } }
    }
    package var overflow = Overflow.pause
    package weak var delegate: (any ChannelDelegate)?
    package private(set) var input = Input.open
    package private(set) var output = Output.open
    /// Bytes received and handed to the kernel since the session began.
    package private(set) var bytesReceived = 0
    package private(set) var bytesSent = 0
    /// A connection that is closed without close_notify has ended in order (TLS).
    package var cutIsEnd = false
    /// Why what was sent last was not taken by anybody (UDP); nil again with the next send, or when it was told.
    package var refusal: WireFailure?

    /// What sort of peer it is, or was.
    package private(set) var kind: TransportKind
    /// What TLS has agreed on, or nil without it.
    package private(set) var tls: TLSDetails?

    private let loop: EventLoop
    private var transport: (any Transport)?
    /// Somebody else has the transport for a while.
    private var isSuspended = false
    private var outbox = Outbox()
    private var decoder: FrameDecoder?
    private var holders: Holders = []
    private var watchesRead = false
    private var watchesWrite = false

    /// The most that one turn reads from the session, so that no peer starves the others. Room that a read does not
    /// fill is never touched, and so costs no memory.
    package var readSize = 256 * 1024
    private static let datagramsInTurn = 64

    /// Takes a connected transport and begins to read from it.
    package init(transport: any Transport, peer: String, inboxLimit: Int, on loop: EventLoop) {
        self.transport = transport
        kind = transport.kind
        tls = transport.details
        self.peer = peer
        self.loop = loop
        inbox = Inbox(limit: inboxLimit)
        updateInterest()
    }

    /// How many bytes wait for the kernel.
    package var bytesWaiting: Int { outbox.count }

    /// Whether the name can be talked to: it was not closed by us, nor has the connection ended in both directions.
    package var isOpen: Bool { transport != nil }

    /// Sends `bytes`: at once as far as the kernel takes them, the rest when it can. Ignored once output has ended.
    package func send(_ bytes: UnsafeRawBufferPointer) {
        guard output == .open, let transport, !bytes.isEmpty || framing.isDatagram else { return }
        refusal = nil
        var rest = bytes
        if outbox.isEmpty, !isSuspended {
            switch transport.write(bytes) {
            case .wrote(let count):
                bytesSent += count
                rest = UnsafeRawBufferPointer(rebasing: bytes[count...])
            case .wouldBlock: break
            case .failed(let failure):
                failOutput(failure)
                return
            }
        }
        guard !rest.isEmpty else { return }
        outbox.append(rest, isMessage: framing.isDatagram)
        updateInterest()
    }

    /// Says in words why the peer cannot get `bytes` as they are, or nil; to be asked once for what is about to be sent.
    package func admit(_ bytes: UnsafeRawBufferPointer) -> String? {
        transport?.admit(bytes)
    }

    /// Ends our side when all that waits has been sent (shutdown(2), SHUT_WR).
    package func endOutput() {
        guard output == .open else { return }
        output = .ending
        finishEndingIfDrained()
    }

    /// Stops reading from the peer, or goes on, for one of those who may not be able to take more at the moment.
    package func hold(_ isHeld: Bool, for holder: Holders) {
        if isHeld { holders.insert(holder) } else { holders.remove(holder) }
        updateInterest()
    }

    /// The bytes that have arrived and were not consumed, also those of a frame that is not whole.
    package var held: Int { inbox.count + undecoded + heldElsewhere }
    /// The bytes of a frame whose end has not arrived.
    package var undecoded: Int { decoder?.rest.count ?? 0 }
    /// Whether no more is read until something is consumed.
    package var isFull: Bool { held >= inbox.limit }

    /// Reads what is unread, and what comes, with another framing.
    package func setFraming(_ framing: Framing) {
        let former = self.framing
        self.framing = framing
        // Datagrams stay what they are, however they end.
        guard !former.isDatagram || !framing.isDatagram else {
            return inbox.setMessages(true, feedEndsMessage: framing == .datagram)
        }
        let unread = Array(inbox.bytes) + (decoder?.rest ?? [])
        inbox.consume(through: inbox.end)
        inbox.setMessages(framing != .line, feedEndsMessage: framing == .datagram)
        decoder = framing.prefixLength == nil ? nil : FrameDecoder(framing)
        // A datagram socket has this framing from its start, with nothing received.
        guard !framing.isDatagram else { return }
        do throws(OversizedFrame) {
            try admit(unread) { _ in }
        } catch {
            endInput(.oversized(error.length))
        }
    }

    /// From now on what arrives goes to an inbox of its own; returns the one before, with what is unread in it.
    package func divertInbox() -> Inbox {
        let former = inbox
        inbox = Inbox(limit: former.limit)
        inbox.setMessages(former.messageEnds != nil, feedEndsMessage: former.feedEndsMessage)
        return former
    }

    /// Something was consumed from the inbox: reads on if it was full.
    package func inboxShrank() {
        if !watchesRead { updateInterest() }
    }

    /// Adds what is no part of a datagram to the inbox, and shows each piece of it to `body`.
    private func admit(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) -> Void) throws(OversizedFrame) {
        if var decoder {
            // Held twice, its bytes would be copied at each read.
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

    /// Applies a new limit of the inbox.
    package func setInboxLimit(_ limit: Int) {
        inbox.limit = limit
        updateInterest()
    }

    /// Closes the connection at once; what is in the inbox stays. With `reset` the peer sees a reset.
    package func close(reset: Bool = false) {
        if reset { transport?.resetOnClose() }
        if input == .open { input = .closed }
        switch output {
        case .open, .ending: output = .closed
        case .ended, .failed, .closed: break
        }
        releaseTransport()
    }

    /// Hands the transport over: until `resume` or `fail` nothing is read, and what is sent waits.
    package func suspend() -> (any Transport)? {
        guard let transport else { return nil }
        isSuspended = true
        loop.unwatch(transport.descriptor)
        return transport
    }

    /// Goes on over another transport.
    package func resume(with transport: any Transport) {
        guard isOpen else { return }
        isSuspended = false
        self.transport = transport
        kind = transport.kind
        tls = transport.details
        updateInterest(isForced: true)
        finishEndingIfDrained()
    }

    /// The connection cannot be used any more.
    package func fail(_ failure: WireFailure) {
        guard isOpen else { return }
        isSuspended = false
        output = .failed(failure)
        endInput(.failed(failure))
    }

    package func descriptorIsReadable() {
        guard let transport, input == .open else { return }
        // A datagram is a read: several of them make a turn worth its while.
        for _ in 0..<(framing.isDatagram ? Self.datagramsInTurn : 1) {
            guard watchesRead || transport.needsWriteToRead, readOnce(transport), input == .open else { return }
        }
        if watchesRead, transport.hasBufferedInput { loop.markReadable(transport.descriptor) }
    }

    package func descriptorIsWritable() {
        guard let transport else { return }
        if transport.needsWriteToRead { descriptorIsReadable() }
        if !outbox.isEmpty { sendWaiting(transport) } else { finishEndingIfDrained() }
        updateInterest()
    }

    /// Reads once; false when there was nothing.
    private func readOnce(_ transport: any Transport) -> Bool {
        let room =
            overflow == .dropOldest || framing.isDatagram
            ? max(readSize, framing.isDatagram ? 65536 : 0) : min(readSize, inbox.limit - held)
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
        switch outcome {
        case .bytes:
            bytesReceived += count
            takeIn(from: start)
            return true
        case .wouldBlock: updateInterest()
        case .endOfStream: endInput(outputWasReset ? .reset : .ended)
        case .cut: endInput(cutIsEnd ? .ended : .cut)
        case .refused(let failure): refuse(failure)
        case .failed(let failure): endInput(failure.isReset ? .reset : .failed(failure))
        }
        return false
    }

    private func sendWaiting(_ transport: any Transport) {
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

    /// Nobody took what was sent; the next datagram may find somebody.
    private func refuse(_ failure: WireFailure) {
        refusal = failure
        delegate?.channelWasRefused(self)
    }

    /// Makes lines of what one read has added to the inbox at `start`.
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
            guard !piece.isEmpty || framing.isDatagram else { return }
            if framing != .line { inbox.endMessage() }
            delegate?.channel(self, received: piece)
        }
        makeRoomIfNeeded()
        delegate?.channelInboxGrew(self)
        if isFull { updateInterest() }
    }

    /// A write that met a reset has taken the error away: the end of stream that follows is that reset.
    private var outputWasReset: Bool {
        guard case .failed(let failure) = output else { return false }
        return failure.isReset || failure.isBrokenPipe
    }

    private func makeRoomIfNeeded() {
        guard overflow == .dropOldest, held > inbox.limit else { return }
        let excess = min(inbox.count + heldElsewhere, held - inbox.limit)
        delegate?.channel(self, mustDrop: excess)
    }

    private func endInput(_ state: Input) {
        input = state
        if case .oversized = state { return endAll() }
        if state != .ended, output == .open || output == .ending { output = .failed(WireFailure(number: ECONNRESET)) }
        if output != .open && output != .ending {
            releaseTransport()
        } else {
            updateInterest()
        }
        delegate?.channelInputEnded(self)
    }

    /// Nothing that follows can be understood: the connection is given up.
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
        // It may close its output descriptor.
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
        let isReading = input == .open && holders.isEmpty && (!isFull || overflow == .dropOldest)
        let isWriting = output == .ending || output == .open && !outbox.isEmpty
        let read = isReading && !transport.needsWriteToRead
        let write = isWriting || isReading && transport.needsWriteToRead
        guard isForced || read != watchesRead || write != watchesWrite else { return }
        watchesRead = read
        watchesWrite = write
        if transport.outputDescriptor == transport.descriptor {
            loop.watch(transport.descriptor, read: read, write: write, watcher: self)
        } else {
            loop.watch(transport.descriptor, read: read, write: false, watcher: self)
            // A transport whose output has ended has no descriptor for it any more.
            if transport.outputDescriptor >= 0 {
                loop.watch(transport.outputDescriptor, read: false, write: write, watcher: self)
            }
        }
        if read, transport.hasBufferedInput { loop.markReadable(transport.descriptor) }
    }
}
