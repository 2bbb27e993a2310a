import Reactor
import Script
import Wire

/// Waits until a matcher is met for each of several sessions.
final class ExpectationWait: Wait {
    var wanted: String { describe() }
    var limit: Duration?
    let isReading = true
    private let describe: () -> String
    private var open: [(session: Session, matcher: any Matcher)]
    private let range: SourceRange
    private let interpreter: Interpreter
    private let began: Instant

    /// - Parameters:
    ///   - wanted: what is waited for, as failures call it.
    ///   - limit: how long it may take; already scaled.
    init(
        _ sessions: [Session], wanted: @escaping () -> String, limit: Duration?, range: SourceRange,
        _ interpreter: Interpreter,
        matcher: () -> any Matcher
    ) {
        describe = wanted
        self.limit = limit
        self.range = range
        self.interpreter = interpreter
        began = interpreter.loop.readClock()
        open = sessions.map { ($0, matcher()) }
    }

    var sessions: [Session] { open.map(\.session) }
    var succeedsLate: Bool { open.contains { $0.matcher.succeedsLate } }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        var remaining: [(session: Session, matcher: any Matcher)] = []
        for (session, matcher) in open {
            if try !check(session, matcher, strand, isLate) { remaining.append((session, matcher)) }
        }
        open = remaining
        return remaining.isEmpty
    }

    private func check(
        _ session: Session, _ matcher: any Matcher, _ strand: Strand, _ isLate: Bool
    ) throws(Failure) -> Bool {
        let inbox = session.channel.inbox
        let frontBefore = inbox.front
        let hasEnded = session.inputHasEnded
        var progress = matcher.check(session, isWhole: hasEnded || isLate)
        if case .pending = progress, inbox.isFull, !hasEnded {
            if matcher.makeRoom(session), !isLate { return false }
            progress = matcher.check(session, isWhole: true)
            if case .pending = progress, !isLate {
                throw failure(
                    session, "the inbox is full (\(shown(bytes: inbox.limit))) and \(wanted) is not in it",
                    hint: "raise it with: set inbox SIZE")
            }
        }
        switch progress {
        case .matched(let match):
            match.take(from: session, by: strand)
            interpreter.matched(session, skippedFrom: frontBefore, since: began)
            return true
        case .failed(let words, let details):
            throw failure(session, words, details: details)
        case .differs(let words, let details):
            throw failure(session, words, details: details, showsFirstLine: true)
        case .pending where hasEnded && !matcher.acceptsEnd:
            throw failure(
                session, "\(session.inputState) while waiting for \(wanted)", hint: matcher.hint)
        case .pending where isLate && matcher.succeedsLate: return true
        case .pending where !matcher.succeedsLate && session.refusal != nil:
            throw failure(session, "\(session.takeRefusal() ?? "") while waiting for \(wanted)")
        case .pending where isLate:
            throw failure(
                session, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)", hint: matcher.hint,
                isLate: true)
        case .pending: return false
        }
    }

    /// - Parameter showsFirstLine: the details show the first unread line already.
    private func failure(
        _ session: Session, _ words: String, details: [String] = [], showsFirstLine: Bool = false,
        hint: String? = nil, isLate: Bool = false
    ) -> Failure {
        let report = FailureReport(session, interpreter.redactor, isLate: isLate)
        var failure = Failure(.expectation, "\(session.name): \(words)", details: details, range: range)
        failure.details += showsFirstLine ? report.behindFirstLine : report.arrived
        if let hint { failure.details.append(hint) }
        failure.toldEnds = [session.name]
        failure.lastExchanges = report.exchanges
        return failure
    }
}

/// What a failure tells of a session: what arrived since the last send, the state, the last exchanges.
struct FailureReport {
    private let session: Session
    private let redactor: Redactor
    private let isLate: Bool
    private static let mostLines = 12
    private static let firstLines = 4
    private static let mostBehind = 4
    private static let longestBehind = 256

