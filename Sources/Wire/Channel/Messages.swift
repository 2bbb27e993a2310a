import Reactor

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

/// What the handshake of a WebSocket has agreed on.
package struct WebSocketDetails: Equatable, Sendable {
    /// The path that was asked for.
    package let path: String
    /// The sub-protocol that both sides use, or nil.
    package let chosenProtocol: String?
}
