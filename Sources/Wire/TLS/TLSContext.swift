import COpenSSL
import Glibc
import Reactor

/// The settings shared by TLS connections of one side and kind: trust, our certificate, versions (SSL_CTX_new(3)).
///
/// Creating one reads files. OpenSSL is not used before the first is created, so programs without TLS do not pay for
/// it.
package final class TLSContext {
    /// Our side of the handshake.
    package enum Role: Sendable {
        case client, server
    }

    let pointer: OpaquePointer
    let role: Role
    package let options: TLSOptions
    /// The protocols in wire format, each preceded by its length.
    fileprivate let protocols: UnsafeMutableBufferPointer<UInt8>
    /// Problems with the authority locations that the environment names: why a certificate may not be trusted.
    private(set) var trustProblems: [String] = []

    /// - Throws: when a file cannot be read or lacks the expected contents.
    package init(_ role: Role, _ options: TLSOptions) throws(HandshakeError) {
        guard let pointer = SSL_CTX_new(role == .client ? TLS_client_method() : TLS_server_method()) else {
            throw HandshakeError(message: "TLS is not available: \(TLSErrors.takeMessage())")
        }
        self.pointer = pointer
        self.role = role
        self.options = options
        let list = options.protocols.flatMap { [UInt8(truncatingIfNeeded: $0.count)] + $0 }
        protocols = .allocate(capacity: list.count)
        _ = protocols.initialize(from: list)
        ERR_clear_error()
        c_SSL_CTX_set_min_proto_version(pointer, TLS1_2_VERSION)
        c_SSL_CTX_set_mode(pointer)
        c_SSL_CTX_set_options(pointer)
        c_SSL_CTX_set_read_ahead(pointer)
        try useCertificate()
        try trust()
        offerProtocols()
        if role == .client { listenForVerdict() }
    }

    deinit {
        SSL_CTX_free(pointer)
        protocols.deallocate()
    }

    /// Loads our certificate, its chain and its key, which must match.
    private func useCertificate() throws(HandshakeError) {
        guard let path = options.certificate else {
            guard role == .client else {
                throw HandshakeError(message: "a TLS server needs --cert FILE and --key FILE")
            }
            guard options.key == nil else {
                throw HandshakeError(message: "--key needs --cert")
            }
            return
        }
        let file = try CredentialFile(path, password: options.keyPassword)
        guard let certificate = file.certificates.first else {
            throw HandshakeError(
                message: "\(path) contains a key but no certificate", hint: "give its certificate: --cert FILE")
        }
        let keyPath = options.key ?? path
        let keyFile = try options.key.map { path throws(HandshakeError) in
            try CredentialFile(path, password: options.keyPassword)
        }
        guard let key = (keyFile ?? file).key else {
            if let lock = (keyFile ?? file).lock { throw lock }
            throw options.key == nil
                ? HandshakeError(message: "\(path) contains a certificate but no key", hint: "give its key: --key FILE")
                : HandshakeError(message: "\(keyPath) contains a certificate but no key")
        }
        ERR_clear_error()
        guard X509_check_private_key(certificate, key) == 1 else {
            ERR_clear_error()
            throw HandshakeError(message: "the key in \(keyPath) does not match the certificate in \(path)")
        }
        let isUsed =
            SSL_CTX_use_certificate(pointer, certificate) == 1
            && file.certificates.dropFirst().allSatisfy { c_SSL_CTX_add1_chain_cert(pointer, $0) == 1 }
            && SSL_CTX_use_PrivateKey(pointer, key) == 1
        guard isUsed else {
            throw HandshakeError(message: "the certificate in \(path) cannot be used: \(TLSErrors.takeMessage())")
        }
    }

    private func trust() throws(HandshakeError) {
        if let path = options.authorities {
            let file = try CredentialFile(path, password: options.keyPassword)
            guard !file.certificates.isEmpty else {
                throw HandshakeError(message: "\(path) contains a key but no certificate")
            }
            let store = SSL_CTX_get_cert_store(pointer)
            for certificate in file.certificates {
                X509_STORE_add_cert(store, certificate)
                if role == .server { SSL_CTX_add_client_CA(pointer, certificate) }
            }
            // A certificate in the file is trusted even if it is not a root certificate.
            X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(pointer), UInt(X509_V_FLAG_PARTIAL_CHAIN))
        } else if role == .client {
            trustSystem()
        }
        ERR_clear_error()
        guard role == .client || options.authorities != nil else { return }
        let mode = role == .client ? SSL_VERIFY_PEER : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        SSL_CTX_set_verify(pointer, mode) { isGood, store in
            guard let store, let transport = TLSTransport.of(c_X509_STORE_CTX_get_ssl(store)) else { return isGood }
            return transport.judge(isGood: isGood == 1, store) ? 1 : 0
        }
        // OpenSSL requires a session ID context for a server that verifies its clients.
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
                // The chosen protocol must stay in place: it points into our list, which the context keeps.
                let ours = context.protocols
                var found: UnsafeMutablePointer<UInt8>?
                let result = SSL_select_next_proto(
                    &found, length, ours.baseAddress, UInt32(ours.count), offered, count)
                chosen.pointee = UnsafePointer(found)
                return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Notifies the transport when the server requests a certificate, and when it continues (`TLSTransport.verdict`).
    private func listenForVerdict() {
        SSL_CTX_set_cert_cb(
            pointer,
            { ssl, _ in
                TLSTransport.of(ssl)?.wasAskedForCertificate = true
                return 1
            }, nil)
        c_SSL_CTX_tell_tickets(pointer)
        SSL_CTX_sess_set_new_cb(pointer) { ssl, session in
            guard let session, let transport = TLSTransport.of(ssl) else { return 0 }
            transport.ticket.take(session)
            return 1
        }
    }

    /// Trusts the system's authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name.
    /// SSL_CTX_set_default_verify_paths(3) would take an empty variable for an empty file name.
    private func trustSystem() {
        let named = (file: Environment.setting("SSL_CERT_FILE"), folders: Environment.setting("SSL_CERT_DIR"))
        let file = named.file ?? SystemString(copying: X509_get_default_cert_file())
        let folders = named.folders ?? SystemString(copying: X509_get_default_cert_dir())
        if let message = problem(loading: file), named.file != nil {
            trustProblems.append("SSL_CERT_FILE is \(file): \(message)")
        }
        _ = folders.withCString { SSL_CTX_load_verify_dir(pointer, $0) }
        guard let named = named.folders else { return }
        for folder in named.bytes.split(separator: UInt8(ascii: ":")).compactMap({ SystemString($0) }) {
            var status = stat()
            let exists = folder.withCString { stat($0, &status) } == 0
            let isFolder = exists && status.st_mode & S_IFMT == S_IFDIR
            if isFolder && folder.withCString({ access($0, R_OK | X_OK) }) == 0 { continue }
            let message = exists && !isFolder ? "it is not a directory" : WireFailure(number: errno).message
            trustProblems.append("SSL_CERT_DIR names \(folder): \(message)")
        }
    }

    /// Trusts the authorities in a file; returns the problem with the file, or nil.
    private func problem(loading file: SystemString) -> String? {
        var status = stat()
        guard file.withCString({ stat($0, &status) }) == 0, file.withCString({ access($0, R_OK) }) == 0 else {
            return WireFailure(number: errno).message
        }
        // OpenSSL would block on a pipe.
        guard status.st_mode & S_IFMT == S_IFREG else { return "it is not a regular file" }
        let isLoaded = file.withCString { SSL_CTX_load_verify_file(pointer, $0) } == 1
        return isLoaded ? nil : "it contains no valid PEM certificates"
    }
}

/// OpenSSL's error queue as text (ERR_get_error(3)).
enum TLSErrors {
    /// The reason of the latest error, which stays in the queue.
    static var lastReason: Int32 { c_ERR_GET_REASON(ERR_peek_last_error()) }

    /// The reason of the earliest error, which stays in the queue.
    static var firstReason: Int32 { c_ERR_GET_REASON(ERR_peek_error()) }

    /// Returns the message of the earliest error, which led to the others; clears the queue.
    static func takeMessage() -> String {
        let error = ERR_peek_error()
        ERR_clear_error()
        guard error != 0, let message = ERR_reason_error_string(error) else { return "no reason given" }
        return String(cString: message)
    }
}
