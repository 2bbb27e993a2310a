import Testing
import TestSupport

@testable import Sessions

/// One rule for every wait: a wait that is not met has no effect, and the split of the stream makes no difference.
struct WaitTests {
    /// Patterns of many kinds, including ones that can match the empty string.
    static let patterns = [
        "a", "ab", "a+", "a*", ".*", "(?s).*", "(?s).*?", "\\Aa*", "\\A(?<x>.*)", "a|ab", "ab|a", "(a|ab)(c|bcd)?",
        "^a", "a$", "^b$", "a\\n^b", "\\n^", "^", "$", "^$", "(?m)^.*$", "\\bab", "ab\\b", "\\Bb", "(?<=a)b",
        "(?<!a)b", "a(?=b)", "a(?!b)", "a(?=\\n)", "\\d+", "[ab]+c", "[^a]+", "a.?b", "a.*b", "(?s)a.*b", "(?s)a.*?b",
        "(a)(b)?", "(?i)AB", "(?:ab)+", "x?", "\\s+", "\\w+", "\\r?\\n", "b\\z", "b\\Z", "(?>a+)b", "a++b", "(a)\\1",
        "(*UTF)é", "(*UTF)^.é", "(*UTF)(?:é|a)+", "é", "(?|a(b)|c(d))", "a{2,3}", "a\\Kb", "(?s)^.*b$", "\\R", "\\N+",
    ]
    static let streams = [
        "ab\n", "a\nb\n", "aab\r\nb\r\nab", "xay\nabcd\n", "\n\nab\n", "aaaab", "12 é\naé", "\r\n\r\na", "aAbB\n",
    ]

    @Test(arguments: patterns.indices)
    func aPatternGivesTheSameWhereverTheStreamIsCut(index: Int) {
        let pattern = Self.patterns[index]
        for stream in Self.streams {
            let bytes = Array(stream.utf8)
            let whole = result(of: "expect a /\(pattern)/", [bytes], isEarly: false)
            for cut in 0...bytes.count {
                let pieces = [Array(bytes[..<cut]), Array(bytes[cut...])].filter { !$0.isEmpty }
                let found = result(of: "expect a /\(pattern)/", pieces, isEarly: true)
                #expect(found == whole, "/\(pattern)/ on \(stream.debugDescription) cut at \(cut)")
            }
        }
    }

    /// Returns the effect of a wait on a stream after which the peer has ended.
    private func result(of script: String, _ pieces: [[UInt8]], isEarly: Bool) -> [String] {
        let stage = Stage()
        if isEarly { stage.start(script) }
        for piece in pieces { stage.hear(piece) }
        stage.pair.endOutput()
        stage.settle()
        if !isEarly { stage.start(script) }
        stage.wait(.seconds(10))
        let state = stage.state
        stage.start("try {\n    print \"<${0}>\"\n} else {\n    print none\n}")
        return [state, stage.unread, stage.shown.split(separator: "\n").last.map(String.init) ?? ""]
    }

    /// Waits of all kinds; `#` is replaced by the output of a branch.
    private static let waits = [
        "expect a \"ab\"", "expect a \"b\\n\"", "expect a /a+b/", "expect a /^b/", "expect a bytes 3",
        "expect a lines 2",
        "a< ab", "a< a\\", "a<", "a<~ ^a", "a<~ b$", "a<|", "a<| reset", "expect a eof", "expect a hex \"61 62 63\"",
        "expect a nothing for 1s", "expect a not \"bb\" for 1s", "expect a,b \"a\"", "expect a,b lines 1", "a,b< ab",
        "compare a,b", "compare a,b lines 2", "compare a,b until \"b\"", "compare a,b quiet 100ms",
        "select within 1s {\n    a \"ab\" {\n    }\n    a lines 1 {\n    }\n}",
        "select within 1s {\n    a /b+c/ {\n    }\n    b \"ab\" {\n    }\n    a bytes 4 {\n    }\n}",
    ]

    private func randomText(_ generator: inout Generator) -> [UInt8] {
        let parts = ["a", "b", "ab", "\n", "\r\n", "c"]
        return (0..<Int.random(in: 0...8, using: &generator)).flatMap { _ in
            Array(parts[Int.random(in: 0..<parts.count, using: &generator)].utf8)
        }
    }

    @Test func aWaitThatIsNotMetIsAsIfItHadNotRun() {
        var generator = Generator(seed: 41)
        for _ in 0..<700 {
            let streams = [randomText(&generator), randomText(&generator)]
            let wait = Self.waits[Int.random(in: 0..<Self.waits.count, using: &generator)]
            let first = ["expect a bytes 1 within 1s", "expect a /a/ within 1s", "print"][
                Int.random(in: 0...2, using: &generator)]
            let next = Self.waits[Int.random(in: 0..<Self.waits.count, using: &generator)]
            var results: [[String]] = []
            for runs in [true, false] {
                let stage = Stage()
                let other = SocketPair()
                stage.addSession("b", other)
                stage.hear(streams[0])
                other.say(streams[1])
                stage.settle()
                run("try {\n    \(first)\n} else {\n}", on: stage)
                if runs {
                    run(wait, on: stage)
                    // A wait that was met has consumed input.
                    if stage.state == "passed" { break }
                }
                let left = [stage.unread, stage.unread(of: "b")]
                run(next, on: stage)
                results.append(left + [stage.state, stage.unread, stage.unread(of: "b")])
            }
            guard results.count == 2 else { continue }
            #expect(results[0] == results[1], "\(wait) and \(next) on \(streams) after \(first)")
        }
    }

