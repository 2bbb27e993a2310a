import Script
import TestSupport

/// The transcript of a conversation is a script that passes with the same peer and gives the same transcript.
enum TranscriptTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var choices = Choices(input[...])
        let stage = Stage()
        // What the peer says, and after how many bytes from us.
        var said: [(after: Int, text: [UInt8])] = []
        var sent: [UInt8] = []
        while !choices.isEmpty {
            let text = choices.bytes(choices.number(below: 20))
            if choices.byte() & 1 == 0 {
                stage.hear(text)
                said.append((sent.count, text))
            } else {
                stage.start("a> " + Escapes.escaped(text) + "\n")
                sent += stage.pair.heard()
            }
        }
        stage.pair.endOutput()
        stage.settle()
        let transcript = stage.shown

        let again = Stage()
        again.start(transcript)
        var heard: [UInt8] = []
        for (after, text) in said {
            heard += again.pair.heard()
            require(heard.count >= after, "the transcript does not send what comes before '\(text)':\n\(transcript)")
            again.hear(text)
        }
        again.pair.endOutput()
        again.settle()
        require(again.state == "passed", "the transcript ends with \(again.state):\n\(transcript)")
        require(heard + again.pair.heard() == sent, "the transcript sends something else:\n\(transcript)")
        for way in ["a<", "a>"] {
            let (first, second) = (lines(transcript, way), lines(again.shown, way))
            require(first == second, "the second transcript differs: \(first), \(second)")
        }
        stage.end()
        again.end()
    }

    private static func lines(_ transcript: String, _ start: String) -> [Substring] {
        transcript.split(separator: "\n").filter { $0.hasPrefix(start) }
    }
}
