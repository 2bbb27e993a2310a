/// Formats bytes as rows of hexadecimal digits with their text beside them.
package enum HexDump {
    /// Returns rows of 16 bytes, or of 8, 4 or 2 if there is less room: `68 65 6c 6c 6f 0a  |hello.|`.
    ///
    /// - Parameter width: the maximum width of a row in columns, or nil for no limit.
    package static func rows(of bytes: [UInt8], width: Int?) -> [String] {
        let across = [16, 8, 4].first { $0 * 4 + 3 <= width ?? .max } ?? 2
        return stride(from: 0, to: bytes.count, by: across).map { start in
            let row = bytes[start..<min(start + across, bytes.count)]
            let digits = row.map { Self.pair($0) }.joined(separator: " ")
            let padding = String(repeating: " ", count: across * 3 - 1 - digits.count)
            let text = row.map { (0x20..<0x7F).contains($0) ? Character(Unicode.Scalar($0)) : "." }
            return "\(digits)\(padding)  |\(String(text))|"
        }
    }

    private static func pair(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
    }
}
