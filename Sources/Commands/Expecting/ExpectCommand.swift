import Results
import Script
import Sessions
import VM
import Wire

/// `expect`: waits for something to be received.
struct ExpectCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "expect", summary: "wait for something to be received",
            forms: [
                Form(.parameter(.target), .keyword("nothing"), .keyword("for"), .parameter(.duration)),
                Form(
                    .parameter(.target), .keyword("not"), .parameter(Expectation.pattern), .keyword("for"),
                    .parameter(.duration)),
                Form(
                    .parameter(.target), .keyword("connections"), .parameter(Parameter("N", .count)), .within),
            ] + Expectation.forms.map { Form(elements: [.parameter(.target)] + $0 + [.within]) },
            text: """
                PATTERN is text or a /regex/. Data before the match is skipped, and everything up to the end of \
                the match is consumed. ${0} is then the match, ${1} and so on are its groups, and a named group sets \
                the variable of that name.

                'line PATTERN' skips whole lines until one matches, and consumes that with its ending. 'eof', 'reset' \
                and 'end' (either) skip to the end of the stream. These put data into ${0}, and ${1} and so on are \
                then unset: 'bytes N', 'lines N', 'frame KIND' (see 'help frames'), 'all' (everything to the end of \
                the stream), 'quiet SILENCE' (everything until nothing has arrived for SILENCE). In 'hex HEX', ?? is \
                any byte.

                'screen PATTERN' waits until a row on the screen of a program (spawn --pty) contains PATTERN: with \
                ROW that row, and with COLUMN begins there. Both count from 1, and nothing is consumed.

                'connections N' waits until a tunnel has N connections. \
                'nothing for D' passes if no data arrives during D, and 'not PATTERN for D' passes if PATTERN does \
                not arrive; data received meanwhile stays unread. The time limit is 'within D' or the timeout setting.
                """,
            examples: [
                "expect a \"ready\"", "expect a line /^220 /", "expect a hex \"20 02 ?? 00\"",
                "expect a /^VERSION (?<version>\\S+)/ within 2s", "expect a lines 3",
                "expect a nothing for 200ms", "expect a screen 24 \"-- INSERT --\"", "expect a not /error/ for 1s",
                "expect a eof",
            ],
            caveats: [
                """
                A greedy end such as .* waits for the time limit, because more data could lengthen the match: write \
                .*? followed by the text that comes next.
                """,
                "A wait that fails consumes nothing. With several sessions either all match or nothing is consumed.",
                """
                expect stops right after the match, which may be in the middle of a line. The rest stays unread \
                for the next wait, also after a passed test.
                """,
                "Unread data from before the last send makes 'nothing' and 'not' fail: use 'drain' before the send.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let target = try call.target()
        if call.keywords.contains("connections"), let count = call.argument("N") {
            return compiler.emit(
                ConnectionsInstruction(
                    target: target, count: Value(count: count), limit: call.within, range: call.range))
        }
        compiler.read(target)
        let isExact = call.keywords.contains("for")
        compiler.emit(
            ExpectInstruction(
                target: target, range: call.range,
                limit: isExact ? call.argument("D").map { Value(duration: $0) } : call.within, limitIsExact: isExact,
                expectation: try Expectation.make(call)))
    }
}

/// An expectation for one session: the arguments after the target of `expect` and of a branch of `select`.
enum Expectation {
    /// Returns a description, formatted only on demand, and creates a new matcher for each session.
    typealias Factory = (Strand) throws(Failure) -> (wanted: () -> String, matcher: () -> any Matcher)

    static var pattern: Parameter { Parameter("PATTERN", .pattern) }

    private static var frame: Parameter {
        let kind = Parameter.Kind.checked { bytes in
            FrameFormat(bytes) == nil
                ? "'\(Escapes.visible(bytes))' is not a frame format; write u8 to u64le, varint, cr, nul or until:TEXT"
                : nil
        }
        return Parameter(
            "KIND", kind, suggestions: FrameFormat.plainNames + ["until:"], summaries: Parameter.frameSummaries)
    }

    private static func hexProblem(_ bytes: [UInt8]) -> String? {
        if bytes.isEmpty { return "the search text is empty" }
        return Literals.hexPattern(bytes) == nil
            ? "'\(Escapes.visible(bytes))' is not hexadecimal; write pairs such as \"0d 0a\", ?? for any byte" : nil
    }

