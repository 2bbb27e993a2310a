import DequeModule
import Reactor

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

/// What a message is, where a protocol distinguishes it.
package enum MessageKind: Sendable {
    case text, binary
}

/// What belongs to a protocol and not to its data.
package enum LayerControl {
    case telnet(TelnetCommand)
    case ping([UInt8])
    /// Ends our side with a code and a reason.
    case close(code: UInt16, reason: [UInt8])
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

    /// Calls `write` with the bytes for the peer, and removes as many as it returns.
    package func take(_ write: (UnsafeRawBufferPointer) -> Int) {
        sent += outgoing.withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
        guard sent == outgoing.count || sent > 1 << 16 && sent > outgoing.count / 2 else { return }
        outgoing.removeFirst(sent)
        sent = 0
    }
}

/// The code and the reason with which a peer has ended a connection (RFC 6455, section 7.4).
package struct Closing: Equatable, Sendable {
    /// Nil if it gave none.
    package let code: UInt16?
    package let reason: [UInt8]

    /// `closed by the peer with code 1001 (going away)`
    package var description: String {
        let code = code.map { " with code \($0)" } ?? ""
        return "closed by the peer\(code)" + (reason.isEmpty ? "" : " (\(String(lossless: reason)))")
    }
}
