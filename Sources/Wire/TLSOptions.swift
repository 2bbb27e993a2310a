/// What a person says about a TLS conversation.
package struct TLSOptions: Equatable, Sendable {
    /// The file with the certificates that are trusted, in place of the system's (PEM). A server asks its clients for a
    /// certificate of one of these.
    package var authorities: String?
    /// The file with our certificate and those that lead to its authority (PEM).
    package var certificate: String?
    /// The file with the key of our certificate (PEM); nil when it stands in the certificate's file.
    package var key: String?
    /// The name that the peer's certificate must have, and that it is told (SNI), in place of the address's host.
    package var serverName: String?
    /// The protocols that we offer, the best one first (RFC 7301, ALPN).
    package var protocols: [String] = []
    /// The peer's certificate is not refused, whatever is wrong with it.
    package var isInsecure = false

    package init() {}
}

/// Why there is no TLS conversation.
package struct TLSError: Error, Equatable {
    /// What happened, in words.
    package let message: String
    /// What can be done about it, or nil.
    package var hint: String?
    /// The peer is there and speaks TLS, but its certificate is refused: trying again will not help.
    package var isRefusal = false

    package init(message: String, hint: String? = nil, isRefusal: Bool = false) {
        self.message = message
        self.hint = hint
        self.isRefusal = isRefusal
    }
}