    /// Bare arguments that are not a text to search for.
    static let keywords: Set<String> = [
        "eof", "reset", "end", "all", "quiet", "line", "frame", "bytes", "lines", "hex", "nothing", "not", "connect",
        "prompt", "screen", "connections",
    ]

    /// The forms of an expectation, more specific ones first.
    static var forms: [[Element]] {
        [
            [.keyword("eof")], [.keyword("reset")], [.keyword("end")], [.keyword("all")],
            [.keyword("quiet"), .parameter(Parameter("SILENCE", .duration))],
            [.keyword("line"), .parameter(pattern)], [.keyword("frame"), .parameter(frame)],
            [.keyword("bytes"), .parameter(Parameter("N", .count))],
            [.keyword("lines"), .parameter(Parameter("N", .count))],
            [.keyword("hex"), .parameter(Parameter("HEX", .checked(hexProblem)))],
            [.keyword("screen"), .parameter(pattern)],
            [.keyword("screen"), .parameter(Parameter("ROW", .count)), .parameter(pattern)],
            [
                .keyword("screen"), .parameter(Parameter("ROW", .count)), .parameter(Parameter("COLUMN", .count)),
                .parameter(pattern),
            ],
            [.parameter(pattern)],
        ]
    }

    /// Returns the expectation that the arguments of a call specify.
    static func make(_ call: CommandCall) throws(ScriptError) -> Factory {
        let keywords = call.keywords
        if keywords.contains("nothing") { return { _ in ({ "nothing to arrive" }, { NothingMatcher() }) } }
        if keywords.contains("not") {
            let unwanted = try makePattern(call)
            return { strand throws(Failure) in
                let (wanted, matcher) = try unwanted(strand)
                let arguments = wanted()
                return ({ "no \(arguments)" }, { NotMatcher(matcher(), description: arguments) })
            }
        }
        if keywords.contains("eof") {
            return { _ in ({ "the end of the stream" }, { EndMatcher(wantsReset: false, isStrict: false) }) }
        }
        if keywords.contains("end") {
            return { _ in
                (
                    { "the end of the stream or a reset" },
                    { EndMatcher(wantsReset: false, isStrict: false, acceptsAny: true) }
                )
            }
        }
        if keywords.contains("all") { return { _ in ({ "everything to the end of the stream" }, { RestMatcher() }) } }
        if let argument = call.argument("SILENCE") { return silence(Value(duration: argument)) }
        if let argument = call.argument("KIND") {
            let value = Value(argument, frame.kind) { FrameFormat($0) }
            return { strand throws(Failure) in
                let format = try value.evaluate(in: strand)
                return ({ "a \(visible(format.name)) frame" }, { FrameMatcher(format) })
            }
        }
        if keywords.contains("line") { return try line(call) }
        if keywords.contains("screen") { return try screen(call) }
        if keywords.contains("reset") {
            return { _ in ({ "a reset" }, { EndMatcher(wantsReset: true, isStrict: false) }) }
        }
        if let argument = call.argument("N") {
            let value = Value(count: argument)
            let countsLines = keywords.contains("lines")
            return { strand throws(Failure) in
                let count = try value.evaluate(in: strand)
                return countsLines
                    ? ({ counted(count, "line") }, { LinesMatcher(count: count) })
                    : ({ counted(count, "byte") }, { BytesMatcher(count: count) })
            }
        }
        if let argument = call.argument("HEX") { return hex(argument) }
        return try makePattern(call)
    }

    /// Returns the expectation of the text or regex in the parameter PATTERN.
    static func makePattern(_ call: CommandCall) throws(ScriptError) -> Factory {
        let argument = try call.required("PATTERN")
        if let keyword = argument.bareLiteral, keywords.contains(keyword) {
            throw ScriptError(
                argument.range, "incomplete expectation after '\(keyword)'",
                hint: "see 'help expect'; to search for the text, quote it: \"\(keyword)\"")
        }
        guard let source = call.regex("PATTERN") else { return search(for: Value(text: argument), argument) }
        let shown = String(lossless: argument.range.lineText[argument.range.columns])
        return { strand throws(Failure) in
            let regex = try strand.regex(source)
            let values = try strand.values(in: source)
            return ({ shown + values }, { PatternSearch(regex: regex, source: shown) })
        }
    }

