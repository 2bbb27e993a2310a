import Reactor
import Script
import Wire

/// Waits until a matcher is met for each of several sessions.
final class ExpectationWait: Wait {
    let wanted: String
    let limit: Duration?
    private var open: [(conversation: Conversation, matcher: any Matcher)]
    private let range: SourceRange
    private let interpreter: Interpreter
    private let began: Instant

    /// - Parameters:
    ///   - wanted: what is waited for, as failures call it.
    ///   - limit: how long it may take; already scaled.
    init(
        _ conversations: [Conversation], wanted: String, limit: Duration?, range: SourceRange,
        _ interpreter: Interpreter,
        matcher: () -> any Matcher
    ) {
        self.wanted = wanted
        self.limit = limit
        self.range = range
        self.interpreter = interpreter
        began = interpreter.loop.readClock()
        open = conversations.map { ($0, matcher()) }
    }

    var conversations: [Conversation] { open.map(\.conversation) }

    func poll(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        var remaining: [(conversation: Conversation, matcher: any Matcher)] = []
        for (conversation, matcher) in open {
            if try !poll(conversation, matcher, strand, isLate) { remaining.append((conversation, matcher)) }
        }
        open = remaining
        return remaining.isEmpty
    }

    private func poll(
        _ conversation: Conversation, _ matcher: any Matcher, _ strand: Strand, _ isLate: Bool
    ) throws(Failure) -> Bool {
        let inbox = conversation.session.inbox
        let frontBefore = inbox.front
        let hasEnded = conversation.inputHasEnded
        var progress = matcher.poll(
            conversation, strand, isWhole: hasEnded || isLate || inbox.isFull && inbox.limit == 0)
        if case .pending = progress, inbox.isFull, !hasEnded {
            if matcher.makeRoom(conversation) { return false }
            progress = matcher.poll(conversation, strand, isWhole: true)
            if case .pending = progress {
                throw failure(
                    conversation, "the inbox is full (\(shown(bytes: inbox.limit))) and \(wanted) is not in it",
                    hint: "raise it with: set inbox SIZE")
            }
        }
        switch progress {
        case .matched:
            interpreter.matched(conversation, skippedFrom: frontBefore, since: began)
            return true
        case .failed(let words, let details):
            throw failure(conversation, words, details: details)
        case .pending where hasEnded && !matcher.acceptsEnd:
            throw failure(conversation, "\(conversation.inputState) while waiting for \(wanted)")
        case .pending where isLate && matcher.succeedsLate: return true
        case .pending where isLate:
            throw failure(conversation, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
        case .pending: return false
        }
    }

    private func failure(
        _ conversation: Conversation, _ words: String, details: [String] = [], hint: String? = nil
    ) -> Failure {
        let report = FailureReport(conversation)
        var failure = Failure(.expectation, "\(conversation.name): \(words)", details: details, range: range)
        // A differing line shows what arrived by itself.
        failure.details += details.isEmpty ? report.arrived : ["(\(report.state))"]
        if let hint { failure.details.append(hint) }
        failure.lastExchanges = report.exchanges
        return failure
    }
}

/// What a failure tells of a conversation: what arrived since the last send, the state, the last exchanges.
struct FailureReport {
    private let conversation: Conversation
    private static let mostLines = 10

    init(_ conversation: Conversation) {
        self.conversation = conversation
    }

    /// The state of the connection, in words.
    var state: String {
        conversation.inputHasEnded ? conversation.inputState : "still open, nothing more"
    }

    /// The lines that arrived since the last send, with a heading.
    var arrived: [String] {
        let (send, entries) = conversation.log.sinceLastSend
        let since = send.map { "since the last send" + ($0.line.map { " (line \($0))" } ?? "") } ?? "so far"
        let bytes = entries.flatMap(\.bytes)
        guard !bytes.isEmpty else { return ["nothing arrived \(since) (\(state))"] }
        var lines = splitLines(bytes)
        var heading = "arrived \(since):"
        let isCut = entries.contains { $0.count > $0.bytes.count } || lines.count > Self.mostLines
        if isCut {
            lines = Array(lines.suffix(Self.mostLines))
            heading = "arrived \(since), the end of it:"
        }
        let isPart = bytes.last != UInt8(ascii: "\n")
        let last = lines.count - 1
        return [heading]
            + lines.enumerated().map { index, line in
                let text = "  " + arrow(line, isPart: isPart && index == last)
                guard index == last else { return text }
                let column = max(30, text.unicodeScalars.count + 3)
                let padding = String(repeating: " ", count: column - text.unicodeScalars.count)
                return text + padding + "(" + (isPart ? "no newline; " : "") + state + ")"
            }
    }

    /// The last exchanges with their times since the first of them: `+0.000 a> x   +0.004 a< y`.
    var exchanges: String {
        let entries = conversation.log.entries.suffix(5)
        guard let first = entries.first else { return "" }
        return entries.map { entry in
            let time = "+" + fixed((entry.time - first.time).inSeconds, digits: 3)
            return "\(time) \(conversation.name)\(entry.isSend ? ">" : "<") \(brief(entry))"
        }.joined(separator: "   ")
    }

    private func brief(_ entry: ExchangeLog.Entry) -> String {
        let lines = splitLines(entry.bytes)
        let line = (entry.isSend ? lines.first : lines.last) ?? []
        var text = Escapes.escaped(Array(line.prefix(48)))
        if line.count > 48 { text += "…" }
        if entry.bytes.last != UInt8(ascii: "\n") && line.count <= 48 { text += "\\" }
        return lines.count > 1 ? "\(text) (\(lines.count) lines)" : text
    }

    private func arrow(_ line: [UInt8], isPart: Bool) -> String {
        "\(conversation.name)< " + Escapes.escaped(line, isPart: isPart)
    }

    private func splitLines(_ bytes: [UInt8]) -> [[UInt8]] {
        SourceText.lines(of: bytes).map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    }
}
