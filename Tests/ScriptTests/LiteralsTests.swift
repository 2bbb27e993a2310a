import Testing

@testable import Script

struct LiteralsTests {
    @Test(arguments: [
        ("5s", Duration.seconds(5)), ("200ms", .milliseconds(200)), ("1.5s", .milliseconds(1500)), ("1m", .seconds(60)),
        ("2h", .seconds(7200)), ("50us", .microseconds(50)), ("0s", .zero),
    ])
    func readsDurations(text: String, duration: Duration) {
        #expect(Literals.duration(text) == duration)
    }

    @Test(arguments: ["", "5", "s", "5 s", "-1s", "5x", "1e9s", "1.2.3s", ".s", "99999999999999999999s", "١s"])
    func refusesOtherDurations(text: String) {
        #expect(Literals.duration(text) == nil)
    }

    @Test(arguments: [("4096", 4096), ("16KiB", 16384), ("4MiB", 4 << 20), ("1GiB", 1 << 30), ("7B", 7)])
    func readsSizes(text: String, size: Int) {
        #expect(Literals.size(text) == size)
    }

    @Test(arguments: ["", "0", "-1", "1.5MiB", "99999999999999999999", "9999999999999999999GiB", "4 MiB"])
    func refusesOtherSizes(text: String) {
        #expect(Literals.size(text) == nil)
    }

    @Test func readsHexadecimal() {
        #expect(Literals.hex(Array("de AD be\tef".utf8)) == [0xDE, 0xAD, 0xBE, 0xEF])
        #expect(Literals.hex([]) == [])
        #expect(Literals.hex(Array("dea".utf8)) == nil && Literals.hex(Array("xx".utf8)) == nil)
    }
}

struct SpellingTests {
    @Test(arguments: [("opne", "open"), ("expct", "expect"), ("prnt", "print"), ("sned", "send"), ("xyzzy", nil)])
    func findsTheNearestSpelling(text: String, nearest: String?) {
        #expect(nearestSpelling(of: text, among: ["open", "expect", "print", "send", "set"]) == nearest)
    }
}

struct TargetTests {
    @Test(arguments: [
        ("*", "a", true), ("rep*", "replica1", true), ("rep*", "a", false), ("c?", "c1", true), ("c?", "c12", false),
        ("*a*b", "xaxb", true), ("*a*b", "xaxbc", false), ("", "", true), ("**", "x", true), ("a*a*a*", "aabaa", true),
    ])
    func globsMatch(glob: String, name: String, matches: Bool) {
        #expect(globMatches(glob, name) == matches)
    }

    @Test func sessionNamesBeginWithALetter() {
        #expect(isSessionName("a-1.x_") && isSessionName("_x"))
        #expect(!isSessionName("1a") && !isSessionName("") && !isSessionName("-a") && !isSessionName("a b"))
    }
}

struct EscapesTests {
    @Test(arguments: [
        ([0x1B, 0x5B, 0x32, 0x4A], "\\e[2J"), ([0x07], "\\x07"), ([0xC2, 0x9B], "\\u{9b}"),
        ([0xE2, 0x80, 0xAE], "\\u{202e}"),
        ([0x7F], "\\x7f"), ([0xFF, 0xFE], "\\xff\\xfe"), ([0xED, 0xA0, 0x80], "\\xed\\xa0\\x80"),
        ([0xC0, 0x80], "\\xc0\\x80"),
        ([0xE4, 0xBD, 0xA0], "你"), ([0xF0, 0x9F, 0x98, 0x80], "😀"), ([0x24, 0x7B], "\\${"), ([0x24], "$"),
        ([0x20], "\\x20"),
        ([0x61, 0x20, 0x62], "a b"), ([0x5C], "\\\\"), ([0xEF, 0xBB, 0xBF], "\\u{feff}"), ([0xE2, 0x82], "\\xe2\\x82"),
    ])
    func nothingReceivedActsOnTheTerminal(bytes: [UInt8], shown: String) {
        #expect(Escapes.escaped(bytes) == shown)
    }
}
