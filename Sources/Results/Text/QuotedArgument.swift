import Script

/// Returns an argument of a statement in the transcript, quoted if necessary; `text` may contain any bytes.
package func quotedArgument(_ text: String) -> String {
    let bytes = text.losslessBytes
    let isPlain = bytes.allSatisfy { byte in
        isPlainByte(byte) || "/:[]@%=+,~".utf8.contains(byte)
    }
    guard isPlain && !text.isEmpty else {
        let escaped = Escapes.escaped(bytes).split(separator: "\"", omittingEmptySubsequences: false)
        return "\"" + escaped.joined(separator: "\\\"") + "\""
    }
    return text
}

private func isPlainByte(_ byte: UInt8) -> Bool {
    isSessionName("a" + String(UnicodeScalar(byte)))
}
