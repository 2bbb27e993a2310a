// Text of help and of man pages, for options and for commands.

/// Returns text in rows of at most `width` columns.
package func wrapped(_ text: String, width: Int) -> [String] {
    var rows: [String] = []
    for word in text.split(separator: " ") {
        if let last = rows.last, last.count + word.count < width {
            rows[rows.count - 1] = last + " " + word
        } else {
            rows.append(String(word))
        }
    }
    return rows
}

/// Returns text split after each full stop: mdoc(7) wants a sentence to begin a line.
package func sentences(of text: String) -> [String] {
    var sentences: [String] = []
    var isInside = false
    for word in text.split(separator: " ") {
        if isInside {
            sentences[sentences.count - 1] += " " + word
        } else {
            sentences.append(String(word))
        }
        isInside = !word.hasSuffix(".")
    }
    return sentences
}

/// Returns a line that roff(7) shows unchanged: backslashes and a leading dot or quote are escaped.
package func escapedForManual(_ line: String) -> String {
    let text = line.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\e")
    return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
}
