import Reactor
import Script
import TestSupport

/// A script and the stream of its peer: the outcome is the same in any split of the stream.
enum SessionsTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var choices = Choices(input[...])
        // The transcript shows data as it comes, so the frame is set before any comes.
        let frame = ["", "", "set a frame u8\n", "set a frame nul\n", "set a frame until:x\n"][choices.number(below: 5)]
        let script = frame + Scripts.statements(&choices, Scripts.kinds)
        checkSplits(script: script, stream: Scripts.stream(&choices))
    }
}

/// Triggers beside a script that reads: no line is lost, answered twice or given to both, in any split.
enum TriggersTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var choices = Choices(input[...])
        let script = Scripts.statements(&choices, Scripts.triggers) + Scripts.statements(&choices, Scripts.readers)
        checkSplits(script: script, stream: Scripts.stream(&choices))
    }
}

/// Scripts that are right in any case, built from choices.
enum Scripts {
    typealias Kind = @Sendable (String, Int) -> String

    static let readers: [Kind] = [
        { word, _ in "a< \(word)\n" },
        { word, _ in "a<~ ^\(word)\n" },
        { word, _ in "expect a \"\(word)x\"\n" },
        { word, number in "expect a /\(["\(word).*?x", "^\(word)", "x+$", "(x)\(word)", "[^\\n]*"][number % 5])/\n" },
        { _, number in "expect a lines \(number + 1)\nprint \"${0:hex}\"\n" },
        { _, number in "expect a bytes \(number + 1)\nprint \"${0:hex}\"\n" },
        { word, _ in "try {\na< \(word)\n} else {\nprint other\n}\n" },
        { _, _ in "repeat 2 {\nexpect a lines 1\nprint \"${0:hex}\"\n}\n" },
        { word, _ in "expect a line \"\(word)\"\nprint \"${0:hex}\"\n" },
    ]
    static let triggers: [Kind] = [
        { word, number in "on a /^\(word)/ {\nprint trigger-\(number)\n}\n" },
        { word, number in "on a /\(word)x/ {\na> got-\(number)\n}\n" },
        { word, number in "on a \"\(word)\" {\nlet n\(number) \"${0:hex}\"\n}\n" },
    ]
    static let kinds: [Kind] =
        readers + [
            { word, _ in "a> \(word)\n" },
            { _, _ in "a<|\n" },
            { _, _ in "expect a all\nprint \"${0:hex}\"\n" },
        ]

    static func statements(_ choices: inout Choices, _ kinds: [Kind]) -> String {
        let words = ["A", "B", "x", "xx", "1"]
        return (0...choices.number(below: 5)).map { _ in
            let kind = kinds[choices.number(below: kinds.count)]
            return kind(words[choices.number(below: words.count)], choices.number(below: 7))
        }.joined()
    }

    /// The rest of the choices as a stream of few different bytes.
    static func stream(_ choices: inout Choices) -> [UInt8] {
        let alphabet = Array("AB1x\n\nAx\r\0\u{2}\\xx".utf8) + [0xFF]
        return choices.bytes(120).map { alphabet[Int($0) % alphabet.count] }
    }
}

/// What a run has come to.
private struct Result {
    var state = ""
    var printed: [Substring] = []
    var received = ""
    var sent: [UInt8] = []
}

private func outcome(script: String, pieces: [[UInt8]]) -> Result {
    let stage = Stage()
    stage.start(script)
    for piece in pieces { stage.hear(piece) }
    stage.pair.endOutput()
    stage.settle()
    for _ in 0..<20 where stage.state == "running" { stage.wait(.seconds(10)) }
    stage.settle()
    var result = Result(state: stage.state)
    let lines = stage.shown.split(separator: "\n")
    result.received = joined(lines.filter { $0.hasPrefix("a<") })
    result.printed = lines.filter { !$0.hasPrefix("a<") && !$0.hasPrefix("a>") }
    result.sent = stage.pair.heard()
    stage.end()
    return result
}

/// Returns the text of the lines of a transcript without line endings: where a line is cut into parts depends on what has
/// been read, and the rest of a part is not a line of its own if it is empty.
private func joined(_ lines: [Substring]) -> String {
    lines.map { line in
        let isPart = line.reversed().prefix { $0 == "\\" }.count % 2 == 1
        return line.hasPrefix("a<|") ? "<|" : String(line.dropFirst(3).dropLast(isPart ? 1 : 0))
    }.joined().replacing("\\n", by: "").replacing("\\r", by: "")
}

private func checkSplits(script: String, stream: [UInt8]) {
    let errors = parse(SourceText.lines(of: Array(script.utf8))).errors
    require(errors.isEmpty, "\(errors.map(\.rendered)): \(script)")
    let whole = outcome(script: script, pieces: stream.isEmpty ? [] : [stream])
    for seed in [UInt64(stream.count), UInt64(script.utf8.count) + 1000] {
        let split = outcome(script: script, pieces: Choices.pieces(of: stream, seed: seed))
        require(whole.state == split.state, "'\(whole.state)' becomes '\(split.state)', \(stream):\n\(script)")
        // What is shown after a failure depends on when it was.
        guard whole.state == "passed" else { continue }
        require(
            whole.received == split.received,
            "received \(whole.received), \(split.received) of \(stream):\n\(script)")
        require(whole.printed.sorted() == split.printed.sorted(), "\(whole.printed), \(split.printed):\n\(script)")
        require(whole.sent.sorted() == split.sent.sorted(), "what is sent depends on the split:\n\(script)")
    }
}