    private func run(_ script: String, on stage: Stage) {
        stage.start(script)
        stage.wait(.seconds(10))
    }

    private static let branches = [
        "\"ab\"", "\"b\"", "\"abc\"", "/a.*b/", "/b+/", "/^b/", "/c/", "/(?s)a.*c/", "lines 1", "lines 2", "bytes 3",
        "eof",
        "/b\\n^c/", "/.*/", "/$/",
    ]

    @Test func selectTakesTheSameBranchInAnySplit() {
        var generator = Generator(seed: 42)
        for _ in 0..<400 {
            let stream = randomText(&generator)
            let chosen = (0..<Int.random(in: 2...3, using: &generator)).map { _ in
                Self.branches[Int.random(in: 0..<Self.branches.count, using: &generator)]
            }
            let rows = chosen.enumerated().map { "    a \($1) {\n        print \"branch \($0)\"\n    }\n" }.joined()
            let script = "select within 2s {\n\(rows)    timeout {\n        print late\n    }\n}"
            let ends = Bool.random(using: &generator)
            var outcomes: Set<[String]> = []
            for size in [100, 1, 2, 3] {
                let stage = Stage()
                if size != 100 { stage.start(script) }
                for start in stride(from: 0, to: stream.count, by: size) {
                    stage.hear(Array(stream[start..<min(stream.count, start + size)]))
                }
                if ends { stage.pair.endOutput() }
                stage.settle()
                if size == 100 { stage.start(script) }
                stage.wait(.seconds(10))
                let printed = stage.shown.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("a<") }
                outcomes.insert(printed + [stage.state, stage.unread])
            }
            #expect(
                outcomes.count == 1,
                "\(chosen) on \(String(decoding: stream, as: UTF8.self).debugDescription): \(outcomes)")
        }
    }

    @Test func selectGoesThroughMoreThanTheInboxHolds() {
        let stage = Stage(inboxLimit: 100)
        stage.start(
            "select {\n    a \"needle\" {\n        print needle\n    }\n    a /^pin \\d$/ {\n        print pin\n    }\n}"
        )
        for _ in 0..<50 { stage.hear(String(repeating: "hay ", count: 20) + "\n") }
        stage.hear("pin 7\nneedle")
        #expect(stage.state == "passed" && stage.shown.hasSuffix("pin\n"), "\(stage.state)")
    }

    @Test func aBranchThatCannotFitLeavesTheOthers() {
        let stage = Stage(inboxLimit: 50)
        stage.start("select {\n    a lines 3 {\n    }\n    a \"needle\" {\n        print found\n    }\n}")
        for _ in 0..<10 { stage.hear(String(repeating: "hay ", count: 10)) }
        stage.hear("needle")
        #expect(stage.state == "passed" && stage.shown.contains("found"), "\(stage.state)")
    }

    @Test func aSearchHasABudgetForAllItsStarts() {
        for pattern in ["(a+)+\\$", "(?:a|a)*\\$", "(a*)*\\$"] {
            let stage = Stage()
            stage.hear([UInt8](String(repeating: "aaaaaaaaaaaaaaaaaaaaaa!\n", count: 3000).utf8))
            stage.start("expect a /\(pattern)/")
            #expect(stage.state.hasPrefix("a: pattern too complex"), "\(stage.state)")
        }
    }

    @Test func aSessionThatATestHasClosedIsForgotten() {
        let stage = Stage()
        stage.start("test \"many\" {\n    serve e :0\n    open c :${e.port}\n    close c\n    expect a \"go\"\n}")
        for _ in 0..<50 { stage.settle() }
        weak var closed: Session?
        stage.start("print")
        let again = Stage()
        again.start("test \"many\" {\n    expect a \"go\"\n    close a\n    expect b \"x\" within 1s\n}")
        closed = again.world.sessions["a"]
        #expect(closed != nil)
        again.hear("go")
        #expect(closed == nil)
    }
}

/// Changes that others make to a session during a wait.
struct SharedSessionTests {
    @Test func aMatchThatAnotherStrandHasTakenIsNotMet() {
        let stage = Stage()
        let other = SocketPair()
        stage.addSession("b", other)
        stage.start(
            """
            parallel {
                branch {
                    try {
                        compare a,b until "END" within 2s
                    } else {
                        print "not met"
                    }
                }
                branch {
                    sleep 1s
                    drain a
                }
            }
            """)
        stage.hear("one END")
        stage.wait(.seconds(1))
        other.say(Array("one END".utf8))
        stage.settle()
        stage.wait(.seconds(2))
        #expect(stage.state == "passed" && stage.shown.hasSuffix("not met\n"), "\(stage.state)")
    }

    @Test func aBlockDoesNotReadWhatCameBeforeItsLine() {
        let stage = Stage()
        stage.start(
            """
            on a /^Q/ {
                expect ${session} /\\w+\\n/ within 5s
                print "block: ${0}"
            }
            sleep 1s
            on a /^early/ {
                print "early"
            }
            sleep forever
            """)
        stage.hear("early\nQ\n")
        stage.wait(.seconds(1))
        stage.hear("answer\n")
        #expect(stage.shown.hasSuffix("block: answer\n\nearly\n"), "\(stage.shown)")
    }

    @Test func cancelledBlocksLeaveTheLinesThatWaitForThem() {
        let stage = Stage()
        stage.start("on a /^Q/ {\n    sleep 10s\n    print late\n}\na< never")
        stage.hear("Q1\nQ2\nother\n")
        stage.world.cancel()
        stage.settle()
        stage.wait(.seconds(10))
        stage.wait(.seconds(10))
        #expect(stage.unread == "other\n", "\(stage.unread)")
    }
}
