import Results
import Script
import Wire

extension TLSOptions {
    /// The options as written in a transcript statement.
    package var arguments: [String] {
        var arguments: [String] = []
        let protocols =
            protocols.isEmpty ? nil : String(lossless: self.protocols.joined(separator: [UInt8(ascii: ",")]))
        for (name, value) in [
            ("--ca", authorities?.description), ("--cert", certificate?.description), ("--key", key?.description),
            ("--key-password", keyPassword.map { String(lossless: $0) }), ("--servername", serverName),
            ("--alpn", protocols),
        ] {
            if let value { arguments += [name, quotedArgument(value)] }
        }
        return arguments + (isInsecure ? ["--insecure"] : [])
    }

    /// Returns the TLS context of the options for one side of the handshake. Throws if a file cannot be used.
    package func context(_ role: TLSContext.Role, for name: String) throws(Failure) -> TLSContext {
        do throws(HandshakeError) {
            return try TLSContext(role, self)
        } catch {
            throw Failure(.connection, "\(name): \(error.message)", details: error.hints)
        }
    }
}

extension TLSDetails {
    /// Returns a one-line summary of the handshake for the transcript.
    package func summary(isInsecure: Bool) -> String {
        var parts = [version, cipher]
        if let chosenProtocol { parts.append(chosenProtocol) }
        if isResumed { parts.append("resumed") }
        switch (certificate, doubt) {
        case (nil, _): parts.append("the peer sent no certificate")
        case (_, let doubt?): parts.append("NOT VERIFIED (--insecure): \(doubt)")
        case (let certificate?, nil):
            parts.append(
                "certificate of \(certificate.title) verified" + (isInsecure ? ", --insecure is not needed" : "")
            )
        }
        return parts.joined(separator: ", ")
    }

    /// Returns a property as text, or nil if there is none: without a certificate, or without a negotiated protocol.
    func value(of property: TLSFact.Property) -> String? {
        switch property {
        case .version: version
        case .cipher: cipher
        case .alpn: chosenProtocol
        case .subject: certificate?.subject
        case .issuer: certificate?.issuer
        case .resumed: isResumed ? "1" : "0"
        case .expires: certificate?.expiry.map { String($0 * 1000) }
        }
    }

    /// The facts that `show` prints.
    package var facts: [(String, String)] {
        var facts = [("tls", "\(version), \(cipher)")]
        if let chosenProtocol { facts.append(("alpn", chosenProtocol)) }
        if let serverName { facts.append(("server name", serverName)) }
        guard let certificate else { return facts + [("certificate", "none")] }
        facts += [
            ("certificate", certificate.subject), ("issued by", certificate.issuer),
            ("valid", "\(certificate.notBefore) to \(certificate.notAfter)"),
        ]
        if !certificate.names.isEmpty { facts.append(("for", certificate.names.joined(separator: ", "))) }
        return facts + [("verified", doubt.map { "no: \($0)" } ?? "yes")]
    }
}
