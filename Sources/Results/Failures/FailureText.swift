import Script

/// The text of a failure: the only place that turns the data of a failure into text.
///
/// Secrets in quoted data are hidden here, before anything is shortened; the writer of standard error hides all
/// others.
package struct FailureText {
    package let failure: Failure
    private let redactor: Redactor

    package init(_ failure: Failure, _ redactor: Redactor) {
        self.failure = failure
        self.redactor = redactor
    }

    /// The failure as readable text: position and message, the source line, the details, the last exchanges. Each is on
    /// its own line, and none can act on a terminal.
    package var rendered: String {
        guard let range = failure.range else { return "muxsh: \(visible(failure.message))\n" }
        let number = String(range.line)
        let margin = String(repeating: " ", count: number.count + 2) + "| "
        var text = "\(range.description): error: \(visible(failure.message))\n"
        let traced = shortTrace.map { "  \(visible($0))\n" }.joined()
        if failure.pointsAtArgument { return text + excerpt(of: range) + traced }
        text += " \(number) | \(visibleSource(range.shownText))\n"
        for detail in details { text += margin + visible(detail) + "\n" }
        if !lastExchanges.isEmpty { text += "  last: \(visible(lastExchanges))\n" }
        return text + traced
    }

    /// The lines below the source line.
    package var details: [String] {
        failure.details.flatMap { detail in
            switch detail {
            case .text(let text): [text]
            case .mismatch(let mismatch): MismatchText(mismatch, redactor).lines
            case .excerpt(let excerpt): ExcerptText(excerpt, redactor).lines
            case .comparison(let comparison): ComparisonText(comparison, redactor).lines
            case .program(let program): [message(for: program)]
            }
        }
    }

    /// The last exchanges with the times since the first one: `+0.000 a> x   +0.004 a< y`.
    package var lastExchanges: String {
        failure.exchanges.map { ExchangesText($0, redactor).line } ?? ""
    }

    /// Returns the message for a failed program. Secrets are hidden before the line is cut.
    private func message(for program: DeadProgram) -> String {
        guard let line = program.lastLine else { return "\(program.name) \(program.ending)" }
        let shown = redactor.escaped(line, isPart: false).unicodeScalars.prefix(200)
        return "\(program.name) \(program.ending); last line of its output: \(String(String.UnicodeScalarView(shown)))"
    }

    /// The trace, without the middle part if it is long.
    private var shortTrace: [String] {
        let trace = failure.trace ?? []
        guard trace.count > 16 else { return trace }
        return trace.prefix(10) + ["… \(trace.count - 14) more lines"] + trace.suffix(4)
    }
}

/// The received lines, each with what happened to it.
private struct ExcerptText {
    private let excerpt: Excerpt
    private let redactor: Redactor
    private static let maxLines = 12
    private static let firstLines = 4

    init(_ excerpt: Excerpt, _ redactor: Redactor) {
        self.excerpt = excerpt
        self.redactor = redactor
    }

    var lines: [String] { earlier + arrived }

    /// The lines that were unread before the last send and fail a wait that examines all unread data.
    private var earlier: [String] {
        guard excerpt.earlier.count > 0 else { return [] }
        let line = excerpt.lastSend.line.map { " (line \($0))" } ?? ""
        let heading = "unread, arrived before the last send\(line):"
        let shown = excerpt.earlier.lines.map { "  " + redactor.arrow(excerpt.session, $0) }
        let rest = excerpt.earlier.count - shown.count
        return [heading] + shown + (rest > 0 ? ["  … \(rest) more"] : [])
            + ["to discard it before the send, write: drain \(excerpt.session)"]
    }

    private var arrived: [String] {
        let send = excerpt.lastSend
        let since = send.hasSent ? "since the last send" + (send.line.map { " (line \($0))" } ?? "") : "so far"
        guard let last = excerpt.lines.last else { return ["nothing arrived \(since) (\(excerpt.state))"] }
        let hasUnread = excerpt.lines.contains { $0.disposition == .unread }
        let end = (last.isPart ? "no newline; " : "") + excerpt.state
        var texts = excerpt.lines.enumerated().map { index, line in
            let text = "  " + redactor.arrow(excerpt.session, line)
            switch line.disposition {
            case .unread: return index == excerpt.lines.count - 1 ? padded(text, end) : text
            case .consumed: return padded(text, "consumed")
            case .held: return padded(text, "held back for 'on'" + (index == excerpt.lines.count - 1 ? "; \(end)" : ""))
            case .taken: return padded(text, "answered by 'on'")
            case .dropped(let why): return padded(text, why)
            }
        }
        if texts.count > Self.maxLines {
            let hidden = texts.count - Self.maxLines
            // The number of lines that were not kept is unknown.
            let remark = excerpt.isCut ? "  … more lines, not shown" : "  … \(counted(hidden, "line")) not shown"
            texts.replaceSubrange(Self.firstLines..<(Self.firstLines + hidden), with: [remark])
        }
        let heading = excerpt.isCut ? "arrived \(since) (only the end is shown):" : "arrived \(since):"
        if last.disposition == .unread || last.disposition == .held { return [heading] + texts }
        return [heading] + texts + [hasUnread ? "(\(end))" : "nothing unread (\(end))"]
    }

