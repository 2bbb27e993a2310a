import Foundation
import Testing
import TestSupport

@testable import Commands
@testable import Engine
@testable import Results
@testable import Sessions
@testable import VM

struct LanguageTests {
    @Test func sendsWithTheLineEndingOfTheSession() {
        let stage = Stage()
        stage.start("a> x\na> y\\\nset a eol crlf\na> z\nsend a \"q\"\nsend a --raw \"r\"\nsend a --hex \"00 ff\"")
        #expect(stage.pair.heard() == Array("x\nyz\r\nq\r\nr".utf8) + [0, 0xFF])
        #expect(stage.state == "passed")
    }

    @Test func calculatesWithWholeNumbers() {
        let stage = Stage()
        stage.start("let n 7\nlet n ${n} * 6\nlet m ${n} % 5\nlet d ${n} / 4\nlet s ${n} - 50")
        #expect(["n", "m", "d", "s"].map { stage.variable($0) } == ["42", "2", "10", "-8"])
        for (text, message) in [
            ("let n 1 / 0", "division by zero"), ("let n x + 1", "'x' is not a whole number"),
            ("let n 9223372036854775807 + 1", "9223372036854775807 + 1 overflows a 64-bit integer"),
            ("let n -9223372036854775808 / -1", "-9223372036854775808 / -1 overflows a 64-bit integer"),
        ] {
            stage.start(text)
            #expect(stage.state == message)
        }
    }

    @Test func repeatsCountFromOneAndNest() {
        let stage = Stage()
        stage.start("repeat 2 as i {\nrepeat 2 as j {\nprint ${i}${j}\n}\n}\nrepeat 0 {\nprint never\n}\nprint end")
        #expect(stage.shown == "11\n12\n21\n22\nend\n")
    }

    @Test func aComputedValueThatIsWrongFailsWhenItRuns() {
        let stage = Stage()
        stage.start("let n x\nrepeat ${n} {\nprint y\n}")
        #expect(stage.state == "'x' is not a whole number")
        stage.start("let d soon\nsleep ${d}")
        #expect(stage.state == "'soon' is not a duration; write 5s, 200ms or 1m")
    }

    @Test func sleepLetsTimePass() {
        let stage = Stage()
        stage.start("sleep 5s\nprint awake")
        stage.wait(.seconds(4))
        #expect(stage.shown == "")
        stage.wait(.seconds(1))
        #expect(stage.shown == "awake\n" && stage.state == "passed")
    }

    @Test func exitEndsWithItsStatus() {
        let stage = Stage()
        stage.start("print a\nexit 7\nprint b")
        #expect(stage.shown == "a\n" && stage.state == "exited 7")
    }

    @Test func printEscapesControlBytesUnlessRaw() {
        let stage = Stage()
        stage.start("print \"a\\tb\\e[2J\"  c\nprint --raw \"\\e[1m\"\nprint")
        #expect(stage.output.text == Array("a\tb\\e[2J c\n\u{1B}[1m\n".utf8))
    }

    @Test func aTypedSendForgetsWhatWasShown() throws {
        let stage = Stage()
        stage.hear("old\n")
        stage.start("a> x")
        #expect(stage.unread == "old\n")
        var parser = stage.typedParser
        parser.feed(Array("a> y".utf8))
        stage.world.start(try stage.registry.compile(parser.takeCompleted()), as: .typed)
        stage.settle()
        #expect(stage.unread == "" && !stage.shown.contains("a> y"))
    }

    @Test func atThePromptAFullInboxDropsItsOldestWithOneNote() {
        let stage = Stage(inboxLimit: 8)
        stage.world.sessions["a"]?.channel.overflow = .dropOldest
        stage.hear("0123456789\n")
        stage.hear("abcdefghij\n")
        let note = "# a: inbox full; the oldest unread data is dropped from now on\n"
        #expect(stage.unread == "defghij\n" && stage.shown.components(separatedBy: note).count == 2)
    }

    @Test func stoppingEndsAWait() {
        let stage = Stage()
        stage.start("expect a \"x\"")
        #expect(stage.world.waiting == "\"x\"")
        stage.world.stop(Failure(.interrupted, "interrupted"))
        #expect(stage.state == "interrupted" && !stage.world.isRunning)
        stage.start("print on")
        #expect(stage.shown.hasSuffix("on\n"))
    }

