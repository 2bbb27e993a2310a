import Engine
import Script
import Terminal

/// A line as it stands on the screen, just above what is said about it: so that needs neither its place nor its text.
struct TypedLine {
    /// What stood before it, and it.
    let prompt: String
    let typed: String
    /// What it was read as: while talking something else than what was typed.
    let statement: String
    let width: Int

    /// Errors, each with carets under its words.
    func rendered(_ errors: [ScriptError]) -> String? {
        guard errors.allSatisfy({ $0.range.source.name == "<prompt>" }) else { return nil }
        return errors.map { error in
            let hint = error.hint.map { "  help: \(visible($0))\n" } ?? ""
            return carets(under: error.range) + "error: \(visible(error.message))\n" + hint
        }.joined()
    }

    /// A failure of this very line; nil when it comes from elsewhere, such as a defined command.
    func rendered(_ failure: Failure) -> String? {
        guard let range = failure.range, range.source.name == "<prompt>",
            range.lineText == Array(statement.utf8)
        else { return nil }
        var text = failure.pointsAtWord ? carets(under: range) : ""
        text += "error: \(failure.message)\n"
        for detail in failure.details { text += "  | \(detail)\n" }
        if !failure.lastExchanges.isEmpty { text += "  last: \(failure.lastExchanges)\n" }
        return visible(text)
    }

    /// A row of carets under the words of a range, where the line fits the screen.
    private func carets(under range: SourceRange) -> String {
        let isOwn = range.lineText == Array(typed.utf8) || typed.hasPrefix(":")
        let line = Array(statement.utf8)
        let start = min(range.columns.lowerBound, line.count)
        let end = min(max(range.columns.upperBound, start), line.count)
        let colon = typed.hasPrefix(":") ? 1 : 0
        let before = displayWidth(of: prompt) + colon + displayWidth(of: line[..<start])
        let marked = max(1, displayWidth(of: line[start..<end]))
        guard isOwn, before + marked <= width else {
            return ""
        }
        return String(repeating: " ", count: before) + String(repeating: "^", count: marked) + "\n"
    }

    private func displayWidth(of bytes: some Sequence<UInt8>) -> Int {
        displayWidth(of: String(decoding: Array(bytes), as: UTF8.self))
    }

    private func displayWidth(of text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + Terminal.displayWidth($1.value) }
    }

    private func visible(_ text: String) -> String {
        var bytes: [UInt8] = []
        Escapes.appendPrintable(Array(text.utf8), to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
