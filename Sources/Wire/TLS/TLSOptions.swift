import Reactor

/// What a person says about a TLS conversation.
package struct TLSOptions: Equatable, Sendable {
    /// The file with the certificates that are trusted, in place of the system's. A server asks its clients for a
    /// certificate of one of these. Files may be PEM, DER or PKCS#12.
    package var authorities: SystemString?
    /// The file with our certificate and those that lead to its authority.
    package var certificate: SystemString?
    /// The file with the key of our certificate; nil when it stands in the certificate's file.
    package var key: SystemString?
    /// What opens a locked key.
    package var keyPassword: [UInt8]?
    /// The name that the peer's certificate must have, and that it is told (SNI), in place of the address's host.
    package var serverName: String?
    /// The protocols that we offer, the best one first (RFC 7301, ALPN).
    package var protocols: [[UInt8]] = []
    /// The peer's certificate is not refused, whatever is wrong with it.
    package var isInsecure = false

    package init() {}
}

/// Why there is no TLS conversation.
package struct TLSError: Error, Equatable {
    /// What happened, in words.
    package let message: String
    /// What can be done about it, or what belongs to it.
    package var hints: [String]
    /// The peer is there and speaks TLS, but its certificate is refused: trying again will not help.
    package var isRefusal = false

    package init(message: String, hint: String? = nil, isRefusal: Bool = false) {
        self.message = message
        hints = hint.map { [$0] } ?? []
        self.isRefusal = isRefusal
    }
}
