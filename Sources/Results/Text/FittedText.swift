/// Text whose lines are cut at blanks where they are longer than a screen is wide; `width` is nil for any.
///
/// What follows a cut stands below the text of its line: behind an indentation, or in the second column of a list.
package func fitted(_ text: String, to width: Int?) -> String {
    guard let width, width > 8 else { return text }
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        line.unicodeScalars.count < width ? String(line) : cut(line, width: width - 1)
    }.joined(separator: "\n")
}

private func cut(_ line: Substring, width: Int) -> String {
    let margin = String(repeating: " ", count: hang(of: line, width: width))
    var lines: [String] = []
    var current = String(line.prefix { $0 == " " })
    var isEmpty = true
    // Blanks between columns stay as they are.
    for word in line.dropFirst(current.count).split(separator: " ", omittingEmptySubsequences: false) {
        if !isEmpty, current.unicodeScalars.count + 1 + word.unicodeScalars.count > width {
            lines.append(current.trimmingTrailingBlanks)
            current = margin
            isEmpty = true
            if word.isEmpty { continue }
        }
        current += (isEmpty ? "" : " ") + word
        isEmpty = false
    }
    return (lines + [current]).joined(separator: "\n")
}

/// Where the text of a line begins: its second column, if it has one on the left, otherwise two behind its indentation.
private func hang(of line: Substring, width: Int) -> Int {
    let indentation = line.prefix { $0 == " " }.count
    let first = line.dropFirst(indentation)
    var previous: Character?
    for (offset, character) in first.enumerated() {
        if character == " ", previous == " " {
            let column = indentation + offset + first.dropFirst(offset).prefix { $0 == " " }.count
            return column <= width / 2 ? column : indentation + 2
        }
        previous = character
    }
    return indentation == 0 ? 0 : min(indentation + 2, width / 2)
}

extension String {
    fileprivate var trimmingTrailingBlanks: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
