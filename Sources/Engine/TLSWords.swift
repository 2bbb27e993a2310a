import Script
import Wire

/// The TLS options that `open`, `listen` and `starttls` share.
struct TLSWords {
    private let authorities: Value<String>?
    private let certificate: Value<String>?
    private let key: Value<String>?
    private let serverName: Value<String>?
    private let protocols: Value<[String]>?
    private let isInsecure: Bool
    /// The first of them that is given, for errors.
    let first: String?

    /// Those of both sides.
    static var ofBothSides: [CommandOption] {
        [
            CommandOption("--ca", Parameter("FILE", .text), "trust the certificates in FILE (PEM), not the system's"),
            CommandOption("--cert", Parameter("FILE", .text), "our certificate, with its chain (PEM)"),
            CommandOption("--key", Parameter("FILE", .text), "its key (PEM), when FILE of --cert does not hold it"),
            CommandOption(
                "--alpn", Parameter("P", .checked(protocolsProblem)), "the protocols to offer, such as h2,http/1.1"),
        ]
    }
    /// Those of a client besides.
    static var ofClients: [CommandOption] {
        [
            CommandOption(
                "--servername", Parameter("H", .checked(serverNameProblem)),
                "the name to ask for, and that the certificate must have"),
            CommandOption("--insecure", "do not refuse the certificate, whatever is wrong with it"),
        ]
    }

    init(_ call: CommandCall) {
        authorities = call.value(ofOption: "--ca").map { Value(string: $0) }
        certificate = call.value(ofOption: "--cert").map { Value(string: $0) }
        key = call.value(ofOption: "--key").map { Value(string: $0) }
        serverName = call.value(ofOption: "--servername").map { word in
            Value(word, .checked(serverNameProblem)) { bytes in
                let text = String(decoding: bytes, as: UTF8.self)
                return serverNameProblem(text) == nil ? text : nil
            }
        }
        protocols = call.value(ofOption: "--alpn").map { word in
            Value(word, .checked(protocolsProblem)) { bytes in
                let text = String(decoding: bytes, as: UTF8.self)
                return protocolsProblem(text) == nil ? text.split(separator: ",").map(String.init) : nil
            }
        }
        isInsecure = call.has(option: "--insecure")
        first = (Self.ofBothSides + Self.ofClients).map(\.name).first { call.has(option: $0) }
    }

    func evaluate(in strand: Strand) throws(Failure) -> TLSOptions {
        var options = TLSOptions()
        options.authorities = try authorities?.evaluate(in: strand)
        options.certificate = try certificate?.evaluate(in: strand)
        options.key = try key?.evaluate(in: strand)
        options.serverName = try serverName?.evaluate(in: strand)
        options.protocols = try protocols?.evaluate(in: strand) ?? []
        options.isInsecure = isInsecure
        return options
    }
}

private func protocolsProblem(_ text: String) -> String? {
    let names = text.split(separator: ",", omittingEmptySubsequences: false)
    return names.allSatisfy { (1...255).contains($0.utf8.count) }
        ? nil : "'\(text)' is no list of protocols; write names with commas between, such as h2,http/1.1"
}

private func serverNameProblem(_ text: String) -> String? {
    text.isEmpty || text.utf8.contains { $0 <= 0x20 } ? "'\(text)' is not a host's name" : nil
}

extension TLSOptions {
    /// The options as a statement in the transcript has them.
    var words: [String] {
        var words: [String] = []
        for (name, value) in [
            ("--ca", authorities), ("--cert", certificate), ("--key", key), ("--servername", serverName),
            ("--alpn", protocols.isEmpty ? nil : protocols.joined(separator: ",")),
        ] {
            if let value { words += [name, quotedWord(value)] }
        }
        return words + (isInsecure ? ["--insecure"] : [])
    }

    /// What they are for a side of the handshake; a failure when a file cannot be used.
    func context(_ role: TLSContext.Role, for name: String) throws(Failure) -> TLSContext {
        do throws(TLSError) {
            return try TLSContext(role, self)
        } catch {
            throw Failure(.connection, "\(name): \(error.message)", details: error.hint.map { [$0] } ?? [])
        }
    }
}

extension TLSDetails {
    /// The handshake in a line, for the transcript.
    func summary(isInsecure: Bool) -> String {
        var parts = [version, cipher]
        if let chosenProtocol { parts.append(chosenProtocol) }
        switch (certificate, doubt) {
        case (nil, _): parts.append("the peer has shown no certificate")
        case (_, let doubt?): parts.append("NOT VERIFIED (--insecure): \(doubt)")
        case (let certificate?, nil):
            parts.append(
                "the certificate of \(certificate.title) is verified" + (isInsecure ? ", --insecure is not needed" : "")
            )
        }
        return parts.joined(separator: ", ")
    }

    /// What `show` says.
    var facts: [(String, String)] {
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