    private func padded(_ text: String, _ remark: String) -> String {
        let length = text.unicodeScalars.count
        return text + String(repeating: " ", count: max(30, length + 3) - length) + "(\(remark))"
    }
}

/// The expected and the received data, with a caret under the first difference.
private struct MismatchText {
    private let mismatch: Mismatch
    private let redactor: Redactor
    private static let longestPattern = 1024
    private static let longestFollowing = 256

    init(_ mismatch: Mismatch, _ redactor: Redactor) {
        self.mismatch = mismatch
        self.redactor = redactor
    }

    var lines: [String] {
        var lines: [String]
        switch mismatch.expected {
        case .pattern(let source):
            lines = [
                "expected: \(mismatch.session)<~ \(source)",
                "arrived:  "
                    + redactor.arrow(
                        mismatch.session,
                        Excerpt.Line(Array(mismatch.arrived.prefix(Self.longestPattern)), isPart: mismatch.isPart)),
            ]
        case .text(let bytes, let isPart): lines = texts(bytes, isPart: isPart)
        case .hex(let bytes): lines = hex(bytes)
        }
        if mismatch.arrivedBeforeSend.1 {
            let line = mismatch.arrivedBeforeSend.line.map { " (line \($0))" } ?? ""
            lines += [
                "this line arrived before the last send\(line); to discard it before the send, write: drain \(mismatch.session)"
            ]
        }
        return lines + mismatch.hints + following
    }

    private var sides: SideBySide {
        SideBySide(first: "expected: \(mismatch.session)< ", second: "arrived:  \(mismatch.session)< ")
    }

    private func texts(_ bytes: [UInt8], isPart: Bool) -> [String] {
        var wanted = redactor.escaped(bytes, isPart: isPart)
        var arrived = redactor.escaped(mismatch.arrived, isPart: mismatch.isPart)
        // Differently composed characters look the same; their escapes differ.
        if wanted == arrived, !wanted.utf8.elementsEqual(arrived.utf8) {
            wanted = Escapes.escapedToASCII(bytes, isPart: isPart)
            arrived = Escapes.escapedToASCII(mismatch.arrived, isPart: mismatch.isPart)
        }
        let position = zip(bytes, mismatch.arrived).prefix { $0 == $1 }.count
        return sides.lines(Array(wanted.unicodeScalars), Array(arrived.unicodeScalars), position: position)
    }

    private func hex(_ bytes: [UInt8]) -> [String] {
        let arrived = mismatch.arrived.prefix(bytes.count)
        // A secret is replaced by its name, which is not a pair of digits.
        let isSecret = [bytes, Array(arrived)].contains { part in
            part.withUnsafeBytes { redactor.redacted($0, isCutBefore: true, isCutAfter: true) } != part
        }
        if isSecret { return texts(bytes, isPart: true) }
        let position = zip(bytes, arrived).prefix { $0 == $1 }.count
        return sides.lines(
            Array(Self.pairs(bytes).unicodeScalars), Array(Self.pairs(arrived).unicodeScalars), position: position,
            isHex: true)
    }

    private static func pairs(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined(separator: " ")
    }

    /// The unread lines after the line that differs, and the state.
    private var following: [String] {
        var texts = mismatch.following.lines.enumerated().map { index, line in
            (index == 0 ? "then:     " : "          ") + brief(line)
        }
        let rest = mismatch.following.count - texts.count
        if rest > 0 { texts.append("          … \(rest) more") }
        return texts + (mismatch.state.isEmpty ? [] : ["(\(mismatch.state))"])
    }

    private func brief(_ line: Excerpt.Line) -> String {
        guard line.bytes.count > Self.longestFollowing else { return redactor.arrow(mismatch.session, line) }
        let front = Excerpt.Line(Array(line.bytes.prefix(Self.longestFollowing)), isPart: true)
        return redactor.arrow(mismatch.session, front) + "…"
    }
}

/// Two texts, one below the other, with a caret under the first difference.
private struct SideBySide {
    /// The labels in front of the texts, equally long.
    let first: String
    let second: String
    /// How many characters of two differing lines are shown, so that nothing wraps at 80 columns.
    private static let window = 56
    private static let before = 36

