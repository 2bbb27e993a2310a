import COpenSSL
import Glibc
import Reactor
import Sockets
import SystemPackage

/// The results of a TLS handshake.
package struct TLSDetails: Equatable, Sendable {
    /// `TLSv1.3`.
    package let version: String
    /// `TLS_AES_256_GCM_SHA384`.
    package let cipher: String
    /// The protocol chosen with ALPN, or nil.
    package let chosenProtocol: String?
    /// The name that was requested or verified, or nil.
    package let serverName: String?
    /// The peer's certificate, or nil if it presented none.
    package let certificate: Certificate?
    /// The problem with the certificate, or nil if it was verified.
    package let doubt: String?
    /// Whether it resumes an earlier session.
    package let isResumed: Bool
}

/// TLS over a connected stream socket (OpenSSL 3). The descriptor to watch is the socket's.
///
/// Invariants: the error queue is empty before each call into OpenSSL. After a failure OpenSSL is not called again,
/// except to look for an alert after a write to a closed connection: it may give the reason. A read takes all complete
/// records that are available while the buffer has room, so OpenSSL buffers bytes only if the buffer was too small;
/// `hasBufferedInput` then reports it. An outcome that a read met after the bytes it returned is kept for the next
/// read. Renegotiation is off, so a write never has to read; a read may have to write (a key update, RFC 8446, 4.6.3).
package final class TLSTransport: Transport {
    private let socket: SocketTransport
    private let context: TLSContext
    private let ssl: OpaquePointer
    private let host: String
    /// The outcome that a read met after the bytes it returned.
    private var deferred: ReadOutcome?
    private var mayHoldBytes = false
    private var isReset = false
    /// Whether no close_notify is sent at the end: TLS has failed or was not established.
    private var isSilent = true
    private var hasEnded = false
    /// The problem with the peer's certificate.
    private var refusal: HandshakeError?
    /// Whether the server has requested our certificate.
    var wasAskedForCertificate = false
    /// What the server has given us to resume the session with, as it does once it has completed the handshake too
    /// (RFC 8446, 4.6.1).
    package let ticket: TLSTicket
    /// The ticket of the session that this one should resume, or nil.
    private let resumed: TLSTicket?

    package let kind = TransportKind.tls
    package private(set) var needsWriteToRead = false
    package private(set) var details: TLSDetails?

    /// The state of a handshake.
    enum Handshake {
        case done
        case needsRead
        case needsWrite
        /// Done on our side, but the server may still refuse our certificate.
        case needsVerdict
        case failed(HandshakeError)
    }

    /// Prepares a TLS connection over `socket`; `handshake` begins it.
    ///
    /// - Parameter host: the name or address used to reach the peer; its certificate must be valid for it.
    /// - Parameter ticket: that of the session to resume, or nil. It must have been verified with the same options.
    package init(
        over socket: SocketTransport, _ context: TLSContext, host: String, resuming ticket: TLSTicket? = nil
    ) throws(HandshakeError) {
        let host = Self.withoutDot(context.options.serverName ?? host)
        if let ticket, !ticket.covers(context.options, host: host) {
            throw HandshakeError(
                message: "the session to resume was verified with another host, --ca, --servername or --insecure",
                isRefusal: true)
        }
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer) else {
            throw HandshakeError(message: "TLS is not available: \(TLSErrors.takeMessage())")
        }
        self.socket = socket
        self.context = context
        self.ssl = ssl
        self.host = host
        self.ticket = TLSTicket(context.options, host: host)
        resumed = ticket
        SSL_set_fd(ssl, socket.descriptor)
        c_SSL_set_app_data(ssl, Unmanaged.passUnretained(self).toOpaque())
        if context.role == .client {
            SSL_set_connect_state(ssl)
            if let copy = ticket?.copySession() {
                SSL_set_session(ssl, copy)
                SSL_SESSION_free(copy)
            }
            name()
        } else {
            SSL_set_accept_state(ssl)
        }
    }

    deinit {
        // Sends close_notify if it has not been sent, as far as the kernel accepts it immediately.
        if !isSilent, !isReset, !hasEnded {
            ERR_clear_error()
            SSL_shutdown(ssl)
        }
        SSL_free(ssl)
    }

    package var descriptor: Int32 { socket.descriptor }
    package var hasBufferedInput: Bool { mayHoldBytes || deferred != nil }

    /// Continues the handshake as far as possible now.
    func handshake() -> Handshake {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            if details == nil { note() }
            isSilent = false
            // Data that followed the peer's last handshake message was read with it.
            mayHoldBytes = true
            return verdict()
        }
        let systemError = errno
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .needsRead
        case SSL_ERROR_WANT_WRITE: return .needsWrite
        case SSL_ERROR_SYSCALL:
            switch systemError {
            case 0: return .failed(cutShort("the peer closed the connection"))
            case ECONNRESET, EPIPE: return .failed(cutShort("the peer reset the connection"))
            default: return .failed(cutShort(WireFailure(number: systemError).message))
            }
        default: return .failed(handshakeError())
        }
    }

    /// Returns whether the server accepted our certificate. In TLS 1.3 our side completes the handshake before the
    /// server has checked it (RFC 8446, 4.4.2.4); the server's first message shows the result.
    private func verdict() -> Handshake {
        let isDue = wasAskedForCertificate && !ticket.isThere && SSL_version(ssl) == TLS1_3_VERSION
        guard isDue, deferred == nil else { return .done }
        var byte: UInt8 = 0
        var count = 0
        ERR_clear_error()
        let result = SSL_peek_ex(ssl, &byte, 1, &count)
        if result == 1 || ticket.isThere { return .done }
        let systemError = errno
        let code = SSL_get_error(ssl, result)
        if code == SSL_ERROR_WANT_READ { return .needsVerdict }
        if code == SSL_ERROR_SSL, Self.alert(TLSErrors.lastReason) != nil {
            isSilent = true
            return .failed(handshakeError())
        }
        errno = systemError
        deferred = readOutcome(result)
        return .done
    }

    /// Returns a host name without its final DNS dot, which belongs neither in SNI (RFC 6066, section 3) nor in
    /// certificate names; an IPv6 address without its interface.
    private static func withoutDot(_ host: String) -> String {
        if host.contains(":") { return String(host.prefix { $0 != "%" }) }
        return host.hasSuffix(".") ? String(host.dropLast()) : host
    }

    /// Returns the transport that an OpenSSL callback concerns.
    static func of(_ ssl: OpaquePointer?) -> TLSTransport? {
        guard let ssl, let data = c_SSL_get_app_data(ssl) else { return nil }
        return Unmanaged<TLSTransport>.fromOpaque(data).takeUnretainedValue()
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        mayHoldBytes = false
        if let outcome = deferred {
            deferred = nil
            return outcome
        }
        var filled = 0
        while filled < buffer.count {
            var count = 0
            ERR_clear_error()
            let result = SSL_read_ex(ssl, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, &count)
            guard result == 1 else {
                let outcome = readOutcome(result)
                if filled == 0 { return outcome }
                if case .wouldBlock = outcome {} else { deferred = outcome }
                return .bytes(filled)
            }
            needsWriteToRead = false
            filled += count
        }
        mayHoldBytes = true
        return .bytes(filled)
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        var written = 0
        while written < bytes.count {
            var count = 0
            ERR_clear_error()
            let result = SSL_write_ex(ssl, bytes.baseAddress.map { $0 + written }, bytes.count - written, &count)
            guard result == 1 else {
                let failure = errno
                let code = SSL_get_error(ssl, result)
                if code == SSL_ERROR_WANT_WRITE { return written > 0 ? .wrote(written) : .wouldBlock }
                // Data written earlier is lost with the connection.
                return .failed(
                    code == SSL_ERROR_SYSCALL
                        ? pendingAlert() ?? self.failure(code, failure) : self.failure(code, failure)
                )
            }
            written += count
        }
        return .wrote(written)
    }

    /// Returns the alert that the peer sent before it closed, after a write met the closed connection; the reader gets
    /// it too.
    private func pendingAlert() -> WireFailure? {
        var byte: UInt8 = 0
        var count = 0
        ERR_clear_error()
        let result = SSL_peek_ex(ssl, &byte, 1, &count)
        guard result != 1, deferred == nil, SSL_get_error(ssl, result) == SSL_ERROR_SSL,
            Self.alert(TLSErrors.lastReason) != nil
        else { return nil }
        let failure = failure(SSL_ERROR_SSL, 0)
        deferred = .failed(failure)
        return failure
    }

    /// Sends close_notify and half-closes the underlying stream.
    package func endOutput() -> EndOutcome {
        ERR_clear_error()
        let result = SSL_shutdown(ssl)
        let failure = errno
        if result < 0 {
            let code = SSL_get_error(ssl, result)
            if code == SSL_ERROR_WANT_WRITE { return .wouldBlock }
            // Data the peer sends before its end belongs to the reader: do not wait for the rest of the shutdown.
            if code != SSL_ERROR_WANT_READ { return .failed(self.failure(code, failure)) }
        }
        hasEnded = true
        return socket.endOutput()
    }

    package func resetOnClose() {
        isReset = true
        socket.resetOnClose()
    }

    // MARK: Verification

    /// Sets the name to request (SNI, RFC 6066), for which the certificate must be valid.
    private func name() {
        let isAddress = isNumericAddress(host)
        if !isAddress { c_SSL_set_tlsext_host_name(ssl, host) }
        if isAddress {
            X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
        } else {
            // "*.example.test" may match a name, "w*.example.test" may not (RFC 6125, section 6.4.3).
            SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            SSL_set1_host(ssl, host)
        }
    }

    /// Records a problem that OpenSSL's verification found in the certificate chain; returns whether to continue.
    func judge(isGood: Bool, _ store: OpaquePointer) -> Bool {
        guard !isGood else { return true }
        // Only the first problem is reported.
        if refusal == nil {
            refusal = verificationError(store)
            let code = X509_STORE_CTX_get_error(store)
            if Self.isAboutTrust(code) { refusal?.hints += context.trustProblems }
        }
        return context.options.isInsecure
    }

    /// Whether a certificate is refused because no trusted authority has signed it.
    private static func isAboutTrust(_ code: Int32) -> Bool {
        [
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
        ].contains(code)
    }

    private func verificationError(_ store: OpaquePointer) -> HandshakeError {
        let code = X509_STORE_CTX_get_error(store)
        let certificate = X509_STORE_CTX_get_current_cert(store).map { Certificate($0) }
        let subject = certificate?.subject ?? "?"
        let trustHint = "to trust it, give the certificate of its authority: --ca FILE"
        switch code {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = certificate.map { $0.names.isEmpty ? $0.subject : $0.names.joined(separator: ", ") } ?? "?"
            return HandshakeError(
                message: "the certificate is for \(names), not for \(host)",
                hint: "to verify a different name, use --servername NAME", isRefusal: true)
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return HandshakeError(
                message: "the certificate of \(subject) expired on \(certificate?.notAfter ?? "?")",
                isRefusal: true)
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return HandshakeError(
                message: "the certificate of \(subject) is not valid before \(certificate?.notBefore ?? "?")",
                hint: "check the system clock", isRefusal: true)
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return HandshakeError(
                message: "the certificate of \(subject) is self-signed and not trusted",
                hint: "to trust it, pass it as an authority: --ca FILE", isRefusal: true)
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return HandshakeError(
                message: "the certificate was signed by an authority that is not trusted: \(subject)",
                hint: trustHint, isRefusal: true)
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return HandshakeError(
                message:
                    "the certificate of \(subject) was signed by an unknown authority: \(certificate?.issuer ?? "?")",
                hint: trustHint, isRefusal: true)
        default:
            return HandshakeError(
                message: "the certificate of \(subject) was rejected: \(Self.message(ofVerification: Int(code)))",
                isRefusal: true)
        }
    }

    private static func message(ofVerification code: Int) -> String {
        X509_verify_cert_error_string(code).map { String(cString: $0) } ?? "error \(code)"
    }

    private func note() {
        var chosen: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &chosen, &count)
        let alpn = UnsafeRawBufferPointer(start: chosen, count: chosen == nil ? 0 : Int(count))
        let isServer = context.role == .server
        let name =
            isServer
            ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { SystemString(copying: $0).description } : host
        let isResumed = SSL_session_reused(ssl) == 1
        // A resumed session is not verified again: its certificate is as doubtful as it was.
        let doubt = refusal?.message ?? (isResumed ? resumed?.doubt : nil)
        ticket.doubt = doubt
        details = TLSDetails(
            version: String(cString: SSL_get_version(ssl)),
            cipher: SSL_get_current_cipher(ssl).flatMap { SSL_CIPHER_get_name($0) }.map { String(cString: $0) } ?? "?",
            chosenProtocol: alpn.isEmpty ? nil : String(lossless: alpn), serverName: name,
            certificate: SSL_get0_peer_certificate(ssl).map { Certificate($0) },
            doubt: doubt, isResumed: isResumed)
    }

    // MARK: Failures

    private func readOutcome(_ result: Int32) -> ReadOutcome {
        let systemError = errno
        let code = SSL_get_error(ssl, result)
        needsWriteToRead = code == SSL_ERROR_WANT_WRITE
        switch code {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
        case SSL_ERROR_ZERO_RETURN: return .endOfStream
        case SSL_ERROR_SSL where TLSErrors.lastReason == SSL_R_UNEXPECTED_EOF_WHILE_READING:
            isSilent = true
            return .cut
        case SSL_ERROR_SYSCALL where systemError == 0:
            isSilent = true
            return .cut
        default: return .failed(failure(code, systemError))
        }
    }

    /// Returns why the connection has failed; nothing more is sent over it.
    private func failure(_ code: Int32, _ systemError: Int32) -> WireFailure {
        isSilent = true
        guard code == SSL_ERROR_SSL else { return WireFailure(number: systemError == 0 ? ECONNRESET : systemError) }
        if let alert = Self.alert(TLSErrors.lastReason) {
            ERR_clear_error()
            return .tls("the peer ended TLS with an alert: \(alert)")
        }
        return .tls("TLS failed: \(TLSErrors.takeMessage())")
    }

    private func handshakeError() -> HandshakeError {
        let reason = TLSErrors.lastReason
        let alert = Self.alert(reason)
        let message = TLSErrors.takeMessage()
        switch reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED: return refusal ?? HandshakeError(message: message, isRefusal: true)
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return HandshakeError(message: "the client sent no certificate, but --ca requires one", isRefusal: true)
        case SSL_R_UNEXPECTED_EOF_WHILE_READING: return cutShort("the peer closed the connection")
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_UNEXPECTED_MESSAGE,
            SSL_R_BAD_RECORD_TYPE, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_RECORD_LENGTH_MISMATCH:
            return HandshakeError(message: "the peer does not speak TLS (\(message))")
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return HandshakeError(message: "the peer does not support TLS 1.2 or newer (\(message))", isRefusal: true)
        default:
            if let alert {
                let needsCertificate = wasAskedForCertificate && context.options.certificate == nil
                return HandshakeError(
                    message: "the peer rejected the TLS handshake: \(alert)",
                    hint: needsCertificate
                        ? "the server requires a client certificate: use --cert FILE --key FILE" : nil,
                    isRefusal: true)
            }
            return HandshakeError(message: "the TLS handshake failed: \(message)")
        }
    }

    private func cutShort(_ what: String) -> HandshakeError {
        let place: String =
            switch SSL_get_state(ssl) {
            case TLS_ST_BEFORE, TLS_ST_CW_CLNT_HELLO, TLS_ST_SR_CLNT_HELLO: "before sending anything"
            case TLS_ST_CR_SRVR_HELLO: "after its hello"
            default: "before completing it"
            }
        return HandshakeError(message: "\(what) during the TLS handshake, \(place)")
    }

    /// Returns the text of the alert that the last error's reason represents, or nil if none (SSL_AD_REASON_OFFSET).
    private static func alert(_ reason: Int32) -> String? {
        guard reason >= 1000, reason < 1256 else { return nil }
        // "tlsv13 alert certificate required": the TLS version does not explain the alert.
        let message = ERR_reason_error_string(ERR_peek_last_error()).map { String(cString: $0) } ?? "alert unknown"
        let start = message.split(separator: " ").firstIndex(of: "alert").map { $0 + 1 } ?? 0
        return message.split(separator: " ").dropFirst(start).joined(separator: " ") + " (TLS alert \(reason - 1000))"
    }
}

/// Whether a host is an IPv4 or IPv6 address (inet_pton(3)).
private func isNumericAddress(_ host: String) -> Bool {
    var buffer = in6_addr()
    return inet_pton(AF_INET, host, &buffer) == 1 || inet_pton(AF_INET6, host, &buffer) == 1
}
