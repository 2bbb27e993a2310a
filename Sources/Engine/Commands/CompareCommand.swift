import Reactor
import Script

/// `compare`: every session gave the same answer.
struct CompareCommand: Command {
    static var description: CommandDescription {
        let ignoring = Element.optional([.keyword("ignoring"), .parameter(Parameter("REGEX", .pattern))])
        return CommandDescription(
            name: "compare", summary: "check that sessions gave the same answer",
            forms: [
                Form(
                    .parameter(.target), .keyword("lines"), .parameter(Parameter("N", .count)), ignoring, .within),
                Form(.parameter(.target), .keyword("until"), .parameter(Expectation.pattern), ignoring, .within),
                Form(
                    .parameter(.target), .keyword("quiet"), .parameter(Parameter("SILENCE", .duration)), ignoring,
                    .within),
                Form(.parameter(.target), ignoring, .within),
            ],
            text: """
                An answer is the next N lines (one), or all through PATTERN, or all until nothing has arrived for \
                SILENCE or the stream has ended. What REGEX matches does not count, and a line of which then nothing is \
                left neither. When the answers differ the failure groups equal ones and shows how the others differ from \
                the most frequent. ${0} is the answer of the last session.
                """,
            examples: ["a,b> INFO", "compare a,b until \"END\" ignoring /uptime:\\d+/", "compare replica* lines 3"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        if let word = call.word("REGEX"), !word.isRegex {
            throw ScriptError(word.range, "'ignoring' takes a /regex/")
        }
        let target = try call.target()
        if target.items.count == 1, let name = target.items[0].template.literalText, !isGlob(name) {
            throw ScriptError(
                target.range, "compare needs two sessions or more",
                hint: "write a list or a glob, such as \(name),b or *")
        }
        compiler.read(target)
        let extent: CompareInstruction.Extent
        if call.keywords.contains("until") {
            extent = .until(try Expectation.makePattern(call))
        } else if let word = call.word("SILENCE") {
            extent = .quiet(Value(duration: word))
        } else {
            extent = .lines(call.word("N").map { Value(count: $0) })
        }
        compiler.emit(
            CompareInstruction(
                target: target, extent: extent, ignored: call.regex("REGEX"), limit: call.within, range: call.range))
    }
}

private struct CompareInstruction: Instruction {
    /// How far an answer goes.
    enum Extent {
        case lines(Value<Int>?)
        case until(Expectation.Factory)
        case quiet(Value<Duration>)
    }

    let target: Target
    let extent: Extent
    let ignored: PatternSource?
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let sessions = try strand.sessions(target, orFail: .expectation)
        guard sessions.count > 1 else {
            let name = sessions.first?.name ?? ""
            throw Failure(
                .expectation, "compare needs two sessions or more, and only \(name) is meant", range: target.range)
        }
        let (wanted, matcher) = try expectation(strand, interpreter)
        let time = try limit.map { limit throws(Failure) in interpreter.settings.scaled(try limit.evaluate(in: strand))
        }
        return .wait(
            CompareWait(
                sessions, wanted: wanted,
                ignored: try ignored.map { source throws(Failure) in try strand.regex(source) },
                limit: time ?? interpreter.defaultLimit(for: sessions), range: range, interpreter, matcher: matcher
            ))
    }

    private func expectation(
        _ strand: Strand, _ interpreter: Interpreter
    ) throws(Failure) -> (wanted: () -> String, matcher: () -> any Matcher) {
        switch extent {
        case .lines(let count):
            let count = try count?.evaluate(in: strand) ?? 1
            return ({ count == 1 ? "a line" : "\(count) lines" }, { LinesMatcher(count: count) })
        case .until(let pattern):
            let (wanted, matcher) = try pattern(strand)
            return ({ "an answer through \(wanted())" }, matcher)
        case .quiet(let time):
            let time = try time.evaluate(in: strand)
            return (
                { "\(shown(time)) of silence" },
                { SilenceMatcher(time: time, since: interpreter.loop.readClock(), clock: interpreter.loop.readClock) }
            )
        }
    }
}

/// Everything until nothing has arrived for a while, or the stream has ended.
private final class SilenceMatcher: Matcher {
    private let time: Duration
    private let clock: () -> Instant
    private var lastEnd = -1
    private var lastArrival: Instant

    init(time: Duration, since start: Instant, clock: @escaping () -> Instant) {
        self.time = time
        self.clock = clock
        lastArrival = start
    }

    var acceptsEnd: Bool { true }

    /// When the silence is long enough, as far as is known.
    var due: Instant { lastArrival + time }

    func check(_ session: Session, isWhole: Bool) -> Progress {
        let inbox = session.channel.inbox
        if inbox.end != lastEnd {
            if lastEnd >= 0 { lastArrival = clock() }
            lastEnd = inbox.end
        }
        guard session.inputHasEnded || clock() >= due else { return .pending }
        return .matched(Match(start: inbox.front, end: inbox.end))
    }
}

/// Takes an answer from each session, then compares them.
private final class CompareWait: Wait {
    let isReading = true
    var limit: Duration?
    private let describe: () -> String
    private let ignored: Regex?
    private let range: SourceRange
    private let interpreter: Interpreter
    private let all: [Session]
    private var open: [(session: Session, matcher: any Matcher)]
    private var answers: [String: [UInt8]] = [:]
    private weak var strand: Strand?
    private var timer: Timer?

