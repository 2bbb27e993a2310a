import Engine
import Reactor
import Results
import Script
import Sessions
import VM

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

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let sessions = try strand.sessions(target, orFail: .expectation)
        guard sessions.count > 1 else {
            let name = sessions.first?.name ?? ""
            throw Failure(
                .expectation, "compare needs two sessions or more, and only \(name) is meant", range: target.range)
        }
        let (wanted, matcher) = try expectation(strand, world)
        let time = try limit.map { limit throws(Failure) in world.settings.scaled(try limit.evaluate(in: strand))
        }
        let all = sessions.map { Awaited(world.feed(of: $0, for: strand), matcher(), wanted: wanted) }
        return .wait(
            CompareWait(
                all, wanted: wanted, ignored: try ignored.map { source throws(Failure) in try strand.regex(source) },
                limit: time ?? world.defaultLimit(for: sessions), range: range, world))
    }

    private func expectation(
        _ strand: Strand, _ world: World
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
                { SilenceMatcher(time: time, since: world.loop.readClock(), clock: world.loop.readClock) }
            )
        }
    }
}

/// Takes an answer from each session, then compares them.
private final class CompareWait: Wait {
    let isReading = true
    var limit: Duration?
    private let describe: () -> String
    private let ignored: Regex?
    private let range: SourceRange
    private unowned let world: World
    private let all: [Awaited]
    private var timer: Timer?

    init(
        _ all: [Awaited], wanted: @escaping () -> String, ignored: Regex?, limit: Duration, range: SourceRange,
        _ world: World
    ) {
        self.all = all
        describe = wanted
        self.ignored = ignored
        self.limit = limit
        self.range = range
        self.world = world
    }

    var wanted: String { describe() }
    var queues: [WaitQueue] { all.map(\.feed.waiters) }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        cancel()
        var met: [Match] = []
        for awaited in all {
            switch awaited.decide(isLate: isLate, limit: limit) {
            case .met(let match, _): met.append(match)
            case .pending: break
            case .unmet(let unmet):
                var failure = awaited.failure(unmet)
                failure.range = range
                throw failure
            }
        }
        guard met.count == all.count else {
            lookAgainAfterSilence(strand)
            return false
        }
        let answers = zip(all, met).map { awaited, match in answer(of: awaited, match) }
        try compare(answers)
        for (awaited, match) in zip(all, met) { awaited.feed.consume(match) }
        strand.capture([answers.last])
        return true
    }

    func cancel() {
        if let timer { world.loop.cancel(timer) }
        timer = nil
    }

    /// All from the front on; of counted lines, without the ending of the last one.
    private func answer(of awaited: Awaited, _ match: Match) -> [UInt8] {
        if awaited.matcher is LinesMatcher { return match.captures?.first.flatMap { $0 } ?? [] }
        return Array(awaited.feed.inbox.bytes(in: awaited.feed.inbox.front..<match.end))
    }

    /// A silence ends without anything happening: its end needs a timer.
    private func lookAgainAfterSilence(_ strand: Strand) {
        let due = all.compactMap { ($0.matcher as? SilenceMatcher)?.due }.filter { $0 > world.loop.now }.min()
        guard let due else { return }
        timer = world.loop.schedule(at: due) { [weak strand] in strand?.wake() }
    }

    private func compare(_ answers: [[UInt8]]) throws(Failure) {
        let answers = zip(all, answers).map { awaited, answer in
            Answers.Answer(name: awaited.session.name, lines: lines(of: answer))
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
