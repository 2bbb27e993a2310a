import Script
import Wire

/// A variable `NAME.tls.FACT`: something known of the TLS connection of a session.
package struct TLSFact {
    /// What is known.
    package enum Fact: String, CaseIterable {
        case version, cipher, alpn, subject, issuer
        /// The end of the certificate's validity, as `${now}`: Unix time in milliseconds.
        case expires
    }

    let session: String
    private let fact: Fact

    /// Nil for any other name.
    package init?(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[parts.count - 2] == "tls", let last = parts.last,
            let fact = Fact(rawValue: String(last))
        else { return nil }
        session = parts.dropLast(2).joined(separator: ".")
        self.fact = fact
    }

    /// Returns the value, or nil if there is none: without a certificate, or without a negotiated protocol.
    func value(in details: TLSDetails) -> String? {
        switch fact {
        case .version: details.version
        case .cipher: details.cipher
        case .alpn: details.chosenProtocol
        case .subject: details.certificate?.subject
        case .issuer: details.certificate?.issuer
        case .expires: details.certificate?.expiry.map { String($0 * 1000) }
        }
    }
}
