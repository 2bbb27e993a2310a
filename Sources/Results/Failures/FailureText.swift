import Script

/// A failure in words: the one place that words what a failure carries as data.
///
/// Secrets are hidden in what it quotes, before anything is shortened; the writer of standard error hides them in the rest.
package struct FailureText {
    package let failure: Failure
    private let redactor: Redactor

    package init(_ failure: Failure, _ redactor: Redactor) {
        self.failure = failure
        self.redactor = redactor
    }

    /// The failure for a person: place and message, the source line, the details, the last exchanges; each in a line, and
    /// nothing in them acts on a terminal.
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

    /// What belongs below the source line, in lines.
    package var details: [String] {
        failure.details.flatMap { detail in
            switch detail {
            case .text(let text): [text]
            case .mismatch(let mismatch): MismatchText(mismatch, redactor).lines
            case .excerpt(let excerpt): ExcerptText(excerpt, redactor).lines
            case .program(let program): [message(for: program)]
            }
        }
    }

    /// The last exchanges with their times since the first of them: `+0.000 a> x   +0.004 a< y`.
    package var lastExchanges: String {
        failure.exchanges.map { ExchangesText($0, redactor).line } ?? ""
    }

    /// No secret is cut where the line is.
    private func message(for program: DeadProgram) -> String {
        guard let line = program.lastLine else { return "\(program.name) \(program.ending)" }
        let shown = redactor.escaped(line, isPart: false).unicodeScalars.prefix(200)
        return "\(program.name) \(program.ending); last line of its output: \(String(String.UnicodeScalarView(shown)))"
    }

    /// The trace, without its middle when it is long.
    private var shortTrace: [String] {
        let trace = failure.trace ?? []
        guard trace.count > 16 else { return trace }
        return trace.prefix(10) + ["… \(trace.count - 14) more lines"] + trace.suffix(4)
    }
}

/// What arrived, line by line, with what has become of it.
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

    /// What was left unread before the last send, and fails a wait that looks at all that is unread.
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
            // Of what was not kept it is not known how many lines it was.
            let remark = excerpt.isCut ? "  … more lines, not shown" : "  … \(counted(hidden, "line")) not shown"
            texts.replaceSubrange(Self.firstLines..<(Self.firstLines + hidden), with: [remark])
        }
        let heading = excerpt.isCut ? "arrived \(since), the end of it:" : "arrived \(since):"
        if last.disposition == .unread || last.disposition == .held { return [heading] + texts }
        return [heading] + texts + [hasUnread ? "(\(end))" : "nothing unread (\(end))"]
    }

    private func padded(_ text: String, _ remark: String) -> String {
        let length = text.unicodeScalars.count
        return text + String(repeating: " ", count: max(30, length + 3) - length) + "(\(remark))"
    }
}

/// What was expected beside what arrived, with a caret under the first difference.
private struct MismatchText {
    private let mismatch: Mismatch
    private let redactor: Redactor
    /// So many characters of two differing lines are shown beside each other: on 80 columns nothing wraps.
    private static let window = 56
    private static let before = 36
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

    private func texts(_ bytes: [UInt8], isPart: Bool) -> [String] {
        var wanted = redactor.escaped(bytes, isPart: isPart)
        var arrived = redactor.escaped(mismatch.arrived, isPart: mismatch.isPart)
        // Characters that are composed in another way look the same: then the bytes tell them apart.
        if wanted == arrived, !wanted.utf8.elementsEqual(arrived.utf8) {
            wanted = Escapes.escapedToASCII(bytes, isPart: isPart)
            arrived = Escapes.escapedToASCII(mismatch.arrived, isPart: mismatch.isPart)
        }
        let position = zip(bytes, mismatch.arrived).prefix { $0 == $1 }.count
        return beside(
            Array(wanted.unicodeScalars), Array(arrived.unicodeScalars), arrow: "\(mismatch.session)< ",
            position: position)
    }

    private func hex(_ bytes: [UInt8]) -> [String] {
        let arrived = mismatch.arrived.prefix(bytes.count)
        // A secret is shown by its name, which is no pair of digits.
        let isSecret = [bytes, Array(arrived)].contains { part in
            part.withUnsafeBytes { redactor.redacted($0, isCutBefore: true, isCutBehind: true) } != part
        }
        if isSecret { return texts(bytes, isPart: true) }
        let position = zip(bytes, arrived).prefix { $0 == $1 }.count
        return beside(
            Array(Self.pairs(bytes).unicodeScalars), Array(Self.pairs(arrived).unicodeScalars),
            arrow: "\(mismatch.session)< ", position: position, isHex: true)
    }

    private static func pairs(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined(separator: " ")
    }

    /// Both texts with a caret under the first difference; of long ones what is around it, and its byte.
    private func beside(
        _ wanted: [Unicode.Scalar], _ arrived: [Unicode.Scalar], arrow: String, position: Int, isHex: Bool = false
    ) -> [String] {
        var same = zip(wanted, arrived).prefix { $0 == $1 }.count
        // The caret stands under a whole pair of digits.
        if isHex { same -= same % 3 }
        let isLong = max(wanted.count, arrived.count) > Self.window
        var first = isLong ? max(0, same - Self.before) : 0
        if isHex { first -= first % 3 }
        func cut(_ text: [Unicode.Scalar]) -> String {
            let last = isLong ? min(text.count, first + Self.window) : text.count
            let shown = first < last ? String(String.UnicodeScalarView(text[first..<last])) : ""
            return (first > 0 ? "…" : "") + shown + (last < text.count ? "…" : "")
        }
        let indent = String(repeating: " ", count: 10 + arrow.unicodeScalars.count + same - first + (first > 0 ? 1 : 0))
        let place = isLong || isHex ? " byte \(position + 1)" : ""
        return ["expected: \(arrow)\(cut(wanted))", "arrived:  \(arrow)\(cut(arrived))", "\(indent)^\(place)"]
    }

    /// What is unread after the line that differs, and the state.
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

    /// The first line of what was sent, or the last of what was received.
    private func brief(_ entry: Exchanges.Entry) -> String {
        let isStream = exchanges.isStream
        let isPart = isStream && entry.bytes.last != UInt8(ascii: "\n")
        let lines = isStream ? Self.lines(of: entry.bytes) : [entry.bytes]
        let line = (entry.isSend ? lines.first : lines.last) ?? []
        var output: [UInt8] = []
        if entry.isSend || !isStream || entry.count > entry.bytes.count && lines.count == 1 {
            line.withUnsafeBytes {
                redactor.appendEscaped($0, to: &output, isCutBefore: !entry.isSend, isCutBehind: isPart)
            }
        } else {
            // Redacted before it is cut: a piece of a secret is not one any more.
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
    /// A received line in the script's notation.
    fileprivate func arrow(_ session: String, _ line: Excerpt.Line) -> String {
        "\(session)< " + escaped(line.bytes, isPart: line.isPart)
    }

    /// Bytes in the script's notation, secrets hidden, and pieces of them where the bytes may be cut.
    fileprivate func escaped(_ bytes: [UInt8], isPart: Bool) -> String {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { appendEscaped($0, to: &output, isCutBefore: true, isCutBehind: isPart) }
        return String(decoding: output, as: UTF8.self) + (isPart ? "\\" : "")
    }
}
