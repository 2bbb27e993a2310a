import Results
import Script
import Terminal

/// A typed line as shown on the screen, directly above its messages, which therefore repeat neither its position nor
/// its text.
struct TypedLine {
    /// The prompt, followed by the line itself.
    let prompt: String
    let typed: String
    /// The statement it was read as; in talk mode this differs from the typed text.
    let statement: String
    let width: Int

    /// Returns the errors, each with carets under its arguments; nil when one of them is from elsewhere.
    func rendered(_ errors: [ScriptError]) -> String? {
        guard errors.allSatisfy({ $0.range.source.name == "<prompt>" }) else { return nil }
        return errors.map { error in
            let hint = error.hint.map { "  help: \(visibleHint($0))\n" } ?? ""
            return carets(under: error.range) + fitted("error: \(visible(error.message))\n" + hint, to: width)
        }.joined()
    }

    /// Returns a failure of this line; nil when it is from elsewhere, such as a defined command.
    func rendered(_ message: FailureText) -> String? {
        let failure = message.failure
        guard let range = failure.range, range.source.name == "<prompt>",
            range.lineText == statement.losslessBytes
        else { return nil }
        var text = failure.pointsAtArgument ? carets(under: range) : ""
        text += fitted("error: \(visible(failure.message))\n", to: width)
        for detail in message.details { text += "  | \(visible(detail))\n" }
        if !message.lastExchanges.isEmpty { text += "  last: \(visible(message.lastExchanges))\n" }
        return text
    }

    /// Returns a row of carets under a range. If the line does not fit the screen, an excerpt around the range precedes
    /// it.
    private func carets(under range: SourceRange) -> String {
        guard range.lineText == typed.losslessBytes || typed.hasPrefix(":") else { return "" }
        let line = statement.losslessBytes
        let start = min(range.columns.lowerBound, line.count)
        let end = min(max(range.columns.upperBound, start), line.count)
        let (before, marked) = (scalars(line[..<start]), scalars(line[start..<end]))
        let colon = typed.hasPrefix(":") ? 1 : 0
        let margin = displayWidth(of: prompt.unicodeScalars) + colon + displayWidth(of: before)
        if margin + max(1, displayWidth(of: marked)) <= width {
            return row(of: marked, after: margin)
        }
        let lead = "  … "
        let room = max(1, width - lead.count)
        let shownBefore = fitting(before.reversed(), room / 2).reversed()
        let shown = fitting(marked, room - displayWidth(of: shownBefore))
        let text = String(String.UnicodeScalarView(shownBefore + shown))
        return visible(lead + text) + "\n" + row(of: shown, after: lead.count + displayWidth(of: shownBefore))
    }

    private func row(of marked: [Unicode.Scalar], after margin: Int) -> String {
        String(repeating: " ", count: margin) + String(repeating: "^", count: max(1, displayWidth(of: marked))) + "\n"
    }

    /// Returns the first characters that fit into `columns` columns.
    private func fitting(_ scalars: some Sequence<Unicode.Scalar>, _ columns: Int) -> [Unicode.Scalar] {
        var room = columns
        return Array(
            scalars.prefix { scalar in
                room -= Terminal.displayWidth(scalar.value)
                return room >= 0
            })
    }

    private func scalars(_ bytes: some Sequence<UInt8>) -> [Unicode.Scalar] {
        Array(String(lossless: bytes).unicodeScalars)
    }

    private func displayWidth(of scalars: some Sequence<Unicode.Scalar>) -> Int {
        scalars.reduce(0) { $0 + Terminal.displayWidth($1.value) }
    }

    private func visibleHint(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { visible(String($0)) }.joined(
            separator: "\n")
    }
}
