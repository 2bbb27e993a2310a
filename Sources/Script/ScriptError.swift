/// An error in a script that is found without running it.
package struct ScriptError: Error {
    package let range: SourceRange
    /// The problem, in one line.
    package let message: String
    /// What to write instead, or nil.
    package let hint: String?

    package init(_ range: SourceRange, _ message: String, hint: String? = nil) {
        self.range = range
        self.message = message
        self.hint = hint
    }

    /// The error as readable text: position and message, source line, carets and hint. Ends with a newline.
    package var rendered: String {
        let heading = "\(range.description): error: \(Escapes.visible(cut(message).utf8))"
        var trace = ""
        var source = range.source
        while let place = source.includedAt {
            trace += "  in \(source.name), included at \(place.description)\n"
            source = place.source
        }
        guard let hint else { return heading + "\n" + excerpt(of: range) + trace }
        let lines = cut(hint).split(separator: "\n", omittingEmptySubsequences: false)
        let help = lines.map { visibleSource($0.utf8) }.joined(separator: "\n")
        return heading + "\n" + excerpt(of: range) + "  help: \(help)\n" + trace
    }
}

/// All errors of a script.
package struct ScriptErrors: Error {
    package let errors: [ScriptError]

    package init(errors: [ScriptError]) {
        self.errors = errors
    }

    /// The errors as readable text, limited to a readable number.
    package var rendered: String {
        let rest = errors.count - Self.maximum
        let remark = errors.count < Self.maxKept ? "" : "; the rest was not checked"
        let more = rest > 0 ? "muxsh: and \(counted(rest, "more error"))\(remark)\n" : ""
        return errors.prefix(Self.maximum).map(\.rendered).joined() + more
    }

    private static let maximum = 50
    /// The maximum number of errors collected for a script; the rest of it is not checked.
    package static let maxKept = 1000
}

/// Returns a message cut to a readable length, because it may contain an argument of any length.
private func cut(_ message: String) -> String {
    let scalars = message.unicodeScalars
    guard message.utf8.count > longestMessage, scalars.count > longestMessage else { return message }
    return String(String.UnicodeScalarView(scalars.prefix(longestMessage))) + "…"
}

private let longestMessage = 2000

/// Returns a source line with its number, and carets under `range`:
///
///      14 | expect replica /x/
///         |        ^^^^^^^
package func excerpt(of range: SourceRange) -> String {
    let line = range.shownText
    let number = String(range.line)
    let margin = String(repeating: " ", count: number.count + 2)
    var start = min(range.columns.lowerBound, line.count)
    var end = min(max(range.columns.upperBound, start), line.count)
    // A range of bytes may begin or end inside a character.
    while start > 0, start < line.count, line[start] & 0xC0 == 0x80 { start -= 1 }
    while end < line.count, line[end] & 0xC0 == 0x80 { end += 1 }
    // For a long line, only the part around the range is shown.
    let (first, last) =
        line.count > longestExcerpt ? (max(0, start - 100), min(line.count, start + 200)) : (0, line.count)
    end = min(end, last)
    let before = (first > 0 ? "…" : "") + visibleSource(line[first..<start])
    let marked = visibleSource(line[start..<end])
    let carets = String(repeating: "^", count: max(1, marked.unicodeScalars.count))
    // Tabs are kept, so the carets align with their text at any tab width.
    let indent = String(before.map { $0 == "\t" ? "\t" : " " })
    return
        " \(number) | \(before)\(marked)\(visibleSource(line[end..<last]))\(last < line.count ? "…" : "")\n\(margin)| \(indent)\(carets)\n"
}

private let longestExcerpt = 1000

/// Returns source bytes as text that cannot act on a terminal; tabs are kept.
package func visibleSource(_ bytes: some Sequence<UInt8>) -> String {
    Array(bytes).split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false).map {
        Escapes.visible($0)
    }.joined(separator: "\t")
}
