import Testing
import TestSupport

@testable import Sessions

/// Every complete line is tested once, in sequence, and nothing that the script may read is dropped, in any split.
struct TriggerTests {
    /// The action of a trigger's block.
    private enum Block: CaseIterable {
        /// Prints the line and ends.
        case prints
        /// Sleeps.
        case sleeps
        /// Reads bytes after its line, if they arrive.
        case readsBytes
        /// Reads a line after its own.
        case readsLine
    }

    private struct Rule {
        let pattern: String
        let block: Block
        let matches: (String) -> Bool

        static func random(_ generator: inout Generator) -> Rule {
            let block = Block.allCases[Int.random(in: 0..<Block.allCases.count, using: &generator)]
            switch Int.random(in: 0...3, using: &generator) {
            case 0: return Rule(pattern: "/^P/", block: block) { $0.hasPrefix("P") }
            case 1: return Rule(pattern: "\"Q\"", block: block) { $0.contains("Q") }
            case 2: return Rule(pattern: "/x$/", block: block) { $0.hasSuffix("x") }
            default: return Rule(pattern: "/^$/", block: block) { $0.isEmpty }
            }
        }

        func script(_ number: Int) -> String {
            let body =
                switch block {
                case .prints: ""
                case .sleeps: "    sleep 20ms\n"
                case .readsBytes:
                    "    try {\n        expect ${session} bytes 3\n        print \"bytes ${0}\"\n    } else {\n    }\n"
                case .readsLine:
                    "    try {\n        expect ${session} lines 1\n        print \"line ${0}\"\n    } else {\n    }\n"
                }
            return "on a \(pattern) {\n    print \"rule \(number)\"\n\(body)}\n"
        }
    }

    /// Returns the effect of triggers on a stream after which the peer ends: the printed lines, and the input left for
    /// the script.
    private func model(_ stream: String, _ rules: [Rule]) -> (printed: [String], left: String) {
        var printed: [String] = []
        var left = ""
        var rest = stream[...]
        var skipsEnding = false
        while !rest.isEmpty {
            let end = rest.firstIndex(of: "\n")
            let line = String(rest[..<(end ?? rest.endIndex)])
            let whole = rest[..<(end.map { rest.index(after: $0) } ?? rest.endIndex)]
            rest = rest[whole.endIndex...]
            if skipsEnding, line.isEmpty, end != nil {
                skipsEnding = false
                continue
            }
            skipsEnding = false
            guard let number = rules.firstIndex(where: { $0.matches(line) }) else {
                left += whole
                continue
            }
            printed.append("rule \(number)")
            switch rules[number].block {
            case .prints, .sleeps: break
            case .readsBytes where rest.count >= 3:
                let bytes = rest.prefix(3)
                rest = rest.dropFirst(3)
                skipsEnding = bytes.last != "\n"
                printed.append("bytes " + bytes.replacing("\n", with: "~"))
            case .readsLine where rest.contains("\n"):
                let text = rest.prefix { $0 != "\n" }
                rest = rest.dropFirst(text.count + 1)
                printed.append("line \(text)")
            case .readsBytes, .readsLine: break
            }
        }
        return (printed, left)
    }

    private func randomStream(_ generator: inout Generator) -> String {
        let lines = ["P1", "Q2", "hello", "ax", "", "PQ", "b", "say Q", "long line of text", "x"]
        let count = Int.random(in: 0...8, using: &generator)
        var text = (0..<count).map { _ in lines[Int.random(in: 0..<lines.count, using: &generator)] + "\n" }.joined()
        if Bool.random(using: &generator), text.last == "\n" { text.removeLast() }
        return text
    }

    @Test func whatTriggersTakeDependsOnTheStreamAlone() {
        var generator = Generator(seed: 51)
        for _ in 0..<500 {
            let stream = randomStream(&generator)
            let rules = (0..<Int.random(in: 1...3, using: &generator)).map { _ in Rule.random(&generator) }
            let stage = Stage()
            // Part of the stream may arrive before the triggers are set.
            let pieces = Array(stream.utf8).cut(using: &generator)
            let early = Int.random(in: 0...pieces.count, using: &generator)
            for piece in pieces[..<early] { stage.hear(piece) }
            // A wait that is not met, and at its limit also tests held-back input, changes nothing.
            let wait = [
                "expect a \"zzz\" within 10ms", "a< zzz", "expect a nothing for 10ms", "expect a lines 99 within 5ms",
            ][
                Int.random(in: 0...3, using: &generator)]
            let failing = "repeat 100 {\n    try {\n        \(wait)\n    } else {\n    }\n    sleep 10ms\n}\n"
            let rest = Bool.random(using: &generator) ? failing : ""
            stage.start(rules.enumerated().map { $1.script($0) }.joined() + rest + "sleep forever")
            for piece in pieces[early...] {
                stage.hear(piece)
                if Bool.random(using: &generator) {
                    stage.wait(.milliseconds(Int.random(in: 1...20, using: &generator)))
                }
            }
            stage.pair.endOutput()
            for _ in 0..<(2 * stream.count + 4) { stage.wait(.milliseconds(20)) }
            let printed = Self.printed(stage.shown)
            let expected = model(stream, rules)
            // With several rules set one after the other, the first may have consumed input before the second was set.
            if early == 0 || rules.count == 1 {
                let context = "\(rules.map { ($0.pattern, $0.block) }) on \(stream.debugDescription)"
                #expect(printed == expected.printed, "\(context)")
                #expect(stage.unread == expected.left, "\(context)")
            }
            let session = stage.world.sessions["a"]
            #expect(session?.filter?.withholds == false && session?.feed.hasEnded == true)
        }
    }

