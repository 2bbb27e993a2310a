import Reactor

/// What both sides do on a new connection before it carries the data of a session: a part of a `HandshakeList`.
protocol Handshake: AnyObject {
    /// Starts; the completion may be called before this returns.
    func start()
    /// Stops; the completion is not called any more.
    func cancel()
    /// Completes without the peer's next message, if that is all it waits for; returns false otherwise.
    func settle() -> Bool
    /// What it is waiting for, for messages such as `timed out in the TLS handshake`.
    var phase: String { get }
    /// What it is, for messages such as `TLS handshake with PEER failed`.
    var title: String { get }
}

extension Handshake {
    func settle() -> Bool { false }
}

/// Why a connection is not established.
package struct HandshakeError: Error, Equatable {
    /// The problem, as text.
    package let message: String
    /// Suggested remedies, or related details.
    package var hints: [String]
    /// Whether the peer refuses the connection for a lasting reason, such as a certificate: retrying will not help.
    package var isRefusal = false

    package init(message: String, hint: String? = nil, isRefusal: Bool = false) {
        self.message = message
        hints = hint.map { [$0] } ?? []
        self.isRefusal = isRefusal
    }
}
