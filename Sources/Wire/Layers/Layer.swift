import DequeModule
import Sockets

/// A protocol between the bytes of a connection and the data of a session: bytes in, data and answers out.
///
/// A layer does no I/O and knows no clock. `LayeredTransport` carries the bytes.
package protocol Layer: AnyObject {
    /// What has come out and was not taken yet.
    var state: LayerState { get }
    /// The kind of connection that it makes of a base.
    func kind(over base: TransportKind) -> TransportKind
    /// Whether the end of our side is also the end of the stream below.
    var endsBase: Bool { get }
    /// Takes bytes from the peer, in any split.
    func receive(_ bytes: UnsafeRawBufferPointer)
    /// Notes the end of the bytes from the peer.
    func receiveEnd()
    /// Encodes data: bytes of a stream, or one message.
    func send(_ data: UnsafeRawBufferPointer, as kind: MessageKind?)
    /// Encodes the end of our side.
    func sendEnd()
    /// Encodes what belongs to the protocol and not to its data; returns why it cannot, or nil.
    func send(_ control: LayerControl) -> String?
    /// What both sides agreed on, for `show`.
    var facts: [(String, String)] { get }
}

/// What has come out of a layer.
package final class LayerState {
    /// How the data from the peer has ended.
    package enum End: Equatable {
        case ended
        /// Without the end that the protocol requires.
        case cut
        case failed(WireFailure)
    }

    /// Data from the peer: pieces of a stream, or messages.
    package var received: Deque<[UInt8]> = []
    /// Bytes for the peer: encoded data, and answers.
    package private(set) var outgoing: [UInt8] = []
    private var sent = 0
    /// How the data from the peer has ended; nil while more may come.
    package var end: End?
    /// The code and the reason of the end, where the protocol has them.
    package var closing: Closing?
    /// What happened that is not data, for the transcript.
    package var notes: [String] = []

    package init() {}

    /// The number of bytes for the peer that were not taken yet.
    package var outgoingCount: Int { outgoing.count - sent }

    package func append(outgoing bytes: UnsafeRawBufferPointer) { outgoing.append(contentsOf: bytes) }

    /// Replaces the last bytes for the peer, none of which was taken.
    func replaceLast(_ count: Int, with bytes: [UInt8]) {
        guard outgoingCount >= count else { return }
        outgoing.removeLast(count)
        outgoing += bytes
    }

    /// Calls `write` with the bytes for the peer, and removes as many as it returns.
    package func take(_ write: (UnsafeRawBufferPointer) -> Int) {
        sent += outgoing.withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
        guard sent == outgoing.count || sent > 1 << 16 && sent > outgoing.count / 2 else { return }
        outgoing.removeFirst(sent)
        sent = 0
    }
}
