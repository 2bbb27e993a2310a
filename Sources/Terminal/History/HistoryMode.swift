import Reactor
import Script

/// How entries of the history are typed in a mode: while talking, `a> text` is typed as `text`, and a command begins with a
/// colon.
enum HistoryMode {
    /// Returns what is typed for an entry, a statement.
    static func typed(_ entry: String, in prefix: String) -> String {
        guard !prefix.isEmpty else { return entry }
        let lines = entry.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String? in
            guard line.hasPrefix(prefix) else { return nil }
            return text(ofArrow: line.dropFirst(prefix.count))
        }
        let texts = lines.compactMap { $0 }
        return texts.count == lines.count ? texts.joined(separator: "\n") : ":" + entry
    }

    /// Returns the text that an arrow line sends; nil if it depends on variables.
    private static func text(ofArrow line: Substring) -> String? {
        guard line.contains("\\") || line.includes("${") else { return line.hasPrefix(":") ? ":" + line : String(line) }
        var text: [UInt8] = []
        let bytes = String(line).losslessBytes
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\") {
                guard let decoded = try? Escapes.decode(bytes, at: &index) else { return nil }
                text += decoded
            } else if bytes[index...].starts(with: "${".utf8) {
                return nil
            } else {
                text.append(bytes[index])
                index += 1
            }
        }
        return String(lossless: text)
    }
}
