import Testing
import TestSupport

@testable import Script

struct ArrowParserTests {
    @Test(arguments: [
        ("a> hello", "hello", true), ("a>", "", true), ("a> ", "", true), ("  a> x", "x", true),
        ("a>  two blanks", " two blanks", true), ("a> # no comment \"no quote", "# no comment \"no quote", true),
        ("a> user\\", "user", false), ("a> back\\\\", "back\\", true), ("a> back\\\\\\", "back\\", false),
        ("a> tab\\tx\\x41\\u{20ac}", "tab\txA€", true), ("a> \\${given}", "${given}", true),
        ("a> cost $5", "cost $5", true),
        ("print> x", "x", true),
    ])
    func readsASend(line: String, text: String, ending: Bool) throws {
        // A session may have the name of a command; here it is open.
        let arrow = try #require(parseArrow(line.hasPrefix("print") ? "a" + line.dropFirst(5) : line))
        guard case .send(let template, let hasEnding) = arrow.action else {
            Issue.record("not a send")
            return
        }
        #expect(template.literal == Array(text.utf8) && hasEnding == ending)
    }

    @Test func readsEveryArrow() throws {
        guard case .line(let text, true)? = parseArrow("a< x y")?.action else { throw Unexpected() }
        #expect(text.literalText == "x y")
        guard case .line(let part, false)? = parseArrow("a< login: \\")?.action else { throw Unexpected() }
        #expect(part.literalText == "login: ")
        guard case .match(let pattern)? = parseArrow("a<~ ^\\d+\\\\$")?.action else { throw Unexpected() }
        #expect(pattern.template.literalText == "^\\d+\\\\$")
        guard case .endOutput? = parseArrow("a>|")?.action, case .endOfStream? = parseArrow("a<|")?.action,
            case .reset? = parseArrow("a<| reset")?.action
        else { throw Unexpected() }
    }

    private struct Unexpected: Error {}

    @Test func readsTargets() throws {
        let target = try #require(parseArrow("a,b> x")).target
        #expect(target.items.map { $0.template.literalText } == ["a", "b"])
        #expect(parseArrow("*> x") != nil && parseArrow("rep*,a?> x") != nil)
        let computed = try #require(parseArrow("c${given}> x")).target
        #expect(computed.items.count == 1 && computed.items[0].template.literal == nil)
    }

    @Test(arguments: [
        ("a>x", "expected a space after the arrow", 3), ("a<x", "expected a space after the arrow", 3),
        ("a<~x", "expected a space after the arrow", 4), ("a>| x", "unexpected text after '>|'", 4),
        ("a<| x", "only 'reset' or a close code may follow '<|'", 4), ("a> \\q", "unknown escape '\\q'", 4),
        ("a> \\x4", "\\x takes two hexadecimal digits, such as \\x0a", 4),
        ("a> ${nope}", "variable 'nope' is never set", 4), ("a> ${", "'${' without '}'", 4),
        ("z> x", "no session is named 'z'", 1), ("a<~ (", "bad regex: missing closing parenthesis", 5),
        ("a<~ [ü]", "bad regex: non-ASCII letter", 6), ("a,,b> x", "empty name in a list of sessions", 1),
    ])
    func saysWhatIsWrongAndWhere(line: String, message: String, column: Int) throws {
        let errors = parse(line).errors
        let error = try #require(errors.first)
        #expect(errors.count == 1 && error.message.hasPrefix(message) && error.range.characterColumn == column)
    }

    @Test func whatTheTranscriptWritesMeansTheSameWhenItIsRead() throws {
        var generator = Generator(seed: 5)
        let awkward: [UInt8] = [
            0, 9, 10, 13, 27, 32, 34, 36, 39, 92, 123, 125, 127, 0x80, 0xC2, 0xE2, 0x82, 0xAC, 0xFF, 65, 97,
        ]
        for _ in 0..<3000 {
            let count = Int.random(in: 0...12, using: &generator)
            let bytes = (0..<count).map { _ in awkward[Int.random(in: 0..<awkward.count, using: &generator)] }
            var line = Array("a> ".utf8)
            bytes.withUnsafeBytes { Escapes.append($0, to: &line) }
            #expect(line.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
            let arrow = try #require(parseArrow(String(decoding: line, as: UTF8.self)))
            guard case .send(let template, true) = arrow.action else {
                Issue.record("\(bytes) became another kind of line")
                continue
            }
            #expect(template.literal == bytes)
        }
    }
}
