import COpenSSL
import Glibc
import Reactor

/// The certificates and the key in a file: PEM, DER (X.509, PKCS#8 and the older key formats) or PKCS#12 (RFC 7292).
///
/// It owns the certificates and the key. The error for a file of another kind names the format and how to convert it.
final class CredentialFile {
    /// The certificates, in the order of the file (X509).
    let certificates: [OpaquePointer]
    /// The first key in the file (EVP_PKEY), or nil.
    let key: OpaquePointer?
    /// Why there is no key although the file contains one: it is encrypted.
    private(set) var lock: HandshakeError?

    /// The maximum size of a certificate file in bytes; a system's bundle has about 200 KB.
    private static let maximum = 16 << 20

    /// Reads the file at `path`; `password` decrypts encrypted contents.
    ///
    /// - Throws: when the file cannot be read, or contains neither certificates nor a key.
    init(_ path: SystemString, password: [UInt8]?) throws(HandshakeError) {
        let bytes = try Self.bytes(of: path)
        let secret = Password(password)
        ERR_clear_error()
        let found =
            bytes.contains(Self.pemMark)
            ? try Self.readPEM(bytes, path, secret) : try Self.readDER(bytes, path, secret)
        ERR_clear_error()
        (certificates, key) = (found.certificates, found.key)
        if key == nil, secret.wasAsked { lock = Self.locked(path, secret) }
        guard certificates.isEmpty, key == nil else { return }
        throw lock ?? Self.unknown(path, bytes)
    }

    deinit {
        for certificate in certificates { X509_free(certificate) }
        EVP_PKEY_free(key)
    }

    private typealias Found = (certificates: [OpaquePointer], key: OpaquePointer?)

    // MARK: Reading

    private static func bytes(of path: SystemString) throws(HandshakeError) -> [UInt8] {
        let descriptor = path.withCString { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
        guard descriptor >= 0 else {
            throw HandshakeError(message: "cannot read \(path): \(WireFailure(number: errno).message)")
        }
        defer { close(descriptor) }
        // Waiting for another program to write first would block everything else.
        var status = stat()
        guard fstat(descriptor, &status) == 0, [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) else {
            throw HandshakeError(message: "\(path) is not a regular file", hint: "copy its contents to a file first")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count >= 0 else {
                throw HandshakeError(message: "cannot read \(path): \(WireFailure(number: errno).message)")
            }
            if count == 0 { break }
            bytes += buffer.prefix(count)
            if bytes.count > maximum { throw HandshakeError(message: "\(path) is too large for a certificate file") }
        }
        if bytes.isEmpty { throw HandshakeError(message: "\(path) is empty") }
        return bytes
    }

    private static let pemMark = Array("-----BEGIN ".utf8)

    private static func readPEM(_ bytes: [UInt8], _ path: SystemString, _ secret: Password) throws(HandshakeError)
        -> Found
    {
        var certificates: [OpaquePointer] = []
        withBIO(bytes) { bio in
            while let certificate = PEM_read_bio_X509_AUX(bio, nil, secret.callback, secret.pointer) {
                certificates.append(certificate)
            }
        }
        // Reading ends where no more certificates begin; any other error would omit those that follow.
        guard [0, Int32(PEM_R_NO_START_LINE)].contains(TLSErrors.firstReason) else {
            for certificate in certificates { X509_free(certificate) }
            throw HandshakeError(message: "\(path) contains a damaged certificate")
        }
        ERR_clear_error()
        let key = withBIO(bytes) { PEM_read_bio_PrivateKey($0, nil, secret.callback, secret.pointer) } ?? nil
        return (certificates, key)
    }

    private static func readDER(
        _ bytes: [UInt8], _ path: SystemString, _ secret: Password
    ) throws(HandshakeError) -> Found {
        if let certificate = withBIO(bytes, { d2i_X509_bio($0, nil) }) ?? nil { return ([certificate], nil) }
        if let container = withBIO(bytes, { d2i_PKCS12_bio($0, nil) }) ?? nil {
            defer { PKCS12_free(container) }
            return try open(container, path, secret)
        }
        if let key = withBIO(bytes, { d2i_PrivateKey_bio($0, nil) }) ?? nil { return ([], key) }
        let locked = withBIO(bytes) { d2i_PKCS8PrivateKey_bio($0, nil, secret.callback, secret.pointer) }
        return ([], locked ?? nil)
    }

    private static func open(
        _ container: OpaquePointer, _ path: SystemString, _ secret: Password
    ) throws(HandshakeError) -> Found {
        var key: OpaquePointer?
        var certificate: OpaquePointer?
        var others: OpaquePointer?
        // C would use only the part before a NUL.
        guard !secret.holdsNUL else { throw locked(path, secret) }
        ERR_clear_error()
        // Without a password, both forms of none are tried: an empty string and a null pointer.
        let isOpen = secret.withCString { password in
            PKCS12_parse(container, password, &key, &certificate, &others) == 1
                || secret.isEmpty && PKCS12_parse(container, nil, &key, &certificate, &others) == 1
        }
        guard isOpen else {
            // OpenSSL has two error codes for an algorithm that this program does not support.
            let isOld = [Int32(EVP_R_UNSUPPORTED_ALGORITHM), c_ERR_R_UNSUPPORTED()].contains(TLSErrors.firstReason)
            let message = TLSErrors.takeMessage()
            if isOld {
                throw HandshakeError(
                    message: "\(path) is encrypted with an obsolete cipher, such as RC2",
                    hint: "convert it: openssl pkcs12 -legacy -in \(path) -nodes -out FILE")
            }
            if message.includes("mac verify") || message.includes("decrypt") { throw locked(path, secret) }
            throw HandshakeError(message: "\(path) cannot be read as PKCS#12: \(message)")
        }
        var certificates = [certificate].compactMap { $0 }
        for index in 0..<max(0, c_sk_X509_num(others)) {
            if let other = c_sk_X509_value(others, index), X509_up_ref(other) == 1 { certificates.append(other) }
        }
        c_sk_X509_pop_free(others)
        return (certificates, key)
    }

    @discardableResult
    private static func withBIO<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result) -> Result? {
        bytes.withUnsafeBytes { buffer in
            guard let bio = BIO_new_mem_buf(buffer.baseAddress, Int32(clamping: buffer.count)) else { return nil }
            defer { BIO_free(bio) }
            return body(bio)
        }
    }

