import Glibc
import Testing
import TestSupport

@testable import Commands
@testable import Engine
@testable import Results
@testable import Sessions
@testable import VM

struct ExpectationTests {
    /// The effect of a script on a stream: the script, the stream, whether the peer ends, the result and the unread
    /// rest.
    static let table: [(script: String, stream: String, ends: Bool, state: String, unread: String)] = [
        ("a< HELLO", "HELLO\nrest", false, "passed", "rest"),
        ("a< HELLO", "HELLO\r\nrest", false, "passed", "rest"),
        ("a<", "\nx", false, "passed", "x"),
        ("a< HELLO", "HELLX\n", false, "a: the line differs", "HELLX\n"),
        ("a< HELLO", "HELL", false, "running", "HELL"),
        ("a< HELLO", "HELLO", true, "a: no newline at the end", "HELLO"),
        ("a< HELLO", "HELL", true, "a: the line differs", "HELL"),
        ("a< HELLO", "", true, "a: closed by the peer while waiting for the line \"HELLO\"", ""),
        ("a< log\\\na< in: \\", "login: x", false, "passed", "x"),
        ("a< rest\\", "rest", true, "passed", ""),
        ("a< \\n\\\na< x", "\nx\n", false, "passed", ""),
        ("a<~ ^\\d+ (\\w+)$\nlet w ${1}", "12 abc\r\nz", false, "passed", "z"),
        ("a<~ ^x", "yx\n", false, "a: the line does not match", "yx\n"),
        ("a<~ end$", "the end", true, "passed", ""),
        ("expect a \"needle\"", "hay needle stack", false, "passed", " stack"),
        ("expect a \"aab\"", "aaaab", false, "passed", ""),
        ("expect a /n..dle/", "hay needle stack", false, "passed", " stack"),
        ("expect a /\\d+/", "x123 y", false, "passed", " y"),
        ("expect a /\\d+/", "x123", false, "running", "x123"),
        ("expect a /\\d+/", "x123", true, "passed", ""),
        ("expect a /^b$/", "a\r\nb\r\nc", false, "passed", "\r\nc"),
        ("expect a /^b$/\na< c", "a\r\nb\r\nc\r\n", false, "passed", ""),
        ("expect a /b(?=c)/", "abcd", false, "passed", "cd"),
        ("expect a /(?<=ab)c/", "zzabc", false, "passed", ""),
        ("expect a \"x\"\nexpect a /^y/", "xy\ny", false, "passed", ""),
        ("expect a /\\Ab/", "ab", false, "running", "ab"),
        ("expect a \"x\"\nexpect a /\\Ay/", "axy", false, "passed", ""),
        ("expect a \"ONE\"\na< TWO", "x ONE\r\nTWO\r\n", false, "passed", ""),
        ("expect a \"ONE\"\na< TWO", "x ONE more\nTWO\n", false, "a: the line differs", " more\nTWO\n"),
        ("expect a bytes 4\nlet w ${0}", "12345", false, "passed", "5"),
        ("expect a bytes 0", "", false, "passed", ""),
        ("expect a lines 2\nlet w ${0}", "one\r\ntwo\r\nthree", false, "passed", "three"),
        ("expect a lines 0", "x", false, "passed", "x"),
        ("expect a \"1\"\nexpect a lines 1", "1\r\n2\r\n3", false, "passed", "3"),
        ("expect a hex \"0d 0a\"", "x\r\ny", false, "passed", "y"),
        ("expect a eof", "whatever", true, "passed", ""),
        ("expect a eof", "whatever", false, "running", "whatever"),
        ("expect a reset", "whatever", true, "a: expected a reset, got the end of the stream", "whatever"),
        ("expect a \"x\"\na<|", "x\r\n", true, "passed", ""),
        ("a<|", "x", true, "a: more data arrived instead of the end of the stream", "x"),
        ("a<|", "", true, "passed", ""),
        ("a<| reset", "", true, "a: expected a reset, got the end of the stream", ""),
        (
            "expect a /(a+)+$x/", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n", false,
            "a: pattern too complex: match limit exceeded", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n"
        ),
        ("expect a nothing for 1s", "x", false, "a: something arrived", "x"),
        ("expect a \"x\"\nexpect a nothing for 1s", "x\r\n", false, "running", "\r\n"),
        ("expect a nothing for 1s", "", true, "passed", ""),
        ("expect a bytes 2\nexpect a lines 1\nlet w ${0}", "ab\nab\r\n\n", false, "passed", "\n"),
        ("expect a /^$/", "abbb\r\nbab", false, "running", "abbb\r\nbab"),
        ("expect a /^\\W/", "a\r\n-\n", false, "passed", "\n"),
        ("expect a /(?<=\\ba)b/", "xab\n", false, "running", "xab\n"),
        ("expect a /(?<=^a)b/", "xab\n", false, "running", "xab\n"),
        ("expect a /\\bfoo/", "xfoo foo\n", false, "passed", "\n"),
        ("expect a \"foo\\r\"\na< bar", "foo\r\nbar\r\n", false, "passed", ""),
        ("expect a /^$/\na<\na< body", "head\r\n\r\nbody\r\n", false, "passed", ""),
        ("drain a\na< y", "x\n", false, "running", ""),
    ]

