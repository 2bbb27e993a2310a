import TestSupport
import Testing

@testable import Script

/// How bytes are shown, and the limits that keep a large or hostile script from exhausting time, memory or the stack.
struct BorderTests {
    @Test(arguments: [
        (Array("a b".utf8), "a b"), ([0xE9, 0x41], "\\xe9A"), (Array("\u{1B}[1m".utf8), "\\e[1m"),
        (Array("one\ntwo\tx".utf8), "one\\ntwo\\tx"), (Array("back\\slash ${x}".utf8), "back\\slash ${x}"),
        (Array("no\u{A0}break".utf8), "no\\u{a0}break"), (Array("wide\u{3000}".utf8), "wide\\u{3000}"),
    ])
    func whatIsNoTextIsVisible(bytes: [UInt8], shown: String) {
        #expect(Escapes.visible(bytes) == shown)
    }

    @Test func joinersStayWhereTheyJoin() {
        let family = "👨\u{200D}👩\u{200D}👧", persian = "می\u{200C}خواهم"
        #expect(Escapes.escaped(Array(family.utf8)) == family)
        #expect(Escapes.escaped(Array(persian.utf8)) == persian)
        #expect(Escapes.escaped(Array("a\u{200D}b".utf8)) == "a\\u{200d}b")
        #expect(Escapes.escaped(Array("\u{200D}é".utf8)) == "\\u{200d}é")
        #expect(Escapes.escaped(Array("é\u{200C}".utf8)) == "é\\u{200c}")
        #expect(Escapes.escaped(Array("é\u{200D}\u{A0}".utf8)) == "é\\u{200d}\\u{a0}")
    }

    @Test(
        arguments: [
            ("1.5h", nil), ("8760h", nil), ("8761h", "'8761h' is too long; the longest duration is a year (8760h)"),
            ("99999999999999999999s", "'99999999999999999999s' is too long; the longest duration is a year (8760h)"),
            ("5", "'5' is not a duration; write 5s, 200ms or 1m"),
            ("s", "'s' is not a duration; write 5s, 200ms or 1m"),
        ] as [(String, String?)])
    func aDurationThatIsTooLongIsSaidSo(text: String, problem: String?) {
        #expect(Parameter.Kind.duration.problem(with: Array(text.utf8)) == problem)
    }

    @Test func numbersAndSizesThatAreTooLargeAreSaidSo() {
        let many = "99999999999999999999"
        #expect(Parameter.Kind.count.problem(with: Array(many.utf8)) == "the number '\(many)' is too large")
        #expect(Parameter.Kind.size.problem(with: Array("\(many)KiB".utf8)) == "the size '\(many)KiB' is too large")
        #expect(Parameter.Kind.size.problem(with: Array("0".utf8)) == "'0' is not a size; write 4096, 16KiB or 4MiB")
    }

    /// A command is the same however many lines it is split into, and is complete after its last line.
    @Test func continuedLinesAreReadOnceAndAlike() {
        let arguments = ["one", "\"two # x\"", "'three \\'", "\\${four}", "a\\b", "five"]
        for count in [1, 2, 5, 5000] {
            var parser = Parser(source: SourceText(name: "t"), commands: CommandTable([])) { _ in
                .failure(.init(message: ""))
            }
            let lines = (0..<count).map { arguments[$0 % arguments.count] }
            parser.feed(Array("go \\".utf8))
            for (index, line) in lines.enumerated() {
                #expect(parser.completed.isEmpty && parser.isInsideCommand)
                parser.feed(Array((line + (index < count - 1 ? " \\" : "")).utf8))
            }
            guard case .invocation(let invocation)? = parser.completed.first else {
                Issue.record("no command: \(parser.errors.map(\.message))")
                return
            }
            #expect(invocation.arguments.count == count && parser.errors.isEmpty)
        }
    }

    @Test func aCommentEndsACommandThatGoesOn() {
        #expect(parse("print a \\\nb # c \\\nprint d").statements.count == 2)
        #expect(parse("print a \\").errors.map(\.message) == ["the line ends with '\\', but no line follows"])
    }

    @Test func filesThatIncludeEachOtherHaveLimits() {
        var files: [String: String] = [:]
        for number in 0..<60 { files["d\(number)"] = "source d\(number + 1)\nsource d\(number + 1)\n" }
        files["d60"] = ""
        let errors = parse("source d0", files: files).errors.map(\.message)
        #expect(errors.contains("'source' is nested too deeply (limit 50)"))
        for number in 20..<60 { files["d\(number)"] = "" }
        #expect(
            parse("source d0", files: files).errors.map(\.message).contains("too many files in 'source' (limit 1000)"))
    }

    @Test func conditionsAndErrorsHaveLimits() {
        let nots = String(repeating: "not ", count: 20_000)
        #expect(parse("if \(nots)open a {\n}").errors.map(\.message) == ["too many 'not' in a condition (limit 100)"])
        let many = parse(String(repeating: "opne x\n", count: 5000)).errors
        #expect(many.count == ScriptErrors.maxKept)
    }

    @Test func whatASecretStatementSaysIsNotShown() {
        let source = SourceText(name: "t")
        var parser = Parser(source: source, commands: CommandTable([])) { _ in .failure(.init(message: "")) }
        let lines = [
            "let --secret pw hunter2", "let pw swordfish --secret", "let pw \\", "open --secret", "say <<END", "x",
            "END",
        ]
        for line in lines { parser.feed(Array(line.utf8)) }
        let shown = (1...lines.count).map { String(decoding: source.shownLine($0), as: UTF8.self) }
        #expect(shown == ["let --secret …", "let …", "let …", " …", "say <<END", "x", "END"])
    }

    @Test func namesAreFoundAmongGlobs() {
        let names = KnownNames(["plain", "c*", "*.end", "a*b", "s?", "x*y*z"])
        for name in ["plain", "c", "c12", ".end", "one.end", "ab", "a-b", "s1", "xyz", "x1y2z"] {
            #expect(names.contains(name))
        }
        for name in ["plai", "d", "s", "s12", "end", "a-c", "xzy"] { #expect(!names.contains(name)) }
    }

    @Test func aLongLineIsShownAroundItsError() {
        let text =
            "print " + String(repeating: "x ", count: 2000) + "\"unclosed " + String(repeating: "y ", count: 2000)
        let shown = parse(text).errors.first?.rendered ?? ""
        #expect(shown.utf8.count < 2000 && shown.contains("… ") == false && shown.contains("…"))
        #expect(shown.contains("\"unclosed"))
    }
}