    init(
        _ sessions: [Session], wanted: @escaping () -> String, ignored: Regex?, limit: Duration,
        range: SourceRange, _ interpreter: Interpreter, matcher: () -> any Matcher
    ) {
        all = sessions
        describe = wanted
        self.ignored = ignored
        self.limit = limit
        self.range = range
        self.interpreter = interpreter
        open = sessions.map { ($0, matcher()) }
    }

    var wanted: String { describe() }
    var sessions: [Session] { open.map(\.session) }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        self.strand = strand
        var remaining: [(session: Session, matcher: any Matcher)] = []
        for (session, matcher) in open {
            if try !take(session, matcher, isLate) { remaining.append((session, matcher)) }
        }
        open = remaining
        guard remaining.isEmpty else {
            lookAgainAfterSilence()
            return false
        }
        cancel()
        if let last = all.last { strand.capture([answers[last.name]]) }
        try compare()
        return true
    }

    func cancel() {
        if let timer { interpreter.loop.cancel(timer) }
        timer = nil
    }

    private func take(
        _ session: Session, _ matcher: any Matcher, _ isLate: Bool
    ) throws(Failure) -> Bool {
        let hasEnded = session.inputHasEnded
        let isFull = session.channel.inbox.isFull
        switch matcher.check(session, isWhole: hasEnded || isLate || isFull) {
        case .matched(let match):
            let front = session.channel.inbox.front
            answers[session.name] =
                match.captures?.first.flatMap { $0 }.flatMap {
                    matcher is LinesMatcher ? $0 : nil
                } ?? session.bytes(front..<match.end)
            if let strand {
                var match = match
                match.captures = nil
                match.take(from: session, by: strand)
            }
            return true
        case .failed(let words, let details), .differs(let words, let details):
            throw failure(session, words, details)
        case .pending where session.refusal != nil:
            throw failure(session, "\(session.takeRefusal() ?? "") while waiting for \(wanted)")
        case .pending where hasEnded:
            throw failure(session, "\(session.inputState) while waiting for \(wanted)")
        case .pending where isFull:
            throw failure(session, "the inbox is full and \(wanted) is not in it")
        case .pending where isLate:
            throw failure(session, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
        case .pending: return false
        }
    }

    /// A silence ends without anything happening: its end needs a timer.
    private func lookAgainAfterSilence() {
        let due = open.compactMap { ($0.matcher as? SilenceMatcher)?.due }.min()
        cancel()
        guard let due else { return }
        timer = interpreter.loop.schedule(at: due) { [unowned self] in
            if let strand { interpreter.wake(strand) }
        }
    }

    private func failure(_ session: Session, _ words: String, _ details: [String] = []) -> Failure {
        cancel()
        let report = FailureReport(session, interpreter.redactor)
        var failure = Failure(
            .expectation, "\(session.name): \(words)", details: details + report.arrived, range: range)
        failure.lastExchanges = report.exchanges
        failure.toldEnds = [session.name]
        return failure
    }

    private func compare() throws(Failure) {
        let answers = all.map { session in
            Answers.Answer(name: session.name, lines: lines(of: self.answers[session.name] ?? []))
        }
        guard let difference = Answers(answers).difference else { return }
        throw Failure(.expectation, difference.message, details: difference.details, range: range)
    }

    /// The lines that count, in the script's notation.
    private func lines(of answer: [UInt8]) -> [String] {
        let text = ignored.map { Self.without($0, answer) } ?? answer
        return SourceText.lines(of: text).map { line in
            Escapes.escaped(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
        }
    }

    /// `text` without the matches of `regex`, and without the lines that they have emptied.
    private static func without(_ regex: Regex, _ text: [UInt8]) -> [UInt8] {
        var lines: [[UInt8]] = []
        for line in SourceText.lines(of: text) {
            let rest = removeMatches(of: regex, from: line)
            if rest.count == line.count || rest.contains(where: { $0 != UInt8(ascii: "\r") }) { lines.append(rest) }
        }
        return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
    }

    private static func removeMatches(of regex: Regex, from line: [UInt8]) -> [UInt8] {
        var rest: [UInt8] = []
        var index = 0
        line.withUnsafeBytes { bytes in
            while index <= bytes.count,
                case .match(let groups) = regex.search(bytes, from: index, isWhole: true, beginsLine: true),
                let match = groups.first ?? nil
            {
                rest += bytes[index..<max(index, match.lowerBound)]
                // An empty match takes nothing, and the search goes on behind the next byte.
                let isEmpty = match.upperBound <= index
                if isEmpty, index < bytes.count { rest.append(bytes[index]) }
                index = isEmpty ? index + 1 : match.upperBound
            }
            if index < bytes.count { rest += bytes[index...] }
        }
        return rest
    }
}