    /// - Parameter isLate: a wait has come to its limit.
    init(_ session: Session, _ redactor: Redactor, isLate: Bool = false) {
        self.isLate = isLate
        self.session = session
        self.redactor = redactor
    }

    /// The state of the connection, in words.
    var state: String {
        if session.inputHasEnded { return session.inputState }
        if session.channel.inbox.isFull { return "still open; the inbox is full, so no more is read" }
        if session.child?.ending != nil { return session.inputState }
        return isLate && session.isReceiving ? "still open and sending" : "still open, nothing more"
    }

    /// The lines that arrived since the last send, with a heading; it says what earlier lines have consumed.
    var arrived: [String] {
        let (send, entries) = session.log.sinceLastSend
        let since = send.map { "since the last send" + ($0.line.map { " (line \($0))" } ?? "") } ?? "so far"
        let bytes = entries.flatMap(\.bytes)
        let isStream = session.framing == .line
        guard isStream ? !bytes.isEmpty : !entries.isEmpty else { return ["nothing arrived \(since) (\(state))"] }
        let isPart = isStream && bytes.last != UInt8(ascii: "\n")
        let lines = isStream ? splitLines(bytes) : entries.map(\.bytes)
        let consumed = consumedLines(of: bytes, lines.count)
        var texts = lines.enumerated().map { index, line in
            let text = "  " + arrow(line, isPart: isPart && index == lines.count - 1)
            return index < consumed ? padded(text, "(consumed)") : text
        }
        let end = (isPart ? "no newline; " : "") + state
        if consumed < lines.count {
            texts[lines.count - 1] = padded(texts[lines.count - 1], "(\(end))")
        }
        let lost = entries.contains { $0.count > $0.bytes.count }
        if texts.count > Self.mostLines {
            let hidden = texts.count - Self.mostLines
            // Of what was not kept nobody knows how many lines it was.
            let remark = lost ? "  … more lines, not shown" : "  … \(hidden) lines not shown"
            texts.replaceSubrange(Self.firstLines..<(Self.firstLines + hidden), with: [remark])
        }
        let heading = lost ? "arrived \(since), the end of it:" : "arrived \(since):"
        return [heading] + texts + (consumed == lines.count ? ["nothing unread (\(end))"] : [])
    }

    /// What is unread behind the first line, and the state.
    var behindFirstLine: [String] {
        let inbox = session.channel.inbox
        guard let first = inbox.nextLineEnd() else { return ["(\(state))"] }
        let ends = lineEnds(behind: first.next, in: inbox)
        var texts = zip([first.next] + ends, ends).prefix(Self.mostBehind).map { begin, end in
            "          " + brief(lineAt: begin..<inbox.textEnd(ofMessage: begin..<end), in: inbox)
        }
        if let next = texts.first { texts[0] = "then:" + next.dropFirst(5) }
        if ends.count > texts.count { texts.append("          … \(ends.count - texts.count) more") }
        return texts + ["(\(state))"]
    }

    /// Where the unread lines from a position on end, or the messages.
    private func lineEnds(behind position: Int, in inbox: Inbox) -> [Int] {
        if let ends = inbox.messageEnds { return Array(ends.dropFirst()) }
        let bytes = inbox.bytes(from: position)
        var ends = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map { position + $0 + 1 }
        if (ends.last ?? position) < inbox.end { ends.append(inbox.end) }
        return ends
    }

    private func brief(lineAt range: Range<Int>, in inbox: Inbox) -> String {
        let bytes = Array(inbox.bytes(in: range))
        if bytes.count > Self.longestBehind {
            return arrow(Array(bytes.prefix(Self.longestBehind)), isPart: true) + "…"
        }
        guard session.framing == .line else { return arrow(bytes, isPart: false) }
        return arrow(splitLines(bytes).first ?? [], isPart: bytes.last != UInt8(ascii: "\n"))
    }

