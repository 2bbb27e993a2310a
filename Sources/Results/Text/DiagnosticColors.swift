import Script

/// Colors messages for a terminal: the word before an error, the marks below its place, and the bytes that differ.
package enum DiagnosticColors {
    private static let error = "1;31"
    private static let mark = "31"
    private static let help = "36"

    /// Returns printable text with colors (ECMA-48 SGR).
    package static func painted(_ text: [UInt8]) -> [UInt8] {
        var lines = String(lossless: text).split(separator: "\n", omittingEmptySubsequences: false)
            .map { Line(String($0)) }
        for index in lines.indices {
            lines[index].paint(word: "error:", error)
            lines[index].paint(word: "help:", help)
            guard let marks = lines[index].marks else { continue }
            lines[index].paint(marks, mark)
            // The lines that are compared are above the mark of their first difference.
            for above in [index - 1, index - 2] where above >= 0 && lines[above].isCompared {
                lines[above].paint(marks, error)
            }
        }
        return lines.map(\.text).joined(separator: "\n").losslessBytes
    }

    private struct Line {
        private let characters: [Character]
        private var styles: [(range: Range<Int>, style: String)] = []

        init(_ text: String) { characters = Array(text) }

        private var plain: String { String(characters) }

        /// The columns of the marks, if there is nothing else in the line.
        var marks: Range<Int>? {
            guard let first = characters.firstIndex(of: "^"), let last = characters.lastIndex(of: "^"),
                characters[..<first].allSatisfy({ $0 == " " || $0 == "|" }), last == characters.count - 1,
                characters[first...].allSatisfy({ $0 == "^" })
            else { return nil }
            return first..<(last + 1)
        }

        /// Whether it shows the text that was expected, or the one that has arrived.
        var isCompared: Bool {
            let detail = plain.drop { $0 == " " || $0 == "|" }
            return plain.hasPrefix(" ") && (detail.hasPrefix("expected:") || detail.hasPrefix("arrived:"))
        }

        /// Colors a word that begins the message: the first one of the line, or after a place.
        mutating func paint(word: String, _ style: String) {
            guard let range = plain.range(of: word) else { return }
            let before = plain[..<range.lowerBound]
            let isFirst = before.allSatisfy { $0 == " " }
            guard isFirst || before.hasSuffix(": ") && !before.dropLast(2).contains(" ") else { return }
            let start = plain.distance(from: plain.startIndex, to: range.lowerBound)
            styles.append((start..<(start + word.count), style))
        }

        mutating func paint(_ range: Range<Int>, _ style: String) {
            let range = range.clamped(to: 0..<characters.count)
            if !range.isEmpty { styles.append((range, style)) }
        }

        var text: String {
            var text = ""
            var index = 0
            for (range, style) in styles.sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
            where range.lowerBound >= index {
                text += String(characters[index..<range.lowerBound])
                text += "\u{1B}[\(style)m" + String(characters[range]) + "\u{1B}[0m"
                index = range.upperBound
            }
            return text + String(characters[index...])
        }
    }
}
