import TestSupport
import Testing

@testable import Script

struct RegexTests {
    private func search(
        _ pattern: String, _ text: String, flags: String = "", isWhole: Bool = true, beginsLine: Bool = true
    )
        throws -> Regex.Outcome
    {
        let regex = try Regex(Array(pattern.utf8), flags: flags)
        return Array(text.utf8).withUnsafeBytes {
            regex.search($0, from: 0, isWhole: isWhole, beginsLine: beginsLine)
        }
    }

    @Test func findsMatchesAndGroups() throws {
        #expect(try search("b(c)?(d)?", "abd") == .match([1..<3, nil, 2..<3]))
        #expect(try search("x", "abc") == .none)
        #expect(try search("B", "abc", flags: "i") == .match([1..<2]))
        #expect(try search("a.b", "a\nb") == .none)
        #expect(try search("a.b", "a\nb", flags: "s") == .match([0..<3]))
    }

    @Test func lineStartsAndEndsAreThoseOfLFAndCRLF() throws {
        #expect(try search("^b$", "a\r\nb\r\nc") == .match([3..<4]))
        #expect(try search("^b$", "a\nb\nc") == .match([2..<3]))
        #expect(try search("^a", "ab", beginsLine: false) == .none)
    }

    @Test func aMatchThatCouldGrowIsPartial() throws {
        #expect(try search("\\d+", "x12", isWhole: false) == .partial(start: 1))
        #expect(try search("\\d+", "x12", isWhole: true) == .match([1..<3]))
        #expect(try search("\\d+", "x12 ", isWhole: false) == .match([1..<3]))
        #expect(try search("abc", "xxab", isWhole: false) == .partial(start: 2))
        #expect(try search("end$", "end", isWhole: false) == .partial(start: 0))
    }

    @Test func namesItsGroups() throws {
        let regex = try Regex(Array("(?<who>a)(b)(?<what>c)".utf8))
        #expect(regex.groups.map(\.name).sorted() == ["what", "who"])
        #expect(regex.groups.first { $0.name == "what" }?.number == 3)
    }

    @Test func aRunawayPatternIsGivenUp() throws {
        let outcome = try search("^(a+)+$", String(repeating: "a", count: 40) + "!")
        guard case .limit = outcome else {
            Issue.record("\(outcome)")
            return
        }
    }

    @Test func emptyTextIsNoTrap() throws {
        #expect(try search("x*", "") == .match([0..<0]))
        #expect(try search("x", "") == .none)
    }

    @Test(arguments: [("(", 1), ("a{2,1}", 5), ("[z-a]", 3)])
    func sayWhereAPatternIsWrong(pattern: String, offset: Int) {
        #expect { try Regex(Array(pattern.utf8)) } throws: { ($0 as? RegexError)?.offset == offset }
    }

    @Test func aValueMatchesItself() throws {
        let call = try #require(parseArrow("a<~ ^x${given}y$"))
        guard case .match(let source) = call.action else { return }
        let regex = try source.regex { _ in Array("a.b*[\0]\n".utf8) }
        let matching = Array("xa.b*[\0]\ny".utf8)
        let outcome = matching.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
        #expect(outcome == .match([0..<matching.count]))
        let other = Array("xaXbbb[\0]\ny".utf8)
        #expect(other.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) } == .none)
    }
}

/// A search examines one block after the other; the position of their ends makes no difference.
struct RegexBlockTests {
    @Test func theSizeOfABlockMakesNoDifference() throws {
        var generator = Generator(seed: 61)
        let patterns = [
            "a", "ab", "a+b", "a.*b", "(?s)a.*b", "(?s)a.*?b", "^b", "a$", "a\\n^b", "\\n^", "^$", "\\bab", "(?<=a)b",
            "a(?!b)",
            "a\\Kb", "(a|ab)(c|b)", "\\z", "x*", "(*UTF)é", "(*UTF)(?<=é)a", "\\R", "(?i)AB", "b\\Z", "a{2,3}",
        ]
        let parts = ["a", "b", "ab", "\n", "\r\n", "c", "é", "\u{FF}"]
        for _ in 0..<600 {
            let pattern = patterns[Int.random(in: 0..<patterns.count, using: &generator)]
            let text = (0..<Int.random(in: 0...12, using: &generator)).flatMap { _ in
                Array(parts[Int.random(in: 0..<parts.count, using: &generator)].utf8)
            }
            let regex = try Regex(Array(pattern.utf8))
            for isWhole in [true, false] {
                let outcomes = [1000, 1, 2, 3, 5].map { size in
                    regex.blockSize = size
                    return text.withUnsafeBytes { regex.search($0, from: 0, isWhole: isWhole, beginsLine: true) }
                }
                for outcome in outcomes {
                    #expect(outcome == outcomes[0], "/\(pattern)/ on \(text), whole: \(isWhole)")
                }
            }
        }
    }
}
