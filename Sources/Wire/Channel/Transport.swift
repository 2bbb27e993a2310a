import Sockets

/// The result of one read.
package enum ReadOutcome {
    /// The number of bytes read; from a datagram socket one whole datagram, which may be empty.
    case bytes(Int)
    case wouldBlock
    case endOfStream
    /// The connection ended without the end that its protocol requires: TLS without close_notify.
    case cut
    /// Earlier data was not delivered; later data may be (ICMP port unreachable).
    case refused(WireFailure)
    case failed(WireFailure)
    /// The next message has this many bytes, more than the buffer holds: read again with more room.
    case needsRoom(Int)
}

/// The result of one write.
package enum WriteOutcome {
    case wrote(Int)
    case wouldBlock
    case failed(WireFailure)
}

/// The result of ending our side.
package enum EndOutcome {
    case ended
    /// The kernel has no room to send the end: try again when it has.
    case wouldBlock
    case failed(WireFailure)
}

/// A non-blocking byte connection to a peer, in both directions. It owns its descriptors.
package protocol Transport: AnyObject {
    var kind: TransportKind { get }
    /// The negotiated TLS parameters, or nil without TLS.
    var details: TLSDetails? { get }
    /// The descriptor to watch for reading.
    var descriptor: Int32 { get }
    /// The descriptor to watch for writing; the same as `descriptor` except for pipes.
    var outputDescriptor: Int32 { get }
    /// Whether reading continues only once the descriptor is writable (SSL_get_error(3), SSL_ERROR_WANT_WRITE).
    var needsWriteToRead: Bool { get }
    /// Whether data is buffered that select(2) does not see: a read returns it immediately.
    var hasBufferedInput: Bool { get }
    /// Reads at most `buffer.count` bytes; `buffer` must not be empty.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome
    /// Writes as much of `bytes` as the kernel accepts now.
    func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome
    /// What the next write sends, for transports of messages; nil to let the bytes decide.
    var messageKind: MessageKind? { get set }
    /// The number of bytes that were written but that the kernel has not accepted yet.
    var pendingOutput: Int { get }
    /// Gives the kernel as much of the pending output as it accepts now; returns why it accepts no more, ever.
    func flush() -> WireFailure?
    /// Whether data from the peer may be read now: false while many of our answers wait to be sent.
    var acceptsInput: Bool { get }
    /// Ends our side (half-close); the peer can still send.
    func endOutput() -> EndOutcome
    /// Whether our side ends with the peer's.
    var bothSidesEndTogether: Bool { get }
    /// The code and the reason with which the peer has ended its side, where the protocol has them.
    var closing: Closing? { get }
    /// Sends what belongs to the protocol and not to its data; returns why it cannot, or nil.
    func control(_ control: LayerControl) -> String?
    /// Returns what happened that is not data, once.
    func takeNotes() -> [String]
    /// Passes on the size of the terminal that the peer writes to, where it can know.
    func setTerminalSize(rows: Int, columns: Int)
    /// Sets the length of the longest message that is received, in bytes.
    func setMessageLimit(_ limit: Int)
    /// Whether the peer has asked us not to show what is typed (telnet).
    var hidesTyping: Bool { get }
    /// Whether a carriage return alone ends a line now, as the Enter key of a terminal does (telnet in BINARY).
    var linesEndWithReturn: Bool { get }
    /// What was agreed on for a WebSocket; nil for other connections.
    var webSocket: WebSocketDetails? { get }
    /// What both sides agreed on, for `show`.
    var facts: [(String, String)] { get }
    /// Makes the next close a reset instead of a clean end.
    func resetOnClose()
    /// Notes `bytes`, which are about to be sent; returns why the peer cannot receive them unmodified, or nil.
    func admit(_ bytes: UnsafeRawBufferPointer) -> String?
    /// The shortest time in which the peer can answer, as far as known.
    var roundTripTime: Duration { get }
    /// The number of bytes that the kernel has accepted but that have not reached the peer, as far as known.
    var unacknowledgedBytes: Int { get }
    /// The sender of the last datagram read, if several peers send to this socket.
    var sender: DatagramPeer? { get }
    /// Where datagrams go, if several peers send to this socket.
    var recipient: DatagramPeer? { get set }
}

extension Transport {
    package var details: TLSDetails? { nil }
    package var outputDescriptor: Int32 { descriptor }
    package var needsWriteToRead: Bool { false }
    package var hasBufferedInput: Bool { false }
    package func admit(_ bytes: UnsafeRawBufferPointer) -> String? { nil }
    package var roundTripTime: Duration { .zero }
    package var unacknowledgedBytes: Int { 0 }
    package var messageKind: MessageKind? {
        get { nil }
        set {}
    }
    package var pendingOutput: Int { 0 }
    package func flush() -> WireFailure? { nil }
    package var acceptsInput: Bool { true }
    package var bothSidesEndTogether: Bool { false }
    package var closing: Closing? { nil }
    package func control(_ control: LayerControl) -> String? { "the connection is neither WebSocket nor telnet" }
    package func takeNotes() -> [String] { [] }
    package func setTerminalSize(rows: Int, columns: Int) {}
    package func setMessageLimit(_ limit: Int) {}
    package var hidesTyping: Bool { false }
    package var linesEndWithReturn: Bool { false }
    package var webSocket: WebSocketDetails? { nil }
    package var facts: [(String, String)] { [] }
    package var sender: DatagramPeer? { nil }
    package var recipient: DatagramPeer? {
        get { nil }
        set {}
    }
}
