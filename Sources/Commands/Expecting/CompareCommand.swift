import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// `compare`: checks that all sessions gave the same answer.
struct CompareCommand: Command {
    static var description: CommandDescription {
        let ignoring = Element.optional([.keyword("ignoring"), .parameter(Parameter("REGEX", .pattern))])
        return CommandDescription(
            name: "compare", summary: "check that sessions give the same answer",
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
                An answer is the next N lines (default 1), everything up to and including PATTERN, or everything \
                until no data has arrived for SILENCE or the stream has ended. Text that matches REGEX is ignored, \
                and so are lines that contain nothing else. If the answers differ, the failure groups equal answers \
                and shows how the others differ from the most frequent one. ${0} is the answer of the last session.
                """,
            examples: ["a,b> INFO", "compare a,b until \"END\" ignoring /uptime:\\d+/", "compare replica* lines 3"],
            caveats: [
                "If the answers differ, nothing is consumed."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        if let argument = call.argument("REGEX"), !argument.isRegex {
            throw ScriptError(argument.range, "'ignoring' takes a /regex/")
        }
        let target = try call.target()
        if target.items.count == 1, let name = target.items[0].template.literalText, !isGlob(name) {
            throw ScriptError(
                target.range, "compare needs at least two sessions",
                hint: "write a list or a glob, such as \(name),b or *")
        }
        compiler.read(target)
        let extent: CompareInstruction.Extent
        if call.keywords.contains("until") {
            extent = .until(try Expectation.makePattern(call))
        } else if let argument = call.argument("SILENCE") {
            extent = .quiet(Value(duration: argument))
        } else {
            extent = .lines(call.argument("N").map { Value(count: $0) })
        }
        compiler.emit(
            CompareInstruction(
                target: target, extent: extent, ignored: call.regex("REGEX"), limit: call.within, range: call.range))
    }
}

private struct CompareInstruction: Instruction {
    /// The extent of an answer.
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
                .expectation, "compare needs at least two sessions; the target selects only \(name)",
                range: target.range)
        }
        let (wanted, matcher) = try expectation(strand, world)
        let time = try limit.map { limit throws(Failure) in world.settings.scaled(try limit.evaluate(in: strand))
        }
        let all = sessions.map { Awaited(world.feed(of: $0, for: strand), matcher(), keepsAll: true, wanted: wanted) }
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
            return ({ counted(count, "line") }, { LinesMatcher(count: count) })
        case .until(let pattern):
            let (wanted, matcher) = try pattern(strand)
            return ({ "an answer ending with \(wanted())" }, matcher)
        case .quiet(let time):
            let time = try time.evaluate(in: strand)
            return (
                { "\(shown(time)) of silence" },
                { SilenceMatcher(time: time, since: world.loop.readClock(), clock: world.loop.readClock) }
            )
        }
    }
}

/// Receives an answer from each session, then compares the answers.
private final class CompareWait: Wait {
    let isReading = true
    var limit: Duration?
    private let describe: () -> String
    private let ignored: Regex?
    private let range: SourceRange
    private unowned let world: World
    private let all: [Awaited]
    private let silence: SilenceTimer
    private let began: Instant

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
        began = world.loop.readClock()
        silence = SilenceTimer(on: world.loop)
    }

    var wanted: String { describe() }
    var queues: [WaitQueue] { all.map(\.feed.waiters) }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        cancel()
        // A silence ends when nothing arrives, not even the end of an incomplete line.
        let isLast = isLate || all.contains { $0.matcher is SilenceMatcher }
        if isLast { for awaited in all { awaited.feed.lend() } }
        defer { if isLast { Standing.end(all) } }
        let standing = Standing(of: all, isLate: isLate, limit: limit)
        if let (index, unmet) = standing.unmet.first { throw all[index].failure(unmet, at: range) }
        guard standing.pending.isEmpty else {
            silence.schedule(for: all, strand)
            if standing.isUnfinished { strand.wake() }
            return false
        }
        let answers = standing.met.map { answer(of: all[$0.index], $0.match) }
        try compare(answers)
        for (index, match, isCut) in standing.met {
            world.met(all[index], match, isCut: isCut, isLate: isLate, at: range, since: began, limit: limit)
            all[index].feed.consume(match)
        }
        strand.capture([answers.last])
        return true
    }

    func cancel() { silence.cancel() }

    /// Returns all data from the front to the end of the match; for counted lines, without the last line ending.
    private func answer(of awaited: Awaited, _ match: Match) -> [UInt8] {
        if awaited.matcher is LinesMatcher { return match.captures?.first.flatMap { $0 } ?? [] }
        return Array(awaited.feed.inbox.bytes(in: awaited.feed.inbox.front..<match.end))
    }

    private func compare(_ answers: [[UInt8]]) throws(Failure) {
        var counting: [Answers.Answer] = []
        let stopwatch = Regex.Stopwatch()
        var size = 0
        for (awaited, answer) in zip(all, answers) {
            size += answer.count
            let lines = try lines(of: answer, stopwatch, size)
            counting.append(Answers.Answer(name: awaited.session.name, lines: lines))
        }
        guard let difference = Answers(counting).difference else { return }
        throw Failure(.expectation, difference.message, details: difference.details, range: range)
    }

    /// Returns the lines to compare, in the script's notation: without the matches of `ignored`, and without the lines
    /// that are empty after their removal.
    private func lines(of answer: [UInt8], _ stopwatch: Regex.Stopwatch, _ size: Int) throws(Failure) -> [String] {
        var lines: [String] = []
        for line in SourceText.lines(of: answer) {
            let line = line.last == UInt8(ascii: "\r") ? Array(line.dropLast()) : line
            var rest = line
            if let ignored {
                rest = try without(ignored, line)
                guard !stopwatch.isOver(after: size) else { throw tooComplex("the search takes too long") }
            }
            if rest.count == line.count || !rest.isEmpty { lines.append(Escapes.escaped(rest)) }
        }
        return lines
    }

    /// Returns a line without the matches of a regex.
    private func without(_ regex: Regex, _ line: [UInt8]) throws(Failure) -> [UInt8] {
        var rest: [UInt8] = []
        var index = 0
        while index <= line.count {
            let outcome = line.withUnsafeBytes { regex.search($0, from: index, isWhole: true, beginsLine: true) }
            if case .limit(let why) = outcome { throw tooComplex(why) }
            guard case .match(let groups) = outcome, let match = groups.first ?? nil else { break }
            rest += line[index..<max(index, match.lowerBound)]
            // An empty match removes nothing, and the search continues after the next byte.
            let isEmpty = match.upperBound <= index
            if isEmpty, index < line.count { rest.append(line[index]) }
            index = isEmpty ? index + 1 : match.upperBound
        }
        return index < line.count ? rest + line[index...] : rest
    }

    private func tooComplex(_ why: String) -> Failure {
        Failure(.expectation, "pattern too complex: \(why)", range: range)
    }
}
