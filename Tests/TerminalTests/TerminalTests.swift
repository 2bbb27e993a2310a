import Commands
import Engine
import Results
import Sessions
import VM
import Reactor
import Glibc
import Testing
import TestSupport

@testable import Terminal

struct KeyReaderTests {
    private func keys(_ text: String) -> [Key] {
        keys(Array(text.utf8))
    }

    private func keys(_ bytes: [UInt8]) -> [Key] {
        var reader = KeyReader()
        reader.feed(bytes)
        return Array(reader.keys)
    }

    private func characters(_ text: String) -> [Key] {
        text.unicodeScalars.map { .character($0.value) }
    }

    @Test func decodesTextAndKeys() {
        #expect(keys("aé你😀\u{01}") == characters("aé你😀\u{01}"))
        #expect(keys("\u{1B}[A\u{1B}OB") == [.sequence("[A"), .sequence("[B")])
        #expect(keys("\u{1B}[1~\u{1B}[8~\u{1B}[1;5C") == [.sequence("[H"), .sequence("[F"), .sequence("f")])
        #expect(keys("\u{1B}b") == characters("\u{1B}b"))
    }

    @Test func unknownSequencesAreDropped() {
        #expect(keys("\u{1B}[1;2Ax\u{1B}[15~y\u{1B}[<0;5;5M") == characters("xy"))
    }

    private func carried(_ bytes: UInt8...) -> [Key] {
        bytes.map { .character(String.standIn(for: $0).value) }
    }

    @Test func bytesThatAreNoUTF8AreCarried() {
        #expect(keys([0xFF, 0x61]) == carried(0xFF) + characters("a"))
        #expect(keys([0xE9, 0x74, 0xE9, 0x20]) == carried(0xE9) + characters("t") + carried(0xE9) + characters(" "))
        // C1 controls, which do not occur in text, and a scalar that represents another byte.
        #expect(keys([0xC2, 0x9D, 0x62]) == carried(0xC2, 0x9D) + characters("b"))
        #expect(keys([0xF4, 0x8F, 0xBF, 0xA9]) == carried(0xF4, 0x8F, 0xBF, 0xA9))
        // An incomplete character is held back briefly for the rest.
        var reader = KeyReader()
        reader.feed([0xE9])
        #expect(reader.keys.isEmpty && reader.holdsPart)
        reader.flushHeld()
        #expect(Array(reader.keys) == carried(0xE9) && !reader.holdsPart)
    }

    @Test func behindControlVAnythingIsText() {
        #expect(keys([0x16, 0x03, 0x61]) == [.paste([0x03])] + characters("a"))
        #expect(keys([0x16, 0x1B, 0x5B, 0x41]) == [.paste([0x1B])] + characters("[A"))
        #expect(keys([0x16, 0xC3, 0xA9]) == [.paste([0xE9])])
        #expect(keys([0x16, 0x00]) == [.paste([String.standIn(for: 0).value])])
        #expect(keys([0x16, 0x16]) == [.paste([0x16])])
    }

    @Test func aPasteKeepsWhatIsNoText() {
        let text = Array("\u{1B}[200~a\u{1B}[31m\u{04}".utf8) + [0xE9, 0x00] + Array("~\u{1B}[201~".utf8)
        let (latin, nul) = (String.standIn(for: 0xE9).value, String.standIn(for: 0).value)
        #expect(keys(text) == [.paste("a\u{1B}[31m\u{04}".unicodeScalars.map(\.value) + [latin, nul, 0x7E])])
    }

    @Test func aReturnAndALineFeedAreOneLinesEnd() {
        #expect(keys("a\r\nb\rc\nd\r\n\n") == characters("a\rb\rc\nd\r\n"))
        #expect(keys("a\ré\nb") == characters("a\ré\nb"))
        // Pressed one after the other, they are two keys.
        var reader = KeyReader()
        reader.feed([0x0D])
        reader.feed([0x0A])
        #expect(Array(reader.keys) == characters("\r\n"))
    }

    @Test func aPasteIsOneKey() {
        #expect(
            keys("x\u{1B}[200~a\r\nb\rc\nd\te\u{07}\u{1B}[201~y")
                == characters("x") + [.paste(Array("a\nb\nc\nd\te\u{07}".unicodeScalars.map(\.value)))]
                + characters("y"))
    }

    @Test func theSplitOfTheBytesMakesNoDifference() {
        let bytes = Array("aé\u{1B}[A\u{1B}[200~p你\u{1B}[20x\r\n\u{1B}[201~\u{1B}[3~😀\u{1B}[1;2Az".utf8)
        var generator = Generator(seed: 9)
        for _ in 0..<200 {
            var reader = KeyReader()
            for piece in bytes.cut(using: &generator) { reader.feed(piece) }
            #expect(Array(reader.keys) == keys(bytes))
        }
    }

    @Test func aLoneEscapeIsHeldUntilItIsAskedFor() {
        var reader = KeyReader()
        reader.feed([0x1B])
        #expect(reader.keys.isEmpty && reader.holdsPart)
        reader.flushHeld()
        #expect(reader.keys == [.character(0x1B)] && !reader.holdsPart)
    }
}

