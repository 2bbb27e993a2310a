import TestSupport
import Testing
import Wire

@testable import Commands
@testable import Engine
@testable import Results
@testable import Sessions
@testable import VM

/// Properties that hold for any bytes in any split: a transcript runs again, and no piece of a secret is shown.
struct BorderTests {
    /// A stream arrives in random pieces, and incomplete lines are shown at random moments. The transcript is a script
    /// that the same stream satisfies.
    @Test func aTranscriptRunsAgainWhateverWasShownOfALine() {
        var generator = Generator(seed: 25)
        let alphabet = Array("ab\n\r\n\r \\${\u{1B}é".utf8) + [0xFF]
        for _ in 0..<400 {
            let length = Int.random(in: 1...24, using: &generator)
            let stream = (0..<length).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            let first = Stage()
            for piece in stream.cut(using: &generator) {
                first.hear(piece)
                guard let session = first.world.sessions["a"] else { continue }
                if Bool.random(using: &generator) { session.voice.showPart() }
            }
            first.pair.endOutput()
            first.settle()
            let script = first.shown
            let second = Stage()
            for piece in stream.cut(using: &generator) { second.hear(piece) }
            second.pair.endOutput()
            second.start(script)
            second.wait(.seconds(6))
            #expect(second.state == "passed", "\(stream): \(script)")
        }
    }

    @Test func noPieceOfASecretIsShownInAnySplit() {
        var generator = Generator(seed: 18)
        for _ in 0..<300 {
            let stage = Stage()
            stage.start("let --secret pw hunter2-swordfish")
            let stream = Array("say hunter2-swordfish now\nother\nbye hunter2-swordfish".utf8)
            for piece in stream.cut(using: &generator) {
                stage.hear(piece)
                guard let session = stage.world.sessions["a"] else { continue }
                session.voice.showPart()
            }
            stage.pair.endOutput()
            stage.settle()
            stage.start("expect a /no such thing/")
            guard case .failed(let failure)? = stage.world.outcome else {
                Issue.record("it was found")
                return
            }
            let shown =
                stage.shown
                + stage.world.secrets.readable(
                    FailureText(failure, stage.world.secrets).rendered)
            for length in 4...16 {
                for start in 0...(17 - length) {
                    let piece = String(Array("hunter2-swordfish")[start..<(start + length)])
                    #expect(!shown.contains(piece), "\(piece) in \(shown)")
                }
            }
            #expect(shown.contains("${pw}"))
        }
    }

    @Test func theLastLineOfAStreamIsForTriggersToo() {
        let stage = Stage()
        stage.start("on a /^GET (\\w+)$/ {\na> VALUE ${1}\n}", isWhole: true)
        stage.hear("GET x\nGET y\nother\nGET z")
        #expect(stage.heard == "VALUE x\nVALUE y\n")
        stage.pair.endOutput()
        stage.settle()
        #expect(stage.heard == "VALUE z\n")
    }

    @Test func theRestOfAStreamThatMatchesNoTriggerStaysForTheScript() {
        let stage = Stage()
        stage.start("on a \"GET\" {\nprint got\n}")
        stage.hear("a rest")
        stage.pair.endOutput()
        stage.settle()
        stage.start("a< a rest\\")
        #expect(stage.state == "passed")
    }

    @Test func whatLooksTheSameIsToldApart() {
        let stage = Stage()
        stage.hear("cafe\u{301}\n")
        stage.start("a< café")
        guard case .failed(let failure)? = stage.world.outcome else {
            Issue.record("it was found")
            return
        }
        let details = FailureText(failure, stage.world.secrets).details
        #expect(details.prefix(2) == ["expected: a< caf\\u{e9}", "arrived:  a< cafe\\u{301}"])
        let answers = Answers([.init(name: "a", lines: ["cafe\u{301}"]), .init(name: "b", lines: ["café"])])
        #expect(answers.difference != nil)
    }

    @Test func aNoteIsOneLineWhateverIsInIt() {
        let stage = Stage()
        stage.world.transcript.note("first\na> injected\u{1B}[1m")
        #expect(stage.shown == "# first\\na> injected\\e[1m\n")
    }

    @Test func namesOfSessionsAreHiddenWhereTheyAreSecrets() {
        let stage = Stage()
        stage.start("let --secret name a")
        stage.hear("x\n")
        #expect(stage.shown == "${name}< x\n")
    }

    @Test func strandsHaveALimit() {
        let stage = Stage()
        stage.start("define f {\nparallel 2 {\nf\n}\n}\nf")
        for _ in 0..<60 where stage.state == "running" { stage.settle() }
        #expect(
            stage.state == "too many strands (limit 100000)"
                || stage.state == "strands are nested too deeply (limit 100)")
    }
}