    /// Returns the two lines and the caret. For long texts, only the part around it is shown, and its byte number.
    func lines(
        _ wanted: [Unicode.Scalar], _ arrived: [Unicode.Scalar], position: Int, isHex: Bool = false
    ) -> [String] {
        var same = zip(wanted, arrived).prefix { $0 == $1 }.count
        // The caret marks a whole pair of digits.
        if isHex { same -= same % 3 }
        let isLong = max(wanted.count, arrived.count) > Self.window
        var start = isLong ? max(0, same - Self.before) : 0
        if isHex { start -= start % 3 }
        func cut(_ text: [Unicode.Scalar]) -> String {
            let end = isLong ? min(text.count, start + Self.window) : text.count
            let shown = start < end ? String(String.UnicodeScalarView(text[start..<end])) : ""
            return (start > 0 ? "…" : "") + shown + (end < text.count ? "…" : "")
        }
        let column = first.unicodeScalars.count + same - start + (start > 0 ? 1 : 0)
        let place = isLong || isHex ? " byte \(position + 1)" : ""
        return [
            first + cut(wanted), second + cut(arrived), String(repeating: " ", count: column) + "^" + place,
        ]
    }
}

/// The values that a condition compared.
private struct ComparisonText {
    private let comparison: Comparison
    private let redactor: Redactor
    private static let longest = 200

    init(_ comparison: Comparison, _ redactor: Redactor) {
        self.comparison = comparison
        self.redactor = redactor
    }

    var lines: [String] {
        let left = comparison.left
        switch comparison.right {
        case .value(let right) where left == right: return ["both:  \(shown(left))"]
        case .value(let right):
            let position = zip(left, right).prefix { $0 == $1 }.count
            return SideBySide(first: "left:  ", second: "right: ").lines(
                Array(redactor.escaped(left, isPart: false).unicodeScalars),
                Array(redactor.escaped(right, isPart: false).unicodeScalars), position: position)
        case .quantity(let right): return ["left:  \(shown(left))", "right: \(shown(right))"]
        case .pattern(let source, let matches):
            return ["text:  \(shown(left))", "\(matches ? "matches" : "does not match") \(source)"]
        }
    }

    /// Secrets are hidden before the text is cut.
    private func shown(_ bytes: [UInt8]) -> String {
        let text = redactor.escaped(bytes, isPart: false).unicodeScalars
        return text.count > Self.longest
            ? String(String.UnicodeScalarView(text.prefix(Self.longest))) + "…" : String(text)
    }
}

/// The last exchanges in one line.
private struct ExchangesText {
    private let exchanges: Exchanges
    private let redactor: Redactor

    init(_ exchanges: Exchanges, _ redactor: Redactor) {
        self.exchanges = exchanges
        self.redactor = redactor
    }

    var line: String {
        exchanges.entries.map { entry in
            let time = "+" + fixed(entry.time.inSeconds, digits: 3)
            return "\(time) \(exchanges.session)\(entry.isSend ? ">" : "<") \(brief(entry))"
        }.joined(separator: "   ")
    }

    /// Returns the first line of sent data, or the last line of received data.
    private func brief(_ entry: Exchanges.Entry) -> String {
        let isStream = exchanges.isStream
        let isPart = isStream && entry.bytes.last != UInt8(ascii: "\n")
        let lines = isStream ? Self.lines(of: entry.bytes) : [entry.bytes]
        let line = (entry.isSend ? lines.first : lines.last) ?? []
        var output: [UInt8] = []
        if entry.isSend || !isStream || entry.count > entry.bytes.count && lines.count == 1 {
            line.withUnsafeBytes {
                redactor.appendEscaped($0, to: &output, isCutBefore: !entry.isSend, isCutAfter: isPart)
            }
        } else {
            // Redacted before it is cut, because part of a secret is no longer recognized.
            let end =
                isPart
                ? 0 : entry.bytes.reversed().prefix { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.count
            let earlier = entry.bytes.dropLast(end).dropLast(line.count)
            redactor.appendEscaped(
                line, between: entry.around.before + earlier, and: entry.around.after, to: &output)
        }
        let text = String(decoding: output, as: UTF8.self)
        let short = text.count > 48 ? text.prefix(48) + "…" : text + (isPart ? "\\" : "")
        return lines.count > 1 ? "\(short) (\(counted(lines.count, "line")))" : String(short)
    }

    private static func lines(of bytes: [UInt8]) -> [[UInt8]] {
        SourceText.lines(of: bytes).map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    }
}

extension Redactor {
    /// Returns a received line in the script's notation.
    fileprivate func arrow(_ session: String, _ line: Excerpt.Line) -> String {
        "\(session)< " + escaped(line.bytes, isPart: line.isPart)
    }

    /// Returns bytes in the script's notation, with secrets hidden, and parts of secrets where the bytes may be cut.
    fileprivate func escaped(_ bytes: [UInt8], isPart: Bool) -> String {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { appendEscaped($0, to: &output, isCutBefore: true, isCutAfter: isPart) }
        return String(decoding: output, as: UTF8.self) + (isPart ? "\\" : "")
    }
}
