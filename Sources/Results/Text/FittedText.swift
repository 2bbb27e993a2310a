/// Returns text with lines wrapped at blanks if they are longer than the screen is wide; nil `width` means no limit.
///
/// Continuation lines are aligned below the text of their line: after its indentation, or in the second column of a
/// list.
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
    // Blanks between columns are kept.
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

/// Returns the indentation of continuation lines: the second column if it is in the left half, otherwise the line's
/// indentation plus two.
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
