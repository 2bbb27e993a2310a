import COpenSSL

/// What a server has given a client to resume its TLS session with: the last ticket (RFC 8446, 2.2), or the session
/// itself before TLS 1.3.
///
/// It outlives its connection. Over TLS 1.3 it arrives after the handshake.
package final class TLSTicket {
    /// The options and the host that the session was verified with: resuming does not verify again.
    let options: TLSOptions
    let host: String
    /// The problem with the certificate that --insecure has accepted, or nil.
    var doubt: String?
    /// Called when it arrives, by the objects that wait for it.
    package var waiters: [ObjectIdentifier: () -> Void] = [:]
    private(set) var session: OpaquePointer?

    init(_ options: TLSOptions, host: String) {
        self.options = options
        self.host = host
    }

    deinit {
        SSL_SESSION_free(session)
    }

    /// Whether it has arrived.
    package var isThere: Bool { session != nil }

    /// Takes ownership of a session.
    func take(_ session: OpaquePointer) {
        SSL_SESSION_free(self.session)
        self.session = session
        let waiting = waiters.values
        waiters = [:]
        for resume in waiting { resume() }
    }

    /// Returns a copy that the caller owns: the connection that uses a session changes it.
    func copySession() -> OpaquePointer? { session.flatMap { SSL_SESSION_dup($0) } }

    /// Whether a connection with these options would have been verified in the same way.
    func covers(_ other: TLSOptions, host: String) -> Bool {
        self.host == host && options.authorities == other.authorities && options.isInsecure == other.isInsecure
    }
}
