/// A variable `NAME.tls.FACT`: a property of the TLS connection of a session.
package struct TLSFact {
    /// The property.
    package enum Property: String, CaseIterable {
        case version, cipher, alpn, subject, issuer
        /// The end of the certificate's validity, as `${now}`: Unix time in milliseconds.
        case expires
        /// 1 if the connection resumed an earlier session, else 0.
        case resumed
    }

    package let session: String
    package let property: Property

    /// Nil for any other name.
    package init?(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[parts.count - 2] == "tls", let last = parts.last,
            let property = Property(rawValue: String(last))
        else { return nil }
        session = parts.dropLast(2).joined(separator: ".")
        self.property = property
    }
}
