import Engine
import Results
import Script
import TestSupport

@testable import Engine

/// A blessed script passes, and blessing it again changes nothing.
enum BlessTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var choices = Choices(input[...])
        var lines: [[UInt8]] = []
        for _ in 0...choices.number(below: 6) {
            let text = choices.bytes(choices.number(below: 8))
            let arrow = ["a> ", "a< ", "a< ", "a<~ "][choices.number(below: 4)]
            lines.append(Array(arrow.utf8) + (arrow == "a<~ " ? Array(".".utf8) : Array(Escapes.escaped(text).utf8)))
        }
        var stream: [UInt8] = []
        while !choices.isEmpty { stream += choices.bytes(choices.number(below: 9)) + [0x0A] }

        let (state, edits) = bless(lines, stream)
        guard state == "passed" else { return }
        for (line, text) in edits { lines[line - 1] = text }
        let (second, more) = bless(lines, stream)
        require(second == "passed" && more.isEmpty, "a blessed script changes again: \(shown(lines)), \(second)")
        let (third, _) = run(lines, stream, nil)
        require(third == "passed", "a blessed script ends with \(third): \(shown(lines))")
    }

    private static func shown(_ lines: [[UInt8]]) -> [String] { lines.map { String(decoding: $0, as: UTF8.self) } }

    private static func bless(_ lines: [[UInt8]], _ stream: [UInt8]) -> (String, [(Int, [UInt8])]) {
        let blessing = Blessing()
        let (state, stage) = run(lines, stream, blessing)
        let edits = blessing.result.edits.map { edit -> (Int, [UInt8]) in
            var line = Array("a< ".utf8)
            edit.text.withUnsafeBytes {
                stage.world.secrets.appendEscaped($0, to: &line, isCutBefore: false, isCutAfter: false)
            }
            return (edit.range.line, edit.text.isEmpty ? Array("a<".utf8) : line)
        }
        return (state, edits)
    }

    private static func run(_ lines: [[UInt8]], _ stream: [UInt8], _ blessing: Blessing?) -> (String, Stage) {
        let stage = Stage()
        stage.world.blessing = blessing
        stage.start(lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n") + "\n")
        stage.hear(stream)
        stage.pair.endOutput()
        stage.settle()
        defer { stage.end() }
        return (stage.state, stage)
    }
}