    /// How many of the lines lie before the front of the inbox as a whole.
    private func consumedLines(of bytes: [UInt8], _ count: Int) -> Int {
        let unread = session.channel.inbox.bytes
        if let messages = session.channel.inbox.messageEnds { return max(0, count - messages.count) }
        let rest = bytes.suffix(unread.count)
        // Only a line's ending is left: the line counts as consumed.
        let isEnding =
            rest.count <= 2 && !rest.isEmpty && rest.allSatisfy { $0 == 10 || $0 == 13 } && bytes.count > rest.count
        guard !rest.isEmpty, !isEnding else { return count }
        return bytes.dropLast(rest.count).count { $0 == UInt8(ascii: "\n") }
    }

    private func padded(_ text: String, _ remark: String) -> String {
        let length = text.unicodeScalars.count
        return text + String(repeating: " ", count: max(30, length + 3) - length) + remark
    }

    /// The last exchanges with their times since the first of them: `+0.000 a> x   +0.004 a< y`.
    var exchanges: String {
        let entries = Array(session.log.entries)
        let shown = entries.indices.suffix(5)
        guard let first = shown.first else { return "" }
        return shown.map { index in
            let entry = entries[index]
            let time = "+" + fixed((entry.time - entries[first].time).inSeconds, digits: 3)
            return
                "\(time) \(session.name)\(entry.isSend ? ">" : "<") \(brief(entry, surroundings(of: index, in: entries)))"
        }.joined(separator: "   ")
    }

    /// What was received right before and behind an entry: a secret may have come in several reads.
    private func surroundings(
        of index: Int, in entries: [ExchangeLog.Entry]
    ) -> (before: [UInt8], after: [UInt8]) {
        guard !redactor.isEmpty, !entries[index].isSend, session.framing == .line else { return ([], []) }
        let before = entries[..<index].reversed().prefix { !$0.isSend }.reversed()
        return (before.flatMap(\.bytes), entries[(index + 1)...].prefix { !$0.isSend }.flatMap(\.bytes))
    }

    /// The first line of what was sent, or the last of what was received.
    private func brief(_ entry: ExchangeLog.Entry, _ around: (before: [UInt8], after: [UInt8])) -> String {
        let isStream = session.framing == .line
        let isPart = isStream && entry.bytes.last != UInt8(ascii: "\n")
        let lines = isStream ? splitLines(entry.bytes) : [entry.bytes]
        let line = (entry.isSend ? lines.first : lines.last) ?? []
        var output: [UInt8] = []
        if entry.isSend || !isStream || entry.count > entry.bytes.count && lines.count == 1 {
            output = Array(redacted(line, isPart: isPart, isRest: !entry.isSend).utf8)
        } else {
            // Redacted before it is cut: a piece of a secret is not one any more.
            let end =
                isPart
                ? 0 : entry.bytes.reversed().prefix { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.count
            let earlier = entry.bytes.dropLast(end).dropLast(line.count)
            redactor.appendEscaped(line, between: around.before + earlier, and: around.after, to: &output)
        }
        let text = String(decoding: output, as: UTF8.self)
        let short = text.count > 48 ? text.prefix(48) + "…" : text + (isPart ? "\\" : "")
        return lines.count > 1 ? "\(short) (\(lines.count) lines)" : String(short)
    }

    private func arrow(_ line: [UInt8], isPart: Bool) -> String {
        "\(session.name)< " + redacted(line, isPart: isPart, isRest: true) + (isPart ? "\\" : "")
    }

    /// A line in the script's notation, secrets hidden, and pieces of them where the line may be cut.
    private func redacted(_ line: [UInt8], isPart: Bool, isRest: Bool) -> String {
        var output: [UInt8] = []
        line.withUnsafeBytes {
            redactor.appendEscaped($0, to: &output, isCutBefore: isRest, isCutBehind: isPart)
        }
        return String(decoding: output, as: UTF8.self)
    }

    private func splitLines(_ bytes: [UInt8]) -> [[UInt8]] {
        SourceText.lines(of: bytes).map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    }
}
