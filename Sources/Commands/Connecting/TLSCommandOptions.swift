import Reactor
import Results
import Script
import VM
import Wire

/// The TLS options that `open`, `listen` and `starttls` share.
struct TLSCommandOptions {
    private let authorities: Value<SystemString>?
    private let certificate: Value<SystemString>?
    private let key: Value<SystemString>?
    private let keyPassword: Value<[UInt8]>?
    private let serverName: Value<String>?
    private let protocols: Value<[[UInt8]]>?
    private let isInsecure: Bool
    /// The first of these options that is given, for errors.
    let first: String?

    /// The options of both sides.
    static var ofBothSides: [CommandOption] {
        [
            CommandOption("--ca", Parameter("FILE", .path), "trust the authorities in FILE instead of the system's"),
            CommandOption("--cert", Parameter("FILE", .path), "our certificate and its chain: PEM, DER or PKCS#12"),
            CommandOption("--key", Parameter("FILE", .path), "its private key, if not in the file of --cert"),
            CommandOption(
                "--key-password", Parameter("PASSWORD", .text), "password of the private key, such as ${secret}"),
            CommandOption(
                "--alpn", Parameter("P", .checked(protocolsProblem)), "protocols to offer, such as h2,http/1.1"),
        ]
    }
    /// The additional options of a client.
    static var ofClients: [CommandOption] {
        [
            CommandOption(
                "--servername", Parameter("H", .checked(serverNameProblem)),
                "host name to request (SNI) and to verify"),
            CommandOption("--insecure", "accept any certificate; a failed verification is only shown"),
        ]
    }

    init(_ call: CommandCall) {
        authorities = call.value(ofOption: "--ca").map { Value(path: $0) }
        certificate = call.value(ofOption: "--cert").map { Value(path: $0) }
        key = call.value(ofOption: "--key").map { Value(path: $0) }
        keyPassword = call.value(ofOption: "--key-password").map { Value(text: $0) }
        serverName = call.value(ofOption: "--servername").map { argument in
            Value(argument, .checked(serverNameProblem)) { bytes in
                serverNameProblem(bytes) == nil ? String(decoding: bytes, as: UTF8.self) : nil
            }
        }
        protocols = call.value(ofOption: "--alpn").map { argument in
            Value(argument, .checked(protocolsProblem)) { bytes in
                protocolsProblem(bytes) == nil ? bytes.split(separator: UInt8(ascii: ",")).map(Array.init) : nil
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
        options.keyPassword = try keyPassword?.evaluate(in: strand)
        options.serverName = try serverName?.evaluate(in: strand)
        options.protocols = try protocols?.evaluate(in: strand) ?? []
        options.isInsecure = isInsecure
        return options
    }
}

private func protocolsProblem(_ bytes: [UInt8]) -> String? {
    let names = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    return names.allSatisfy { (1...255).contains($0.count) && !$0.contains(0) }
        ? nil
        : "'\(Escapes.visible(bytes))' is not a list of protocols; separate the names with commas, such as h2,http/1.1"
}

private func serverNameProblem(_ bytes: [UInt8]) -> String? {
    let isName =
        String(validating: bytes, as: UTF8.self) != nil && !bytes.contains { $0 <= 0x20 || $0 == 0x7F }
        && bytes.contains { $0 != UInt8(ascii: ".") }
    return isName ? nil : "'\(Escapes.visible(bytes))' is not a host name"
}
