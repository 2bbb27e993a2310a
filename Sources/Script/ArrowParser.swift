/// Parses an arrow line.
///
///     arrow-line = target ( "> " text | "< " text | "<~ " regex | ">|" | "<|" [ " reset" | " " code ] )
///     target     = { letter | digit | "_" | "-" | "." | "," | "*" | "?" | expansion }
///
/// The arrow follows the target without a space and is followed by one space or the end of the line.
struct ArrowParser {
    private let line: SourceRange
    private let text: [UInt8]
    private let start: Int
    private let arrow: Int

    /// Returns nil if the line, indented by `start` bytes, is not an arrow line.
    init?(line: SourceRange, start: Int) {
        self.line = line
        self.start = start
        text = line.lineText
        var index = start
        while index < text.count {
            if isTargetByte(text[index]) {
                index += 1
            } else if text[index...].starts(with: "${".utf8), let end = Expansion.end(in: text, from: index) {
                index = end
            } else {
                break
            }
        }
        guard index > start, index < text.count, text[index] == UInt8(ascii: "<") || text[index] == UInt8(ascii: ">")
        else { return nil }
        arrow = index
    }

    func parse() throws(ScriptError) -> ArrowLine {
        let targetRange = line.at(start..<arrow)
        let template = try Template(
            parsing: Array(text[start..<arrow]), notation: .bare, at: line, offset: start)
        let target = try Target(template, range: targetRange)
        let (action, textStart) = try parseAction()
        return ArrowLine(
            target: target, action: action, range: line.at(start..<text.count),
            textRange: line.at(min(textStart, text.count)..<text.count))
    }

    private func parseAction() throws(ScriptError) -> (ArrowLine.Action, textStart: Int) {
        let sends = text[arrow] == UInt8(ascii: ">")
        let second = arrow + 1 < text.count ? text[arrow + 1] : nil
        if second == UInt8(ascii: "|") { return (try parseEnd(sends: sends), arrow + 2) }
        if !sends && second == UInt8(ascii: "~") {
            let start = try textStart(after: 2)
            let range = line.at(min(start, text.count)..<text.count)
            let template = try Template(parsing: Array(text[range.columns]), notation: .regex, at: line, offset: start)
            return (.match(try PatternSource(template: template, flags: "", range: range, offset: 0)), start)
        }
        let start = try textStart(after: 1)
        var body = Array(text[min(start, text.count)...])
        let backslashes = body.reversed().prefix { $0 == UInt8(ascii: "\\") }.count
        let ending = backslashes % 2 == 0
        if !ending { body.removeLast() }
        let template = try Template(parsing: body, notation: .escapes, at: line, offset: start)
        return (sends ? .send(template, ending: ending) : .line(template, ending: ending), start)
    }

    private func parseEnd(sends: Bool) throws(ScriptError) -> ArrowLine.Action {
        let rest = text[(arrow + 2)...].filter { !isBlank($0) }
        if rest.isEmpty { return sends ? .endOutput : .endOfStream(code: nil) }
        let word = String(decoding: rest, as: UTF8.self)
        if !sends, word == "reset" { return .reset }
        if !sends, let code = UInt16(word), rest.count == 4 { return .endOfStream(code: code) }
        throw ScriptError(
            line.at(arrow + 2..<text.count),
            sends ? "unexpected text after '>|'" : "only 'reset' or a close code may follow '<|'",
            hint: "to \(sends ? "send" : "expect") a text that begins with '|', put a space before it")
    }

    /// Returns where the text begins: after an arrow of `length` characters and its space.
    private func textStart(after length: Int) throws(ScriptError) -> Int {
        let end = arrow + length
        guard end < text.count, text[end] != UInt8(ascii: " ") else { return end + 1 }
        let shown = String(decoding: text[start..<end], as: UTF8.self)
        throw ScriptError(
            line.at(end..<end + 1), "expected a space after the arrow", hint: "write '\(shown) ' and then the text")
    }
}

private func isTargetByte(_ byte: UInt8) -> Bool {
    isNameByte(byte) || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?")
}