    /// Returns the output of scripts, with `~` for a line break.
    private static func printed(_ shown: String) -> [String] {
        var lines: [String] = []
        for line in shown.split(separator: "\n", omittingEmptySubsequences: false) where !line.hasPrefix("a<") {
            let isNew = ["rule ", "bytes ", "line "].contains { line.hasPrefix($0) }
            if isNew {
                lines.append(String(line))
            } else if !lines.isEmpty, lines.last?.hasPrefix("bytes ") == true {
                lines[lines.count - 1] += "~" + line
            }
        }
        return lines.map { $0.hasPrefix("bytes ") ? String($0.prefix(9)) : $0 }
    }

    @Test func aLineThatTriggersAlreadySetAllowBelongsToALaterOneWhileItIsUnread() {
        for size in [1, 100] {
            let stage = Stage()
            stage.start("on a /^PING/ {\n    print ping\n}\na< welcome\non a /^MSG/ {\n    print msg\n}\nsleep forever")
            let stream = Array("welcome\nother\nMSG\nrest".utf8)
            for start in stride(from: 0, to: stream.count, by: size) {
                stage.hear(Array(stream[start..<min(stream.count, start + size)]))
            }
            #expect(stage.shown.contains("msg") && stage.unread == "other\nrest", "\(stage.shown)")
        }
    }

    @Test func aFullInboxHoldsThePeerAndDropsNothing() {
        let stage = Stage(inboxLimit: 40)
        stage.start("on a /^NEVER/ {\n}\nexpect a \"go\"\nexpect a lines 20\nprint done")
        let lines = (1...20).map { "line \($0)\n" }.joined()
        stage.hear("go")
        stage.hear(lines)
        for _ in 0..<10 { stage.settle() }
        #expect(stage.state == "a: inbox full (40 bytes) before 20 lines arrived")
        let reading = Stage(inboxLimit: 40)
        reading.start("on a /^NEVER/ {\n}\nrepeat 20 as i {\n    a< line ${i}\n}\nprint done")
        reading.hear(lines)
        for _ in 0..<10 { reading.settle() }
        #expect(reading.state == "passed" && reading.shown.hasSuffix("done\n"), "\(reading.state)")
    }

    @Test func aLineLongerThanTheInboxIsAFailureOfItsTrigger() {
        let stage = Stage(inboxLimit: 40)
        stage.start("on a \"x\" {\n}\nsleep forever")
        stage.hear(String(repeating: "long ", count: 20))
        stage.settle()
        #expect(stage.state == "a: inbox full (40 bytes) before a whole line arrived for 'on'")
    }

    @Test func unreadLinesThatStopATriggerAreToldOnce() {
        let stage = Stage(inboxLimit: 40)
        stage.start("on a \"x\" {\n}\nsleep 1s\na< line 1")
        stage.hear((1...20).map { "line \($0)\n" }.joined())
        for _ in 0..<10 { stage.settle() }
        let didReport = String(decoding: stage.output.errors, as: UTF8.self)
        #expect(
            didReport
                == "muxsh: a: inbox full (40 bytes): reading from the peer and 'on' pause until the script reads\n"
        )
        stage.wait(.seconds(1))
        #expect(stage.state == "passed")
    }

    /// A script that is compiled as a whole and never reads keeps no input.
    @Test func aSessionThatOnlyTriggersUseKeepsNothing() {
        let stage = Stage(inboxLimit: 60)
        stage.start("on a /^P(\\d+)/ {\n    print \"got ${1}\"\n}\nsleep forever", isWhole: true)
        for number in 1...50 { stage.hear("noise \(number)\nP\(number)\n") }
        #expect(stage.unread == "" && stage.shown.contains("got 50\n"))
    }

    @Test func manyTriggersAreSetInNoTime() {
        let stage = Stage()
        let script = (1...3000).map { "on a /^T\($0)$/ {\n    print \"t\($0)\"\n}\n" }.joined()
        stage.start(script + "sleep forever")
        stage.hear("T2999\n")
        #expect(stage.shown.contains("t2999\n"))
    }
}
