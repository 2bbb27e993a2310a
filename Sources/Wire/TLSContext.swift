import COpenSSL
import Glibc

/// What TLS conversations of one side and kind have in common: trust, our certificate, versions (SSL_CTX_new(3)).
///
/// Making one reads files; nothing of OpenSSL is touched before the first is made, so that programs without TLS do not
/// pay for it.
package final class TLSContext {
    /// Which side of the handshake is ours.
    package enum Role: Sendable {
        case client, server
    }

    let pointer: OpaquePointer
    let role: Role
    package let options: TLSOptions
    /// The protocols as they go over the wire: each behind its length.
    fileprivate let protocols: UnsafeMutableBufferPointer<UInt8>

    /// - Throws: when a file cannot be read or does not hold what it should.
    package init(_ role: Role, _ options: TLSOptions) throws(TLSError) {
        guard let pointer = SSL_CTX_new(role == .client ? TLS_client_method() : TLS_server_method()) else {
            throw TLSError(message: "TLS is not available: \(TLSErrors.takeWords())")
        }
        self.pointer = pointer
        self.role = role
        self.options = options
        let list = options.protocols.flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) }
        protocols = .allocate(capacity: list.count)
        _ = protocols.initialize(from: list)
        ERR_clear_error()
        c_SSL_CTX_set_min_proto_version(pointer, TLS1_2_VERSION)
        c_SSL_CTX_set_mode(pointer)
        c_SSL_CTX_set_options(pointer)
        c_SSL_CTX_set_read_ahead(pointer)
        // Otherwise OpenSSL would ask for it on the terminal.
        SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, wasAsked in
            wasAsked?.assumingMemoryBound(to: Bool.self).pointee = true
            return -1
        }
        try useCertificate()
        try trust()
        offerProtocols()
        if role == .client { listenForVerdict() }
    }

    deinit {
        SSL_CTX_free(pointer)
        protocols.deallocate()
    }

    private func useCertificate() throws(TLSError) {
        guard let certificate = options.certificate else {
            guard role == .client else { throw TLSError(message: "a TLS server needs --cert FILE, and --key FILE") }
            guard options.key == nil else {
                throw TLSError(message: "--key is the key of a certificate: give --cert too")
            }
            return
        }
        try requireReadable(certificate)
        guard SSL_CTX_use_certificate_chain_file(pointer, certificate) == 1 else {
            throw TLSError(message: "\(certificate) holds no certificate in PEM: \(TLSErrors.takeWords())")
        }
        let key = options.key ?? certificate
        try requireReadable(key)
        var isLocked = false
        let isRead = withUnsafeMutablePointer(to: &isLocked) { wasAsked in
            SSL_CTX_set_default_passwd_cb_userdata(pointer, wasAsked)
            defer { SSL_CTX_set_default_passwd_cb_userdata(pointer, nil) }
            return SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1
        }
        guard !isRead else { return }
        // The key was read, and is another certificate's.
        let isOther = TLSErrors.lastReason == X509_R_KEY_VALUES_MISMATCH
        let words = TLSErrors.takeWords()
        if isOther {
            throw TLSError(message: "the key in \(key) does not belong to the certificate in \(certificate)")
        }
        throw isLocked
            ? TLSError(
                message: "\(key) is locked with a password", hint: "unlock it: openssl pkey -in \(key) -out FILE")
            : options.key == nil
                ? TLSError(message: "\(key) holds a certificate and no key", hint: "give its key: --key FILE")
                : TLSError(message: "\(key) holds no key in PEM: \(words)")
    }

    private func trust() throws(TLSError) {
        if let authorities = options.authorities {
            try requireReadable(authorities)
            guard SSL_CTX_load_verify_file(pointer, authorities) == 1 else {
                throw TLSError(message: "\(authorities) holds no certificate in PEM: \(TLSErrors.takeWords())")
            }
            // A certificate that is named is trusted, also when it is not an authority's own.
            X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(pointer), UInt(X509_V_FLAG_PARTIAL_CHAIN))
            if role == .server { SSL_CTX_set_client_CA_list(pointer, SSL_load_client_CA_file(authorities)) }
        } else if role == .client {
            SSL_CTX_set_default_verify_paths(pointer)
        }
        guard role == .client || options.authorities != nil else { return }
        let mode = role == .client ? SSL_VERIFY_PEER : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        SSL_CTX_set_verify(pointer, mode) { isGood, store in
            guard let store, let transport = TLSTransport.of(c_X509_STORE_CTX_get_ssl(store)) else { return isGood }
            return transport.judge(isGood: isGood == 1, store) ? 1 : 0
        }
        // The session of a server that verifies its clients has a name, as OpenSSL demands.
        if role == .server { SSL_CTX_set_session_id_context(pointer, "muxsh", 5) }
    }

    private func offerProtocols() {
        guard !protocols.isEmpty else { return }
        if role == .client {
            SSL_CTX_set_alpn_protos(pointer, protocols.baseAddress, UInt32(protocols.count))
            return
        }
        SSL_CTX_set_alpn_select_cb(
            pointer,
            { _, chosen, length, offered, count, data in
                guard let data, let chosen, let length else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                let context = Unmanaged<TLSContext>.fromOpaque(data).takeUnretainedValue()
                // What is chosen must stay where it is: it is taken from our list, which the context keeps.
                let ours = context.protocols
                var found: UnsafeMutablePointer<UInt8>?
                let result = SSL_select_next_proto(
                    &found, length, ours.baseAddress, UInt32(ours.count), offered, count)
                chosen.pointee = UnsafePointer(found)
                return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Tells the transport when the server asks for a certificate, and when it goes on (`TLSTransport.verdict`).
    private func listenForVerdict() {
        SSL_CTX_set_cert_cb(
            pointer,
            { ssl, _ in
                TLSTransport.of(ssl)?.wasAskedForCertificate = true
                return 1
            }, nil)
        c_SSL_CTX_tell_tickets(pointer)
        SSL_CTX_sess_set_new_cb(pointer) { ssl, _ in
            TLSTransport.of(ssl)?.hasTicket = true
            return 0
        }
    }

    private func requireReadable(_ path: String) throws(TLSError) {
        guard access(path, R_OK) != 0 else { return }
        let words = WireFailure(number: errno).words
        throw TLSError(message: "cannot read \(path): \(words)")
    }
}

/// OpenSSL's queue of errors in words (ERR_get_error(3)).
enum TLSErrors {
    /// The reason of the error that came last, which stays in the queue.
    static var lastReason: Int32 { c_ERR_GET_REASON(ERR_peek_last_error()) }

    /// The words of the error that came first, which led to the others; the queue is empty afterwards.
    static func takeWords() -> String {
        let error = ERR_peek_error()
        ERR_clear_error()
        guard error != 0, let words = ERR_reason_error_string(error) else { return "no reason given" }
        return String(cString: words)
    }
}
