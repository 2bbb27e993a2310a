/// The kind of connection to a peer.
package enum TransportKind: String, Sendable {
    case tcp, unix, tls, udp
    /// WebSocket (RFC 6455), without and with TLS.
    case ws, wss
    case telnet
    /// A child process, connected through pipes or through its own terminal.
    case process, terminal
    /// A serial line.
    case serial
}

/// What a connection carries, whatever its protocol.
package enum Medium: Sendable {
    /// A sequence of bytes with an end.
    case stream
    /// Messages of limited length, which may be lost; nothing signals an end (udp(7)).
    case datagrams
    /// A sequence of messages of any length, with an end (WebSocket).
    case messages

    /// Whether each line is one message of the transport.
    package var keepsMessages: Bool { self != .stream }
    /// Whether each side can end.
    package var hasEnd: Bool { self != .datagrams }
}

extension TransportKind {
    package var medium: Medium {
        switch self {
        case .udp: .datagrams
        case .ws, .wss: .messages
        case .tcp, .unix, .tls, .process, .terminal, .serial, .telnet: .stream
        }
    }

    /// What has to come before the connection is closed, for a clean end; for messages.
    package var properEnd: String {
        switch self {
        case .ws, .wss: "a close frame"
        case .tcp, .unix, .tls, .udp, .telnet, .process, .terminal, .serial: "close_notify"
        }
    }

    /// Whether TLS can start on a connection of this kind.
    package var canStartTLS: Bool { self == .tcp || self == .unix }
}
