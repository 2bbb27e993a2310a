import Testing
import TestSupport

@testable import Commands
@testable import Engine
@testable import Results
@testable import Sessions
@testable import VM

struct StrandTests {
    @Test func aLongLoopLetsOtherStrandsRun() {
        let stage = Stage()
        stage.start(
            """
            parallel {
                branch busy {
                    let n 0
                    while ${n} < 1000000000 {
                        let n ${n} + 1
                    }
                }
                branch other {
                    expect a "go"
                    fail "the other one ran"
                }
            }
            """)
        #expect(stage.state == "running")
        stage.hear("go")
        #expect(stage.state == "the other one ran")
    }

    @Test func theFirstFailureEndsTheOthersAtOnce() {
        let stage = Stage()
        stage.start(
            """
            parallel {
                branch one {
                    expect a "x"
                    print never
                }
                branch two {
                    sleep 10ms
                    fail now
                }
            }
            """)
        stage.wait(.milliseconds(10))
        #expect(stage.state == "now")
        stage.hear("x")
        #expect(!stage.shown.contains("never"))
    }

    @Test func anInterruptEndsAllStrands() {
        let stage = Stage()
        stage.start("parallel 50 as i {\n    try {\n        sleep 1m\n    } else {\n        print \"caught\"\n    }\n}")
        stage.world.stop(Failure(.interrupted, "interrupted"))
        stage.settle()
        #expect(stage.state == "interrupted" && !stage.shown.contains("caught"))
        stage.wait(.seconds(70))
        #expect(stage.shown == "")
    }

    @Test func triggersAnswerOneAfterTheOther() {
        let stage = Stage()
        stage.start(
            """
            on a /^(\\w+)\\?$/ {
                sleep 10ms
                a> ${1}!
            }
            expect a "end"
            """)
        stage.hear("one?\ntwo?\nother\n")
        #expect(stage.heard == "" && stage.unread == "")
        stage.wait(.milliseconds(10))
        #expect(stage.heard == "one!\n")
        stage.wait(.milliseconds(10))
        #expect(stage.heard == "two!\n")
        stage.hear("end\n")
        #expect(stage.state == "passed")
    }

    /// The script and the trigger see the same, whether bytes arrive one at a time or all together.
    @Test(arguments: [1, 2, 5, 100])
    func triggersDoNotDependOnTheSplit(size: Int) {
        let stage = Stage()
        stage.start(
            """
            on a /^PING (.*)$/ {
                a> PONG ${1}
            }
            expect a "P"
            a< lain
            a< last
            """)
        let stream = Array("PING 1\nPING 2\nPlain\nPING 3\nlast\n".utf8)
        for start in stride(from: 0, to: stream.count, by: size) {
            stage.hear(Array(stream[start..<min(stream.count, start + size)]))
        }
        stage.settle()
        #expect(stage.state == "passed")
        #expect(stage.heard == "PONG 1\nPONG 2\nPONG 3\n")
    }

    @Test func retryBeginsAtTheIntervalAndEndsAtItsTime() {
        let stage = Stage()
        stage.start("let n 0\nretry 250ms {\n    let n ${n} + 1\n    fail \"attempt ${n}\"\n}")
        #expect(stage.variable("n") == "1")
        stage.wait(.milliseconds(99))
        #expect(stage.variable("n") == "1")
        stage.wait(.milliseconds(1))
        #expect(stage.variable("n") == "2")
        stage.wait(.milliseconds(100))
        #expect(stage.state == "attempt 3")
    }

    @Test func retryCutsTheWaitsInside() {
        let stage = Stage()
        stage.start("retry 2s {\n    expect a \"x\" within 1m\n}")
        stage.wait(.seconds(2))
        #expect(stage.state == "a: timed out after 2.0 s waiting for \"x\"")
    }

    @Test func retryForgetsWhatAnAttemptHasNotRead() {
        let stage = Stage()
        stage.start("retry 2s {\n    a> question\n    a< yes\n}")
        stage.hear("no\nyes\n")
        stage.wait(.milliseconds(100))
        #expect(stage.state == "running")
        stage.hear("yes\n")
        #expect(stage.state == "passed")
    }

    @Test func selectTakesTheFirstInTheStreamInAnySplit() {
        for size in [1, 100] {
            let stage = Stage()
            stage.start(
                """
                select {
                    a "second" {
                        print "second"
                    }
                    a /fir(st)/ {
                        print "first of ${session}"
                    }
                }
                """)
            let stream = Array("first second".utf8)
            for start in stride(from: 0, to: stream.count, by: size) {
                stage.hear(Array(stream[start..<min(stream.count, start + size)]))
            }
            #expect(stage.state == "passed" && stage.shown.contains("first of a"), "\(stage.shown)")
        }
    }

    @Test func selectRunsItsTimeoutBranchOrFails() {
        let stage = Stage()
        stage.start("select within 1s {\n    a \"x\" {\n    }\n    timeout {\n        print late\n    }\n}")
        stage.wait(.seconds(1))
        #expect(stage.state == "passed" && stage.shown == "late\n")
        stage.start("select within 1s {\n    a \"x\" {\n    }\n}")
        stage.wait(.seconds(1))
        #expect(stage.state == "a: timed out after 1.0 s waiting for a: \"x\"")
    }

    @Test func expectNotLeavesWhatArrived() {
        let stage = Stage()
        stage.start("expect a not \"error\" for 1s\na< fine")
        stage.hear("fine\n")
        #expect(stage.state == "running")
        stage.wait(.seconds(1))
        #expect(stage.state == "passed")
    }

