import Foundation
import Testing

/// No message, help text or option summary contains a phrase of scripts/phrases.
struct WordingTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A rejected phrase and its replacement.
    private struct Phrase {
        let regex: NSRegularExpression
        let better: String

        func occurs(in text: String) -> Bool {
            regex.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
        }
    }

    private static func phrases() throws -> [Phrase] {
        let list = try String(contentsOf: root.appendingPathComponent("scripts/phrases"), encoding: .utf8)
        return try list.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: "\t", maxSplits: 1).map(String.init)
            try #require(parts.count == 2, "\(line)")
            return Phrase(regex: try NSRegularExpression(pattern: parts[0]), better: parts[1])
        }
    }

    /// Returns the string literals of a Swift file that are sentences or parts of them: those with a space.
    private static func texts(of code: String) throws -> [String] {
        let comment = try NSRegularExpression(pattern: #"(?m)^\s*//.*$"#)
        let literal = try NSRegularExpression(pattern: #""""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*""#)
        let range = NSRange(code.startIndex..., in: code)
        let bare = comment.stringByReplacingMatches(in: code, range: range, withTemplate: "")
        return literal.matches(in: bare, range: NSRange(bare.startIndex..., in: bare)).compactMap { match in
            Range(match.range, in: bare).map { String(bare[$0]) }
        }.filter { $0.contains(" ") }
    }

    private static func swiftFiles() throws -> [URL] {
        let folder = root.appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        return files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
    }

    @Test func noMessageUsesAPhraseThatIsRuledOut() throws {
        let phrases = try Self.phrases()
        var count = 0
        for file in try Self.swiftFiles() {
            for text in try Self.texts(of: String(contentsOf: file, encoding: .utf8)) {
                count += 1
                for phrase in phrases where phrase.occurs(in: text) {
                    Issue.record("\(file.lastPathComponent): \(text): write: \(phrase.better)")
                }
            }
        }
        #expect(count > 900, "only \(count) texts found in the sources")
    }

    /// The passages that gave rise to STYLE.md and CONTRIBUTING.md.
    @Test(arguments: [
        "what is sent behind the bridge", "nobody takes datagrams at ::1", "from whoever: it refuses",
        "ended its side in order, without a reset", "'break' stands in no loop", "'}' closes no block",
        "stands here once only", "an empty text is found everywhere", "this is no condition", "'===' compares nothing",
        "is none of a, b", "is set nowhere", "the pattern was given up", "picks no test",
        "looked at once as it arrives",
        "a line goes on behind the bridge", "Regexes tell capitals from small letters", "tell more; muxsh(5) tells all",
        "For waiting until something is so", "a side that does not read holds up the other", "in so many bits",
    ])
    func theListCatches(text: String) throws {
        #expect(try Self.phrases().contains { $0.occurs(in: text) }, "\(text)")
    }
}
