import Testing

@testable import Sessions

/// The screen of a program: what libvterm draws, in any split, without what would break it.
@Suite struct ScreenTests {
    private func lines(_ text: String, rows: Int = 4, columns: Int = 10, bytewise: Bool = false) throws -> [String] {
        let screen = try #require(ProgramScreen(rows: rows, columns: columns))
        let bytes = Array(text.utf8)
        for piece in bytewise ? bytes.map({ [$0] }) : [bytes] { piece.withUnsafeBytes { screen.receive($0) } }
        return screen.lines
    }

    @Test(arguments: [
        ("one\r\ntwo", ["one", "two", "", ""]), ("\u{1B}[2;3Hx", ["", "  x", "", ""]),
        ("a long line that wraps", ["a long lin", "e that wra", "ps", ""]),
        ("e\u{301}\u{336}x", ["e\u{301}\u{336}x", "", "", ""]), ("世界x", ["世界x", "", "", ""]),
        ("main\u{1B}[?1049h\u{1B}[2J\u{1B}[Hother", ["other", "", "", ""]),
        ("main\u{1B}[?1049hother\u{1B}[?1049l", ["main", "", "", ""]),
        ("a\u{97}\u{97}\u{97}b", ["ab", "", "", ""]), ("x\u{1B}[3b|", ["xxxx|", "", "", ""]),
        ("m你\u{1B}[91b", ["m你你你你", "你你你你你", "你你", ""]),
        ((1...40).map { "line \($0)\r\n" }.joined(), ["line 38", "line 39", "line 40", ""]),
        ("\u{1B}]0;title\u{7}a\u{1B}P1$r\u{1B}\\b\u{1B}(Bc", ["abc", "", "", ""]),
    ])
    func isWhatATerminalShows(text: String, rows: [String]) throws {
        #expect(try lines(text) == rows)
        #expect(try lines(text, bytewise: true) == rows)
    }

    @Test func aSecretIsHiddenAcrossTheEndOfARow() throws {
        let screen = try #require(ProgramScreen(rows: 3, columns: 4))
        Array("ab-secret-".utf8).withUnsafeBytes { screen.receive($0) }
        let lines = screen.lines { bytes in bytes.firstRange(of: Array("secret".utf8)).map { [$0] } ?? [] }
        #expect(lines == ["ab-*", "****", "*-"])
    }

    /// libvterm alone writes beyond the row.
    @Test(arguments: [("你é", 1), ("m你\u{1B}[91b", 80), ("\u{1B}[78G你\u{1B}[1b", 80), ("m你\u{1B}[9b", 3)])
    func wideCharactersStayInside(text: String, columns: Int) throws {
        for rows in [1, 5, 24] {
            let screen = try #require(ProgramScreen(rows: rows, columns: columns))
            for _ in 0..<200 { Array(text.utf8).withUnsafeBytes { screen.receive($0) } }
            #expect((1...columns).contains(screen.cursor.column))
        }
    }

    /// libvterm alone writes beyond its array of parameters.
    @Test func manyParametersAreLeftOut() throws {
        let many = "\u{1B}[" + String(repeating: ";", count: 40) + "x"
        #expect(try lines("a\(many)b\u{1B}[\(String(repeating: "9", count: 60))Cc") == ["abc", "", "", ""])
        #expect(try lines("\u{1B}[1;2;3;4;5;6;7;8;9;10;11;12;13;14mx") == ["x", "", "", ""])
    }

    @Test func aLargeScreenIsNotKept() {
        #expect(ProgramScreen(rows: 1000, columns: 1000) == nil)
        #expect(ProgramScreen(rows: 100, columns: 300) != nil)
    }

    @Test func invalidUTF8IsReplaced() throws {
        let screen = try #require(ProgramScreen(rows: 1, columns: 10))
        for byte in [0x61, 0xFF, 0xC3, 0x62] as [UInt8] { withUnsafeBytes(of: byte) { screen.receive($0) } }
        #expect(screen.lines == ["a\u{FFFD}\u{FFFD}b"])
    }

    @Test func thePictureHasTheCursorAndTheRows() throws {
        let screen = try #require(ProgramScreen(rows: 12, columns: 10))
        Array("\u{1B}[2;1Ha\u{1B}[11;3Hb".utf8).withUnsafeBytes { screen.receive($0) }
        #expect(
            screen.picture(screen.lines) == ["the screen is 12x10, with the cursor at row 11, column 4:", " 2 | a"]
                + (3...10).map { $0 < 10 ? " \($0) |" : "\($0) |" } + ["11 |   b"])
    }

    @Test(arguments: [
        ("Up", "\u{1B}[A"), ("C-c", "\u{3}"), ("C-?", "\u{7F}"), ("M-C-a", "\u{1B}\u{1}"), ("space", " "),
    ])
    func keysSend(name: String, bytes: String) throws {
        let screen = try #require(ProgramScreen(rows: 2, columns: 2))
        screen.press(try #require(TerminalKey(name)))
        #expect(screen.takeOutgoing() == Array(bytes.utf8))
        #expect(screen.takeOutgoing() == [])
    }

    @Test(arguments: ["", "C-", "F0", "F13", "Up Down", "X-a", "C-é"])
    func othersAreNoKeys(name: String) {
        #expect(TerminalKey(name) == nil)
    }
}