    @Test func nothingRunsWhileTheReaderOfOurOutputIsFarBehind() {
        let stage = Stage()
        stage.output.isCongested = true
        stage.start("print x")
        stage.world.loop.requestImmediateTurn()
        stage.world.turn()
        stage.hear("data")
        #expect(stage.shown == "" && stage.unread == "")
        stage.output.isCongested = false
        stage.world.loop.requestImmediateTurn()
        stage.world.turn()
        stage.settle()
        #expect(stage.shown.contains("x\n") && stage.unread == "data")
    }

    @Test func aLoopWithoutWaitsLetsTheLoopGoRound() {
        let stage = Stage()
        stage.start("repeat 1000000 {\nlet n 1\n}")
        #expect(stage.state == "running")
    }
}

struct TranscriptTests {
    @Test func showsLinesAsTheyArriveWhole() {
        let stage = Stage()
        stage.hear("one\r\ntw")
        #expect(stage.shown == "a< one\n")
        stage.hear("o\n\n")
        #expect(stage.shown == "a< one\na< two\na<\n")
    }

    @Test func aPartIsShownWhenTheOrderOfThingsAsksForIt() {
        let stage = Stage()
        stage.hear("login: ")
        stage.start("a< login: \\\na> me")
        #expect(stage.shown == "a< login: \\\na> me\n")
        stage.hear("half")
        stage.pair.endOutput()
        stage.settle()
        #expect(stage.shown.hasSuffix("a< half\\\na<|\n"))
    }

    @Test func everythingIsEscaped() {
        let stage = Stage()
        stage.hear([0x1B, 0x5B, 0x32, 0x4A, 0x5C, 0x24, 0x7B, 0x20, 0x0A])
        #expect(stage.shown == "a< \\e[2J\\\\\\${\\x20\n")
    }

    @Test func aSendOfSeveralLinesIsSeveralLines() {
        let stage = Stage()
        stage.start("send a --raw \"x\\ny\\n\\nz\"\na>|")
        #expect(stage.shown == "a> x\na> y\na>\na> z\\\na>|\n")
    }

    @Test func secretsAreShownByName() {
        let stage = Stage()
        stage.start("let --secret password hunter2\na> login ${password}")
        stage.hear("you said hunter2 and hunter2!\n")
        stage.start("print \"it is ${password}\"\na< hunter2")
        #expect(stage.pair.heard() == Array("login hunter2\n".utf8))
        #expect(
            stage.shown == "a> login ${password}\na< you said ${password} and ${password}!\nit is ${password}\n")
        guard case .failed(let failure) = stage.world.outcome else {
            Issue.record(Comment(rawValue: stage.state))
            return
        }
        #expect(!stage.world.secrets.readable(FailureText(failure, stage.world.secrets).rendered).contains("hunter2"))
    }

    @Test func aLineOfTheTranscriptIsNeverUnbounded() {
        let stage = Stage(inboxLimit: 1 << 22)
        for _ in 0..<40 { stage.hear(String(repeating: "x", count: 4000)) }
        #expect(stage.shown.hasPrefix("a< xxx") && stage.shown.contains("\\\n"))
    }

    @Test func theEndingOfALineThatWasShownInPartsIsNoLine() {
        let stage = Stage()
        stage.hear("login: ")
        stage.start("expect a \"login: \"\na> joe")
        stage.hear("\r\n\r\nok\n")
        #expect(stage.shown == "a< login: \\\na> joe\na<\na< ok\n")
    }

    @Test func aSecretInPiecesIsHiddenToo() {
        let stage = Stage()
        stage.start("let --secret p TOPSECRETVALUE")
        stage.hear("x TOPSEC")
        stage.start("a> go")
        stage.hear("RETVALUE y\n")
        #expect(stage.shown == "a< x \\\na> go\na< ${p} y\n")
    }

    @Test func timestampsAndColoursAreForDisplays() {
        let stage = Stage()
        stage.world.transcript.showsTimestamps = true
        stage.world.transcript.usesColor = true
        var file: [UInt8] = []
        stage.world.transcript.add(.file { file += $0 })
        stage.hand.advance(by: .milliseconds(1500))
        stage.hear("x\n")
        #expect(stage.shown == "   1.500 \u{1B}[36ma< \u{1B}[0mx\n")
        #expect(file == Array("a< x\n".utf8))
    }
}

struct RedactorTests {
    @Test func theLongestSecretWins() {
        let redactor = Redactor()
        redactor.add(name: "short", value: Array("abc".utf8))
        redactor.add(name: "long", value: Array("abcdef".utf8))
        redactor.add(name: "lines", value: Array("one\ntwo".utf8))
        #expect(redactor.redacted("xabcdefabc-one") == "x${long}${short}-${lines}")
        redactor.add(name: "empty", value: [])
        #expect(redactor.redacted("plain") == "plain")
    }
}