    @Test func aBarrierOpensForAllAndCanBeUsedAgain() {
        let stage = Stage()
        stage.start(
            """
            parallel 3 as i {
                if ${i} == 3 {
                    expect a "go"
                }
                barrier gate 3
                print "one ${i}"
                barrier gate 3
                print "two ${i}"
            }
            """)
        #expect(stage.shown == "")
        stage.hear("go")
        let lines = stage.shown.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("a<") }
        #expect(stage.state == "passed" && lines.count == 6)
        #expect(Set(lines.prefix(3)) == ["one 1", "one 2", "one 3"])
    }

    @Test func cancellingABarrierLeavesNobodyBehind() {
        let stage = Stage()
        stage.start(
            "try {\n    parallel 2 as i {\n        if ${i} == 2 {\n            fail x\n        }\n        barrier gate 2\n    }\n} else {\n    print ${error}\n}\nparallel 2 {\n    barrier gate 2\n}\nprint done"
        )
        #expect(stage.state == "passed" && stage.shown == "x\ndone\n")
    }

    @Test func strandsShareTheScriptsVariablesAndKeepTheirOwnNames() {
        let stage = Stage()
        stage.start(
            """
            let shared 0
            repeat 1 as i {
                parallel 2 as j {
                    let i changed
                    let shared ${shared} + 1
                }
                print "${i} ${shared}"
            }
            """)
        #expect(stage.shown == "1 2\n")
    }

    /// A block of `on` that reads has exclusive use of the session. Triggers test the input it leaves unread from that
    /// point, in any split.
    @Test func whatABlockLeavesUnreadIsLookedAtFromThere() {
        let stream = "skipped\nPOST 1\nhelloPOST 2\r\nabcd\n\nPOST 3\nPOST POST 4\n\r\n12345\nPOST 5\n12345\n\n"
        var generator = Generator(seed: 12)
        for _ in 0..<80 {
            let stage = Stage()
            // Also when it is not known whether later statements would read the skipped lines.
            let isWhole = Bool.random(using: &generator)
            stage.start(
                """
                on a /POST (\\S+)/ {
                    let path ${1}
                    expect ${session} bytes 5
                    print "${path} ${0}"
                }
                on a /^$/ {
                    print empty
                }
                sleep forever
                """, isWhole: isWhole)
            for piece in Array(stream.utf8).cut(using: &generator) { stage.hear(piece) }
            let printed = stage.shown.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("a<") }
            #expect(printed == ["1 hello", "2 abcd", "empty", "3 POST ", "4 \\r", "123", "5 12345", "empty"])
            #expect(stage.state == "running")
        }
    }

    @Test func aBlockBehindARestOfALineReadsWholeLines() {
        let stage = Stage()
        stage.start(
            """
            on a /^POST/ {
                expect ${session} bytes 2
            }
            on a /^GET/ {
                a<
                a< x
                print fine
            }
            sleep forever
            """, isWhole: true)
        stage.hear("POST\nabGET\n\nx\n")
        #expect(stage.shown.hasSuffix("fine\n"))
    }

    /// A wait for a session that another strand closes ends immediately: a bridge has no limit.
    @Test func aClosedSessionEndsTheWaitsOfOtherStrands() {
        let stage = Stage()
        stage.start("parallel {\n    branch {\n        expect a \"x\"\n    }\n    branch {\n        close a\n    }\n}")
        #expect(stage.state == "a: closed by us while waiting for \"x\"")
        let bridged = Stage()
        let other = SocketPair()
        bridged.addSession("b", other)
        bridged.start(
            "parallel {\n    branch {\n        bridge a b\n    }\n    branch {\n        close a\n    }\n}\nb<|")
        other.endOutput()
        bridged.settle()
        #expect(bridged.state == "passed")
    }

    /// When the transcript is run again, it must not wait for an answer to data that it has not sent.
    @Test func whatABridgeHasSentOfALineIsShownBeforeTheAnswer() {
        let stage = Stage()
        let other = SocketPair()
        stage.addSession("b", other)
        stage.start("bridge a b")
        stage.hear("head\nbo")
        stage.hear("dy")
        other.say(Array("answer\n".utf8))
        stage.settle()
        let lines = stage.shown.split(separator: "\n").filter { $0.hasPrefix("b") }
        #expect(lines == ["b> head", "b> body\\", "b< answer"])
    }

    @Test func aBranchOfABlockReadsItsSession() {
        let stage = Stage()
        stage.start(
            "on a /./ {\n    parallel {\n        branch {\n            ${session}< next\n            print fine\n        }\n    }\n}\nsleep forever",
            isWhole: true)
        stage.hear("first\nnext\n")
        #expect(stage.shown.hasSuffix("fine\n"))
    }

    /// The ending of a partly read line is not an empty line; the next one is, in any split.
    @Test func anEmptyLineBehindARestIsSeen() {
        var generator = Generator(seed: 3)
        for _ in 0..<40 {
            let stage = Stage()
            stage.start(
                "on a /^POST/ {\n    expect ${session} \"bo\"\n}\non a /^$/ {\n    print empty\n}\nsleep forever",
                isWhole: true)
            for piece in Array("POST\nbody\n\n".utf8).cut(using: &generator) { stage.hear(piece) }
            let printed = stage.shown.split(separator: "\n").filter { !$0.hasPrefix("a<") }
            #expect(printed == ["empty"])
        }
    }
}