struct PagerTests {
    @Test func showsAScreenAtATime() {
        var pager = Pager(Array("1\n2\n3\n4\nlong line\n6\n7\n8\n".utf8), width: 5, height: 4)
        #expect(pager.begin() == Array("1\n2\n3\n".utf8))
        #expect(pager.next(.line) == Array("4\n".utf8))
        // A line of two rows uses the space of two.
        #expect(pager.next(.halfScreen) == Array("long line\n".utf8))
        #expect(pager.next(.screen) == Array("6\n7\n8\n".utf8) && pager.isDone)
    }

    @Test func aLineHigherThanTheScreenIsShownAllTheSame() {
        var pager = Pager(Array("0123456789abcdef\nx\n".utf8), width: 4, height: 3)
        #expect(pager.begin() == Array("0123456789abcdef\n".utf8) && !pager.isDone)
    }

    @Test(arguments: [
        (Key.character(0x20), Pager.Command.screen), (.sequence("[6~"), .screen), (.character(0x04), .halfScreen),
        (.character(0x0D), .line), (.sequence("[B"), .line), (.character(0x71), .end), (.character(0x1B), .end),
        (.character(0x61), .leave), (.sequence("[A"), .leave), (.paste([0x61]), .leave),
    ])
    func knowsItsKeys(key: Key, command: Pager.Command) {
        #expect(Pager.command(for: key) == command)
    }
}

struct LineLayoutTests {
    private func layout(_ text: String, cursor: Int? = nil, width: Int = 10) -> LineLayout {
        setlocale(LC_CTYPE, "C.UTF-8")
        let scalars = text.unicodeScalars.map(\.value)
        return LineLayout(scalars, cursor: cursor ?? scalars.count, width: width)
    }

    @Test func wrapsWhereTheTerminalDoes() {
        #expect(layout("abc").end == .init(row: 0, column: 3))
        #expect(layout("0123456789").end == .init(row: 1, column: 0) && layout("0123456789").endsFull)
        #expect(layout("0123456789a").end == .init(row: 1, column: 1))
        #expect(layout("0123456789a", cursor: 9).cursor == .init(row: 0, column: 9))
        #expect(layout("0123456789a", cursor: 10).cursor == .init(row: 1, column: 0))
        #expect(layout("0123456789a").rowStarts == [0, 10])
    }

    @Test func aWideCharacterDoesNotStraddleTheEdge() {
        #expect(layout("012345678你").end == .init(row: 1, column: 2))
        #expect(layout("01234567你").end == .init(row: 1, column: 0))
        #expect(layout("你好").end == .init(row: 0, column: 4))
    }

    @Test func newlinesAndControlsTakeTheirRoom() {
        #expect(layout("ab\ncd").end == .init(row: 1, column: 2))
        #expect(layout("\u{01}").end == .init(row: 0, column: 2))
        #expect(displayed(1) == "^A" && displayed(0x7F) == "^?" && displayed(0x61) == "a")
        #expect(layout("e\u{301}").end == .init(row: 0, column: 1))
        #expect(layout("\u{202E}").end == .init(row: 0, column: 1) && displayed(0x202E) == "?")
    }
}

struct HistoryTests {
    private func temporaryPath() -> SystemString {
        SystemString("/tmp/muxsh-history-\(getpid())-\(UInt32.random(in: 0...UInt32.max))/sub/history".utf8) ?? "x"
    }

    @Test(arguments: ["a b", "back\\slash", "tab\there", "é你", "line\nline", "${x}"])
    func entriesSurviveTheFile(line: String) {
        let encoded = History.encode(line)
        #expect(encoded.last == 10 && encoded.dropLast().allSatisfy { $0 > 0x20 })
        #expect(History.decode(Array(encoded.dropLast())) == line)
    }

    @Test func readsLibeditsOwnNotation() {
        #expect(History.decode(Array("open\\040a\\^[x".utf8)) == "open a\u{1B}x")
    }

    @Test func isKeptAcrossRunsAndSharedByTwo() {
        let path = temporaryPath()
        let first = History(path: path)
        let second = History(path: path)
        #expect(first.add("one") && second.add("two") && first.add("three"))
        #expect(History(path: path).entries == ["one", "two", "three"])
        var status = stat()
        #expect(path.withCString { stat($0, &status) } == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test func theFileIsCutAndLosesNothingOfAnotherPrompt() {
        let path = temporaryPath()
        let (first, second) = (History(path: path), History(path: path))
        first.limit(to: 5)
        for number in 0..<40 {
            _ = first.add("first \(number)")
            _ = second.add("second \(number)")
        }
        let entries = History(path: path).entries
        #expect(entries.count <= 5 + 40 && first.entries.count == 5 && second.entries.count == 40)
        // Both keep the newest entries in sequence.
        #expect(entries.suffix(4) == ["first 38", "second 38", "first 39", "second 39"])
        var status = stat()
        #expect(path.withCString { stat($0, &status) } == 0 && status.st_mode & 0o777 == 0o600)
        let small = History(path: path)
        small.limit(to: 1)
        #expect(small.entries == ["second 39"] && History(path: path).entries == ["second 39"])
    }