    // MARK: Errors

    /// Returns the error for an encrypted file with no password or a wrong one.
    private static func locked(_ path: SystemString, _ secret: Password) -> HandshakeError {
        secret.isEmpty
            ? HandshakeError(
                message: "\(path) is encrypted with a password", hint: "give the password: --key-password ${NAME}")
            : HandshakeError(message: "wrong password for \(path) (--key-password)")
    }

    /// Returns an error with the actual format of the file and how to convert it.
    private static func unknown(_ path: SystemString, _ bytes: [UInt8]) -> HandshakeError {
        if let label = label(of: bytes) {
            switch label {
            case "PKCS7", "CMS": return packed(path, "")
            case "OPENSSH PRIVATE KEY":
                return HandshakeError(
                    message: "\(path) is a key in OpenSSH format",
                    hint: "convert a copy: ssh-keygen -p -m PEM -f COPY")
            case let key where key.hasSuffix("PRIVATE KEY"):
                return HandshakeError(
                    message: "\(path) contains a key that is damaged or of an unknown type")
            default: return HandshakeError(message: "\(path) contains neither a certificate nor a key, but: \(label)")
            }
        }
        if let bundle = withBIO(bytes, { d2i_PKCS7_bio($0, nil) }) ?? nil {
            PKCS7_free(bundle)
            return packed(path, "-inform DER ")
        }
        if bytes.starts(with: [0xFE, 0xED, 0xFE, 0xED]) {
            return HandshakeError(
                message: "\(path) is a Java key store",
                hint:
                    "convert it: keytool -importkeystore -srckeystore \(path) -destkeystore FILE -deststoretype PKCS12"
            )
        }
        return HandshakeError(message: "\(path) contains no certificate or key in PEM, DER or PKCS#12")
    }

    private static func packed(_ path: SystemString, _ option: String) -> HandshakeError {
        HandshakeError(
            message: "\(path) contains certificates in PKCS#7",
            hint: "extract them: openssl pkcs7 \(option)-print_certs -in \(path) -out FILE")
    }

    /// Returns the label after the first `-----BEGIN`.
    private static func label(of bytes: [UInt8]) -> String? {
        guard let start = bytes.firstIndex(ofRun: pemMark) else { return nil }
        let label = bytes[(start + pemMark.count)...].prefix { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "\n") }
        return String(lossless: label.prefix(40))
    }
}

/// The password that OpenSSL gets when it asks for one: the given one, never one from the terminal.
private final class Password {
    private let bytes: [UInt8]?
    /// Whether OpenSSL has asked.
    private var asked = false

    init(_ bytes: [UInt8]?) {
        self.bytes = bytes
    }

    var isEmpty: Bool { bytes?.isEmpty ?? true }
    var wasAsked: Bool { asked }

    /// The user data for `callback`.
    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    /// Writes the password to OpenSSL's buffer (pem_password_cb(3)).
    let callback: @convention(c) (UnsafeMutablePointer<CChar>?, CInt, CInt, UnsafeMutableRawPointer?) -> CInt = {
        buffer, room, _, data in
        guard let data, let buffer else { return -1 }
        let password = Unmanaged<Password>.fromOpaque(data).takeUnretainedValue()
        password.asked = true
        guard let bytes = password.bytes, bytes.count <= Int(room) else { return -1 }
        for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
        return CInt(bytes.count)
    }

    var holdsNUL: Bool { bytes?.contains(0) == true }

    /// Calls `body` with the password, or an empty one, as a C string; it must not contain a NUL.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (SystemString(bytes ?? []) ?? "").withCString(body)
    }
}

extension [UInt8] {
    /// Returns the first index of `run`, which has one or more bytes, or nil.
    fileprivate func firstIndex(ofRun run: [UInt8]) -> Int? {
        var index = startIndex
        while let found = self[index...].firstIndex(of: run[0]) {
            if self[found...].starts(with: run) { return found }
            index = found + 1
        }
        return nil
    }

    fileprivate func contains(_ run: [UInt8]) -> Bool { firstIndex(ofRun: run) != nil }
}
