import Script
import TestSupport
import Testing

@testable import Engine

/// The patterns of --learn: each matches all lines that it was made of, whatever they are.
@Suite struct LearningTests {
    private static let words = [
        "OK", "session=", "a5d10dab", "12", "0.25", "2026-11-28T06:31:47Z", "Sat, 28 Nov 2026 06:31:47 GMT", " ", "  ",
        ".*",
        "(x)", "[y]", "\\d", "${v}", "/", "^", "$", "|", "é", "\u{202E}", "#", "login7", "-", "{1}", "?",
    ]

    private static func line(_ generator: inout Generator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<(generator.next() % 8) {
            if generator.next() % 8 == 0 {
                bytes.append(UInt8(truncatingIfNeeded: generator.next()))
            } else {
                bytes += words[Int(generator.next() % UInt64(words.count))].utf8
            }
        }
        return bytes.filter { $0 != 0x0A }
    }

    @Test(arguments: 1...600) func aPatternMatchesAllItsLines(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let first = Self.line(&generator)
        var lines = [first]
        for _ in 0..<(1 + generator.next() % 3) {
            var other = generator.next() % 4 == 0 ? Self.line(&generator) : first
            for _ in 0..<(generator.next() % 3) where !other.isEmpty {
                let index = Int(generator.next() % UInt64(other.count))
                other[index] = UInt8(0x30 + generator.next() % 60)
            }
            lines.append(other.filter { $0 != 0x0A })
        }
        let pattern = [UInt8(ascii: "^")] + LineVariants(lines, captures: []).pattern + [UInt8(ascii: "$")]
        let regex = try Regex(pattern)
        for line in lines {
            let outcome = line.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
            guard case .match = outcome else {
                Issue.record("\(String(decoding: pattern, as: UTF8.self)) does not match \(Escapes.visible(line))")
                continue
            }
        }
    }

    @Test(arguments: 1...200) func aQuotedTextMatchesOnlyItself(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let line = Self.line(&generator)
        let regex = try Regex([UInt8(ascii: "^")] + LineVariants.quoted(line) + [UInt8(ascii: "$")])
        for text in [line, line + [0x78]] {
            let outcome = text.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
            let isMatch = if case .match = outcome { true } else { false }
            #expect(isMatch == (text == line), "\(Escapes.visible(line))")
        }
    }
}
