import Reactor

/// The user's options for a TLS connection.
package struct TLSOptions: Equatable, Sendable {
    /// The file with the trusted certificates, which replace the system's. A server requests a certificate issued by
    /// one of them from its clients. Files may be PEM, DER or PKCS#12.
    package var authorities: SystemString?
    /// The file with our certificate and the chain to its authority.
    package var certificate: SystemString?
    /// The file with the key of our certificate; nil if the certificate's file contains it.
    package var key: SystemString?
    /// The password of an encrypted key.
    package var keyPassword: [UInt8]?
    /// The name that the peer's certificate must have, also sent to the peer (SNI), instead of the address's host.
    package var serverName: String?
    /// The protocols that we offer, in order of preference (RFC 7301, ALPN).
    package var protocols: [[UInt8]] = []
    /// Whether to accept the peer's certificate, whatever is wrong with it.
    package var isInsecure = false

    package init() {}
}
