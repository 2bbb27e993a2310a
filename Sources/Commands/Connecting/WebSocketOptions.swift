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
            Value(argument, .checked(protocolProblem)) { String(decoding: $0, as: UTF8.self) }
        }
        fields = call.values(ofOption: "--header").map { argument in
            Value(argument, .checked(fieldProblem)) { HTTPHead.Field(parsing: $0) }
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
    HTTPHead.Field(parsing: bytes) == nil
        ? "'\(Escapes.visible(bytes))' is not a header; write \"Name: value\"" : nil
}
