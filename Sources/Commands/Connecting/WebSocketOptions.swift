import Engine
import Results
import Script
import VM
import Wire

/// The options of `open` and `listen` for a WebSocket.
struct WebSocketOptions {
    private let protocols: [Value<String>]
    private let fields: [Value<HTTPHead.Field>]
    /// The first of these options that is given, for errors.
    let first: String?

    static var all: [CommandOption] {
        [
            CommandOption(
                "--protocol", Parameter("P", .checked(protocolProblem)),
                "sub-protocol of a WebSocket; repeat it, the preferred one first", isRepeatable: true),
            CommandOption(
                "--header", Parameter("FIELD", .checked(fieldProblem)),
                "header of the WebSocket handshake, such as \"Origin: http://example.org\"", isRepeatable: true),
        ]
    }

    init(_ call: CommandCall) {
        protocols = call.values(ofOption: "--protocol").map { argument in
            Value(argument, .checked(protocolProblem)) {
                protocolProblem($0) == nil ? String(decoding: $0, as: UTF8.self) : nil
            }
        }
        fields = call.values(ofOption: "--header").map { argument in
            Value(argument, .checked(fieldProblem)) { fieldProblem($0) == nil ? HTTPHead.Field(parsing: $0) : nil }
        }
        first = Self.all.map(\.name).first { call.has(option: $0) }
    }

    func evaluate(in strand: Strand) throws(Failure) -> WebSocketSettings {
        WebSocketSettings(
            protocols: try protocols.map { value throws(Failure) in try value.evaluate(in: strand) },
            fields: try fields.map { value throws(Failure) in try value.evaluate(in: strand) })
    }
}

private func protocolProblem(_ bytes: [UInt8]) -> String? {
    let separators = Array("()<>@,;:\\\"/[]?={}".utf8)
    let isToken = !bytes.isEmpty && bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F && !separators.contains($0) }
    return isToken ? nil : "'\(Escapes.visible(bytes))' is not the name of a sub-protocol; write one name, such as chat"
}

private func fieldProblem(_ bytes: [UInt8]) -> String? {
    guard let field = HTTPHead.Field(parsing: bytes), String(validating: bytes, as: UTF8.self) != nil else {
        return "'\(Escapes.visible(bytes))' is not a header; write \"Name: value\""
    }
    let name = field.name.lowercased()
    guard name.hasPrefix("sec-websocket-") else { return nil }
    return name == "sec-websocket-protocol"
        ? "sub-protocols are given with --protocol NAME" : "\(field.name) is a part of the handshake and cannot be set"
}