    @Test func blankLedAndRepeatedLinesAreNotKept() {
        let history = History(path: nil)
        #expect(history.add("x") && !history.add("x") && !history.add(" y") && !history.add(""))
        #expect(history.entries == ["x"])
    }
}

struct CompletionTests {
    private let completer: Completer = {
        var sources = CompletionSources()
        sources.sessions = { ["alpha", "alto", "beta"].map { ($0, "127.0.0.1:1") } }
        sources.definitions = { ["greet"] }
        sources.variables = { ["name", "number", "alpha.address", "alpha.port"].map { ($0, "") } }
        sources.environment = { ["HOME", "HOSTNAME"] }
        sources.history = { ["open a localhost:8080", "print x:1", "serve s [::1]:7000", "open b localhost:${port}"] }
        sources.topics = [("keys", "the keys")]
        return Completer(table: CommandRegistry.standard().table, sources: sources)
    }()

    @Test(arguments: [
        ("op", 2, ["open"]), ("al", 2, ["alpha>", "alto>"]),
        ("se", 2, ["select", "send", "serve", "set"]), ("if no", 2, ["not"]), ("gre", 3, ["greet"]),
        ("send b", 1, ["beta"]), ("send beta,al", 2, ["alpha", "alto"]), ("open --re", 4, ["--resume", "--retry"]),
        (
            "open x y --", 2,
            [
                "--alpn", "--baud", "--bind", "--ca", "--cert", "--data-bits", "--eol", "--flow", "--frame",
                "--header", "--insecure", "--key", "--key-password", "--parity", "--protocol", "--proxy-protocol",
                "--resume", "--retry",
                "--servername", "--stop-bits", "--timeout", "--via",
            ]
        ),
        (
            "expect beta ", 0,
            [
                "all", "bytes", "connections", "end", "eof", "frame", "hex", "line", "lines", "not", "nothing", "quiet",
                "reset", "screen",
            ]
        ),
        ("help key", 3, ["keys"]), ("serve e :0 d", 1, ["discard"]), ("frob x", 0, []),
        ("open x lo", 2, ["localhost:8080"]), ("open [", 1, ["[::1]:7000"]), ("close al*", 3, ["alpha,alto"]),
        ("print ${n", 1, ["name}", "number}"]), ("a> ${num", 3, ["number}"]), ("a> sen", 0, []),
        ("print ${al", 2, ["alpha.address}", "alpha.port}"]), ("print ${en", 2, ["env."]),
        ("print ${alpha.", 6, ["alpha.address}", "alpha.port}"]),
        ("print ${env.HOM", 7, ["env.HOME}"]), ("if open a", 1, ["alpha", "alto"]), ("if not open b", 1, ["beta"]),
        ("while defined nu", 2, ["number"]), ("signal beta TER", 3, ["TERM"]), ("set a", 1, ["alpha", "alto"]),
        (
            "set ", 0,
            [
                "alpha", "alto", "beta", "color", "cut-is-eof", "eol", "frame", "history", "idle", "inbox", "linger",
                "prompt", "timeout", "view",
            ]
        ),
        ("set fr", 2, ["frame"]), ("set alpha fr", 2, ["frame"]), ("open a b --eol cr", 2, ["cr", "crlf"]),
        ("expect alpha \"x\" wi", 2, ["within"]), ("print \\${n", 0, []), ("select wi", 2, ["within"]),
        ("expect alpha \"a b\" wi", 2, ["within"]), ("view h", 1, ["hex", "http"]),
        // Without a candidate that begins so: those that contain it, or else its characters in sequence.
        ("prnt", 4, ["print"]), ("set tmt", 3, ["timeout"]), ("open x host:80", 7, ["localhost:8080"]),
        ("open a b --eol=cr", 2, ["cr", "crlf"]),
    ])
    func completes(line: String, replaced: Int, candidates: [String]) {
        let completion = completer.complete(line)
        #expect(completion.candidates == candidates && (candidates.isEmpty || completion.replaced == replaced))
    }

    @Test(arguments: [
        ("open a ", "ADDRESS"), ("sleep ", "D | forever"), ("expect alpha \"x\" ", "[within D]"), ("set timeout ", "D"),
        ("open a b --retry ", "D"), ("open a", ""), ("frob ", ""), ("a> x ", ""), ("repeat 3 ", "[as I] [every D] {"),
    ])
    func hintsAtWhatComesNext(line: String, hint: String) {
        #expect(completer.hint(line) == hint)
    }

    @Test func knowsWhatCandidatesShare() {
        #expect(completer.complete("al").commonPrefix == "al")
    }

    @Test func listsInColumnsOfTheSameWidth() {
        setlocale(LC_CTYPE, "C.UTF-8")
        #expect(ChoiceList.columns(["aa", "b", "c"], width: 8) == "aa  c\nb\n")
        #expect(ChoiceList.columns(["你好", "b", "c"], width: 12) == "你好  c\nb\n")
        #expect(ChoiceList.columns(["toolong"], width: 4) == "too…\n")
    }
}