    @Test(arguments: table.indices)
    func meansWhatTheManualSays(row: Int) {
        let (script, stream, ends, state, unread) = Self.table[row]
        let stage = Stage()
        stage.hear(stream)
        if ends { stage.pair.endOutput() }
        stage.settle()
        stage.start(script)
        #expect(stage.state == state, "\(script) on \(stream.debugDescription)")
        #expect(stage.unread == unread, "\(script) on \(stream.debugDescription)")
    }

    /// Any split of the stream, arriving while the script already waits, gives the same result as the whole stream.
    @Test(arguments: table.indices)
    func theSplitOfTheStreamMakesNoDifference(row: Int) {
        let (script, stream, ends, state, unread) = Self.table[row]
        guard !script.hasPrefix("drain"), !script.contains("nothing"), !stream.isEmpty else { return }
        var generator = Generator(seed: UInt64(row) + 1)
        for _ in 0..<12 {
            let stage = Stage()
            stage.start(script)
            for piece in Array(stream.utf8).cut(using: &generator) { stage.hear(piece) }
            if ends { stage.pair.endOutput() }
            stage.settle()
            // A strict end fails with the data received so far; nothing else may differ.
            #expect(stage.state == state, "\(script) on \(stream.debugDescription)")
            if script != "a<|" { #expect(stage.unread == unread, "\(script) on \(stream.debugDescription)") }
        }
    }

    @Test func capturesAndGroupsAreSetAndCleared() {
        let stage = Stage()
        stage.hear("version 7.2 ok\nnext\n")
        stage.start("expect a /version (?<major>\\d+)\\.(\\d+)/\nlet w \"${0}|${1}|${2}|${major}\"\na<~ ok\na< next")
        #expect(stage.state == "passed" && stage.variable("w") == "version 7.2|7|2|7")
        stage.hear("plain\n")
        stage.start("expect a \"plain\"\nprint ${1}")
        #expect(stage.state == "capture ${1} is not set: the last match has no such group")
    }

    @Test func aWaitEndsAtItsLimitAndConsumesNothing() {
        let stage = Stage()
        stage.start("expect a \"never\" within 2s")
        stage.hear("something else\n")
        stage.wait(.milliseconds(1999))
        #expect(stage.state == "running")
        stage.wait(.milliseconds(1))
        #expect(stage.state == "a: timed out after 2.0 s waiting for \"never\"" && stage.unread == "something else\n")
    }

    @Test func theDefaultLimitIsTheTimeoutSetting() {
        let stage = Stage()
        stage.start("set timeout 3s\na< x")
        stage.wait(.seconds(3))
        #expect(stage.state == "a: timed out after 3.0 s waiting for the line \"x\"")
        let other = Stage()
        other.start("set timeout 3s\nset a timeout 9s\na< x")
        other.wait(.seconds(8))
        #expect(other.state == "running")
    }

    @Test func limitsAreScaledButExactTimesAreNot() {
        let stage = Stage()
        stage.world.settings.timeoutScale = 3
        stage.start("expect a \"x\" within 1s")
        stage.wait(.milliseconds(2900))
        #expect(stage.state == "running")
        stage.wait(.milliseconds(100))
        #expect(stage.state == "a: timed out after 3.0 s waiting for \"x\"")
        stage.start("expect a nothing for 1s")
        stage.wait(.seconds(1))
        #expect(stage.state == "passed")
    }

    @Test func atTheLimitWhatMatchedCounts() {
        let stage = Stage()
        stage.start("expect a /\\d+/ within 1s\nlet n ${0}")
        stage.hear("42")
        #expect(stage.state == "running")
        stage.wait(.seconds(1))
        #expect(stage.state == "passed" && stage.variable("n") == "42")
    }

    @Test func nothingForIsMetByTimeAndBrokenByData() {
        let quiet = Stage()
        quiet.start("expect a nothing for 1s")
        quiet.wait(.seconds(1))
        #expect(quiet.state == "passed")
        let loud = Stage()
        loud.start("expect a nothing for 1s")
        loud.wait(.milliseconds(500))
        loud.hear("x")
        #expect(loud.state == "a: something arrived")
    }

    @Test func aSearchGoesThroughMoreThanTheInboxHolds() {
        let stage = Stage(inboxLimit: 100)
        stage.start("expect a \"needle\"")
        for _ in 0..<50 { stage.hear(String(repeating: "hay ", count: 20)) }
        stage.hear("needle")
        #expect(stage.state == "passed")
        let pattern = Stage(inboxLimit: 100)
        pattern.start("expect a /^needle \\d$/")
        for _ in 0..<50 { pattern.hear(String(repeating: "hay ", count: 20) + "\n") }
        pattern.hear("needle 7\n")
        #expect(pattern.state == "passed")
    }

    @Test func aLineThatCannotFitFailsAtOnce() {
        let stage = Stage(inboxLimit: 50)
        stage.start("a< x")
        stage.hear(String(repeating: "y", count: 60))
        #expect(stage.state == "a: the line differs" || stage.state.hasPrefix("a: the inbox is full"))
        let lines = Stage(inboxLimit: 50)
        lines.start("expect a lines 2")
        lines.hear(String(repeating: "y", count: 60))
        #expect(lines.state == "a: inbox full (50 bytes) before 2 lines arrived")
    }

    @Test func severalSessionsAreWaitedForEach() {
        let stage = Stage()
        let other = SocketPair()
        stage.addSession("b", other)
        stage.start("*> ping\na,b< PONG")
        #expect(stage.pair.heard() == Array("ping\n".utf8) && other.heard() == Array("ping\n".utf8))
        stage.hear("PONG\n")
        #expect(stage.state == "running")
        other.say("PONG\n")
        stage.settle()
        #expect(stage.state == "passed")
    }

    @Test func globsThatMatchNothingFail() {
        let stage = Stage()
        stage.start("x*> hello")
        #expect(stage.state == "no open session matches 'x*'")
        stage.start("b< hello")
        #expect(stage.state == "no session 'b' is open")
    }

    /// The limit of a file transfer counts from the last progress.
    @Test func aFileThatNobodyTakesFailsAtItsLimit() throws {
        let path = "/tmp/muxsh-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let file = try #require(fopen(path, "w"))
        defer { unlink(path) }
        ftruncate(fileno(file), 8 << 20)
        fclose(file)
        let stage = Stage()
        stage.start("send a --file \(path)")
        #expect(stage.state == "running")
        stage.wait(.seconds(3))
        #expect(stage.state == "running")
        stage.wait(.seconds(2))
        #expect(stage.state == "a: timed out after 5.0 s sending \(path)")
    }
}