    private static func silence(_ value: Value<Duration>) -> Factory {
        { strand throws(Failure) in
            let time = try value.evaluate(in: strand)
            let clock = strand.scheduler.loop.readClock
            return (
                { "\(shown(time)) of silence" },
                { SilenceMatcher(time: time, since: clock(), clock: clock) }
            )
        }
    }

    /// A line that contains the text or matches the regex in the parameter PATTERN.
    private static func line(_ call: CommandCall) throws(ScriptError) -> Factory {
        let argument = try call.required("PATTERN")
        let shown = String(lossless: argument.range.lineText[argument.range.columns])
        if let source = call.regex("PATTERN") {
            return { strand throws(Failure) in
                let regex = try strand.regex(source)
                let values = try strand.values(in: source)
                return ({ "a line matching \(shown)\(values)" }, { LineSearch(.regex(regex, source: shown)) })
            }
        }
        let value = Value(text: argument)
        return { strand throws(Failure) in
            let text = try value.evaluate(in: strand)
            guard !text.isEmpty else { throw Failure(.expectation, "the search text is empty", range: argument.range) }
            return ({ "a line with \"\(Escapes.escaped(text))\"" }, { LineSearch(.text(text)) })
        }
    }

    /// A text or a regex on the screen of a program.
    private static func screen(_ call: CommandCall) throws(ScriptError) -> Factory {
        let argument = try call.required("PATTERN")
        let (row, column) = (
            call.argument("ROW").map { Value(count: $0) }, call.argument("COLUMN").map { Value(count: $0) }
        )
        let source = call.regex("PATTERN")
        let value = source == nil ? Value(text: argument) : nil
        return { strand throws(Failure) in
            let place = (row: try row?.evaluate(in: strand), column: try column?.evaluate(in: strand))
            guard place.row != 0, place.column != 0 else {
                throw Failure(.expectation, "rows and columns count from 1", range: argument.range)
            }
            let title =
                "on the screen" + (place.row.map { ", row \($0)" } ?? "")
                + (place.column.map { ", column \($0)" } ?? "")
            if let source {
                let regex = try strand.regex(source)
                let shown = String(lossless: argument.range.lineText[argument.range.columns])
                let values = try strand.values(in: source)
                return (
                    { "\(shown)\(values) \(title)" },
                    { ScreenMatcher(.regex(regex), row: place.row, column: place.column) }
                )
            }
            let text = try value?.evaluate(in: strand) ?? []
            guard !text.isEmpty else { throw Failure(.expectation, "the search text is empty", range: argument.range) }
            return (
                { "\"\(Escapes.escaped(text))\" \(title)" },
                { ScreenMatcher(.text(text), row: place.row, column: place.column) }
            )
        }
    }

    /// Bytes in hexadecimal, `??` for any byte.
    private static func hex(_ argument: Argument) -> Factory {
        let value = Value(argument, .checked(hexProblem)) { Literals.hexPattern($0) }
        let exact = Value(argument, .checked(hexProblem)) { Literals.hex($0) }
        return { strand throws(Failure) in
            let pattern = try value.evaluate(in: strand)
            guard pattern.contains(nil) else { return try search(for: exact, argument, isHex: true)(strand) }
            let pairs = pattern.map { byte in byte.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) } ?? "??" }
            let source = pattern.map { $0 == nil ? "." : "\\x" + ($0.map { String($0, radix: 16) } ?? "").leftPadded }
            let shown = "hex \"\(pairs.joined(separator: " "))\""
            do throws(RegexError) {
                let regex = try Regex(Array(source.joined().utf8), flags: "s")
                return ({ shown }, { PatternSearch(regex: regex, source: shown) })
            } catch {
                throw Failure(.expectation, "bad regex: \(error.message)", range: argument.range)
            }
        }
    }

    private static func search(for value: Value<[UInt8]>, _ argument: Argument, isHex: Bool = false) -> Factory {
        return { strand throws(Failure) in
            let text = try value.evaluate(in: strand)
            guard !text.isEmpty else {
                throw Failure(.expectation, "the search text is empty", range: argument.range)
            }
            let pairs = { text.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined(separator: " ") }
            return (
                { isHex ? "hex \"\(pairs())\"" : "\"\(Escapes.escaped(text))\"" },
                { TextSearch(text: text, isHex: isHex) }
            )
        }
    }
}

extension String {
    /// The text as two hexadecimal digits.
    fileprivate var leftPadded: String { count < 2 ? "0" + self : self }
}
