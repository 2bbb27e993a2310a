import COpenSSL
import Glibc
import Reactor

/// The relevant fields of a peer's certificate (X.509, RFC 5280).
package struct Certificate: Equatable, Sendable {
    /// The subject, such as `CN=localhost,O=Example` (RFC 2253).
    package let subject: String
    /// The issuer, which signed it.
    package let issuer: String
    /// The host names and addresses it is valid for.
    package let names: [String]
    /// The start and end of its validity, in UTC: `2026-11-23 12:00:00 UTC`.
    package let notBefore: String
    package let notAfter: String
    /// The end of its validity as Unix time in seconds.
    package let expiry: Int?

    /// Reads a certificate, which the caller still owns.
    init(_ certificate: OpaquePointer) {
        subject = Self.text(X509_get_subject_name(certificate))
        issuer = Self.text(X509_get_issuer_name(certificate))
        names = Self.names(of: certificate)
        notBefore = Self.text(X509_get0_notBefore(certificate))
        notAfter = Self.text(X509_get0_notAfter(certificate))
        var parts = tm()
        expiry = ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) == 1 ? timegm(&parts) : nil
    }

    /// The first of its names, or its subject if it has none.
    package var title: String { names.first ?? subject }

    private static func text(_ name: OpaquePointer?) -> String {
        guard let name, let bio = BIO_new(BIO_s_mem()) else { return "?" }
        defer { BIO_free(bio) }
        // The name is made printable where it is shown.
        c_X509_NAME_print_ex(bio, name)
        var data: UnsafeMutablePointer<CChar>?
        let count = c_BIO_get_mem_data(bio, &data)
        return String(lossless: UnsafeRawBufferPointer(start: data, count: max(0, count)))
    }

    private static func text(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return "?" }
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(1900 + parts.tm_year)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) UTC"
    }

    private static func names(of certificate: OpaquePointer) -> [String] {
        guard let list = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return [] }
        let names = OpaquePointer(list)
        defer { GENERAL_NAMES_free(names) }
        return (0..<c_sk_GENERAL_NAME_num(names)).compactMap { index in
            guard let name = c_sk_GENERAL_NAME_value(names, index) else { return nil }
            var kind: Int32 = 0
            guard let value = GENERAL_NAME_get0_value(name, &kind) else { return nil }
            let string = value.assumingMemoryBound(to: ASN1_STRING.self)
            let bytes = UnsafeRawBufferPointer(
                start: ASN1_STRING_get0_data(string), count: Int(ASN1_STRING_length(string)))
            switch kind {
            case GEN_DNS: return String(lossless: bytes)
            case GEN_IPADD: return address(bytes)
            default: return nil
            }
        }
    }

    private static func address(_ bytes: UnsafeRawBufferPointer) -> String? {
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
