import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// Turns arrow lines into instructions.
enum ArrowInstruction {
    static func make(_ arrow: ArrowLine) -> any Instruction {
        switch arrow.action {
        case .send(let text, let ending):
            return SendInstruction(target: arrow.target, text: text, hasEnding: ending, range: arrow.range)
        case .endOutput: return EndOutputInstruction(target: arrow.target, range: arrow.range)
        case .line(let text, let ending):
            return ExpectInstruction(target: arrow.target, range: arrow.range) { strand throws(Failure) in
                let bytes = try strand.expand(text)
                if let blessing = strand.world.blessing, ending || blessing.learned != nil {
                    return (
                        { "the line \"\(Escapes.escaped(bytes))\"" },
                        { blessing.matcher(arrow, text: bytes, isPart: !ending, in: strand.world) }
                    )
                }
                return ({ "the line \"\(Escapes.escaped(bytes))\"" }, { LineMatcher(text: bytes, hasEnding: ending) })
            }
        case .match(let source):
            let shown = String(lossless: arrow.range.lineText[arrow.textRange.columns])
            return ExpectInstruction(target: arrow.target, range: arrow.range) { strand throws(Failure) in
                let regex = try strand.regex(source)
                let values = try strand.values(in: source)
                return (
                    { "a line matching \(shown)\(values)" },
                    { LinePatternMatcher(regex: regex, source: shown + values) }
                )
            }
        case .endOfStream(let code):
            return ExpectInstruction(target: arrow.target, range: arrow.range) { _ throws(Failure) in
                (
                    { "the end of the stream" + (code.map { " with code \($0)" } ?? "") },
                    { EndMatcher(wantsReset: false, isStrict: true, code: code) }
                )
            }
        case .reset:
            return ExpectInstruction(target: arrow.target, range: arrow.range) { _ throws(Failure) in
                ({ "a reset" }, { EndMatcher(wantsReset: true, isStrict: true) })
            }
        }
    }
}

extension Blessing {
    /// Returns a matcher that accepts what arrives, and captures the values that are to be learned.
    fileprivate func matcher(
        _ arrow: ArrowLine, text: [UInt8], isPart: Bool, in world: World
    ) -> BlessingMatcher {
        let wanted = captures(of: arrow)
        return BlessingMatcher(arrow, text: text, isPart: isPart, clock: world.loop.readClock) { arrived in
            wanted.compactMap { capture in
                capture.range(in: arrived).map { (capture.name, Array(arrived[$0])) }
            }
        }
    }
}

extension Strand {
    /// Returns the current values of a pattern's variables, for failures: ` (${x} is "5")`; empty without variables.
    func values(in source: PatternSource) throws(Failure) -> String {
        if source.compiled != nil { return "" }
        var seen: [String] = []
        var parts: [String] = []
        for expansion in source.template.expansions where !seen.contains(expansion.title) {
            seen.append(expansion.title)
            let value = try value(of: expansion)
            parts.append(
                "${\(expansion.title)} is \"\(Escapes.escaped(Array(value.prefix(64))))\(value.count > 64 ? "…" : "")\""
            )
        }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
    }

    /// Returns the regex of a pattern with the current values of its variables.
    func regex(_ source: PatternSource) throws(Failure) -> Regex {
        do {
            return try source.regex { expansion throws(Failure) in try value(of: expansion) }
        } catch let error as Failure {
            throw error
        } catch {
            throw Failure(
                .expectation, "bad regex: \((error as? RegexError)?.message ?? "\(error)")", range: source.range)
        }
    }
}

/// Sends text to each session of a target, with the session's line ending.
struct SendInstruction: Instruction {
    let target: Target
    let text: Template
    let hasEnding: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let bytes = try strand.expand(text)
        let sessions = try strand.sessions(target, orFail: .connection)
        if world.isTyped { for session in sessions { session.feed.drain() } }
        for session in sessions where (world.isTyped || strand.isGuest) && session.inputHasEnded {
            let name = session.name
            world.transcript.hint(
                "\(name): the peer has ended its side and may not read this; to connect again: reopen \(name)")
        }
        if hasEnding { return try LinesWait.step([bytes], to: sessions, at: range.line, world) }
        for session in sessions { try session.send(bytes, line: range.line) }
        return SendWait.step(for: sessions, world)
    }
}

/// `T>|`: ends our side (half-close).
struct EndOutputInstruction: Instruction {
    let target: Target
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        for session in try strand.sessions(target, orFail: .connection) { try session.endOutput() }
        return .next
    }
}

/// Waits until each session of a target meets an expectation.
struct ExpectInstruction: Instruction {
    let target: Target
    let range: SourceRange
    /// A limit that replaces the default one.
    var limit: Value<Duration>?
    /// Whether the limit is part of the expectation and therefore not scaled.
    var limitIsExact = false
    let expectation: Expectation.Factory

    init(
        target: Target, range: SourceRange, limit: Value<Duration>? = nil, limitIsExact: Bool = false,
        expectation: @escaping Expectation.Factory
    ) {
        self.target = target
        self.range = range
        self.limit = limit
        self.limitIsExact = limitIsExact
        self.expectation = expectation
    }

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let sessions = try strand.sessions(target, orFail: .expectation)
        let (wanted, matcher) = try expectation(strand)
        var time = world.defaultLimit(for: sessions)
        if let limit {
            let given = try limit.evaluate(in: strand)
            time = limitIsExact ? given : world.settings.scaled(given)
        }
        let all = sessions.map { Awaited(world.feed(of: $0, for: strand), matcher(), wanted: wanted) }
        return .wait(ExpectationWait(all, wanted: wanted, limit: time, range: range, world))
    }
}

/// Backpressure: a strand that has sent much data waits until the kernel has accepted most of it.
final class SendWait: Wait {
    let wanted = "room to send"
    var limit: Duration?
    private(set) var sessions: [Session]
    private let maximum: Int
    var queues: [WaitQueue] { sessions.map(\.waiters) }

    /// The number of bytes in an outbox above which the sender has to wait.
    private static let highWater = 1 << 20

    /// Returns a wait if much data is queued; otherwise the strand continues immediately.
    static func step(for sessions: [Session], _ world: World) -> Step {
        let full = sessions.filter { $0.channel.bytesWaiting > highWater }
        guard !full.isEmpty else { return .next }
        return .wait(SendWait(full, maximum: highWater, limit: world.defaultLimit(for: full)))
    }

    /// Waits until at most `maximum` bytes remain in each outbox.
    init(_ sessions: [Session], maximum: Int, limit: Duration?) {
        self.sessions = sessions
        self.maximum = maximum
        self.limit = limit
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        for session in sessions { try session.requireWorkingOutput() }
        sessions.removeAll { $0.channel.bytesWaiting <= maximum || !$0.channel.isOpen }
        if isLate, let session = sessions.first {
            throw Failure(
                .connection, "\(session.name): timed out after \(shown(limit ?? .zero)) sending",
                details: ["the peer is not reading: \(shown(bytes: session.channel.bytesWaiting)) queued to send"])
        }
        return sessions.isEmpty
    }
}
