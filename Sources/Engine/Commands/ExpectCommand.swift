import Reactor
import Script

/// `expect`: waits for something to be received.
struct ExpectCommand: Command {
    static var description: CommandDescription {
        let number = Parameter("N", .count)
        return CommandDescription(
            name: "expect", summary: "wait for something to be received",
            forms: [
                Form(.parameter(.target), .keyword("eof"), .within),
                Form(.parameter(.target), .keyword("reset"), .within),
                Form(.parameter(.target), .keyword("bytes"), .parameter(number), .within),
                Form(.parameter(.target), .keyword("lines"), .parameter(number), .within),
                Form(.parameter(.target), .keyword("hex"), .parameter(Parameter("HEX", .hex)), .within),
                Form(.parameter(.target), .keyword("nothing"), .keyword("for"), .parameter(.duration)),
                Form(.parameter(.target), .parameter(Parameter("PATTERN", .pattern)), .within),
            ],
            text: """
                PATTERN is a text or a /regex/: what is received is skipped until it is found, and consumed through its \
                end. Then ${0} is what matched, ${1} and so on its groups, and a named group sets the variable of its \
                name. 'eof' and 'reset' skip to the end of the stream; 'bytes N' and 'lines N' take so much into ${0}; \
                'nothing for D' is met when nothing is received for D. Without 'within D' the timeout setting is the \
                limit. A wait that fails consumes nothing.
                """,
            examples: [
                "expect a \"ready\"", "expect a /^VERSION (?<version>\\S+)/ within 2s", "expect a lines 3",
                "expect a nothing for 200ms", "expect a eof",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let isNothing = call.keywords.contains("nothing")
        compiler.emit(
            ExpectInstruction(
                target: try call.target(), range: call.range,
                limit: isNothing ? call.word("D").map { Value(duration: $0) } : call.within, limitIsExact: isNothing,
                expectation: try expectation(call)))
    }

    private static func expectation(
        _ call: CommandCall
    ) throws(ScriptError) -> (Strand) throws(Failure) -> ExpectInstruction.Expectation {
        let keywords = call.keywords
        if keywords.contains("nothing") { return { _ in ({ "nothing to arrive" }, { NothingMatcher() }) } }
        if keywords.contains("eof") {
            return { _ in ({ "the end of the stream" }, { EndMatcher(wantsReset: false, isStrict: false) }) }
        }
        if keywords.contains("reset") {
            return { _ in ({ "a reset" }, { EndMatcher(wantsReset: true, isStrict: false) }) }
        }
        if let word = call.word("N") {
            let value = Value(count: word)
            let countsLines = keywords.contains("lines")
            return { strand throws(Failure) in
                let count = try value.evaluate(in: strand)
                return countsLines
                    ? ({ "\(count) lines" }, { LinesMatcher(count: count) })
                    : ({ "\(count) bytes" }, { BytesMatcher(count: count) })
            }
        }
        if let word = call.word("HEX") {
            let value = Value(hex: word)
            return { strand throws(Failure) in
                let bytes = try value.evaluate(in: strand)
                guard !bytes.isEmpty else {
                    throw Failure(.expectation, "an empty text is found everywhere", range: word.range)
                }
                return ({ "\"\(Escapes.escaped(bytes))\"" }, { TextSearch(text: bytes) })
            }
        }
        return try patternExpectation(call)
    }

    private static func patternExpectation(
        _ call: CommandCall
    ) throws(ScriptError) -> (Strand) throws(Failure) -> ExpectInstruction.Expectation {
        let word = try call.required("PATTERN")
        if let source = call.regex("PATTERN") {
            let shown = String(decoding: word.range.lineText[word.range.columns], as: UTF8.self)
            return { strand throws(Failure) in
                let regex = try strand.regex(source)
                return ({ shown }, { PatternSearch(regex: regex, source: shown) })
            }
        }
        return { strand throws(Failure) in
            let text = try strand.expand(word.template)
            guard !text.isEmpty else {
                throw Failure(.expectation, "an empty text is found everywhere", range: word.range)
            }
            return ({ "\"\(Escapes.escaped(text))\"" }, { TextSearch(text: text) })
        }
    }
}
