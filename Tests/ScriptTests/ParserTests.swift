import Testing

@testable import Script

struct ParserTests {
    @Test func sortsTheWordsOfACommand() throws {
        let call = try #require(parseCommand("open c localhost:80 --retry 10s --eol=crlf # and a comment"))
        #expect(
            call.argument("NAME")?.template.literalText == "c"
                && call.argument("ADDRESS")?.template.literalText == "localhost:80")
        #expect(call.value(ofOption: "--retry")?.template.literalText == "10s")
        #expect(call.value(ofOption: "--eol")?.template.literalText == "crlf" && !call.has(option: "--bind"))
        let short = try #require(parseCommand("open localhost:80"))
        #expect(short.argument("NAME") == nil && short.argument("ADDRESS")?.template.literalText == "localhost:80")
    }

    @Test func keywordsAndOptionsCountOnlyWithoutQuotes() throws {
        #expect(try #require(parseCommand("expect a eof")).keywords == ["eof"])
        #expect(try #require(parseCommand("expect a \"eof\"")).argument("PATTERN")?.template.literalText == "eof")
        #expect(try #require(parseCommand("send a \"--raw\"")).argument("TEXT")?.template.literalText == "--raw")
        #expect(try #require(parseCommand("send a --raw -- --x")).argument("TEXT")?.template.literalText == "--x")
        #expect(try #require(parseCommand("expect a \"x\" within 2s")).keywords == ["within"])
    }

    @Test func readsQuotesAndPatterns() throws {
        let arguments = try #require(parseCommand(#"print bare "a\tb\"c" 'no \n ${x}' #"#)).arguments("TEXT")
        #expect(arguments.map { $0.template.literalText } == ["bare", "a\tb\"c", "no \\n ${x}"])
        let call = try #require(parseCommand(#"expect a /a b\/c # x/is within 1s"#))
        #expect(call.regex("PATTERN")?.template.literalText == #"a b\/c # x"# && call.regex("PATTERN")?.flags == "is")
        #expect(try #require(parseCommand("print /tmp/x")).arguments("TEXT")[0].template.literalText == "/tmp/x")
    }

    @Test func aBackslashContinuesACommandButNoComment() {
        #expect(parse("print a \\\n  b\\\n c").statements.count == 1)
        #expect(parse("# comment \\\nprint x").statements.count == 1)
        #expect(parse("print x # comment \\\nprint y").statements.count == 2)
        #expect(parse("a> x\\\nprint y").statements.count == 2)
    }

    @Test func blocksHoldStatements() throws {
        let call = try #require(parseCommand("repeat 3 as i { # comment\n  a> ${i}\n  repeat 2 {\n    a< x\n  }\n}"))
        #expect(call.block.count == 2 && call.argument("I")?.template.literalText == "i")
    }

    @Test func aStatementIsWholeWithItsLastLine() {
        var parser = Parser(source: SourceText(name: "p"), commands: CommandTable([])) { _ in
            .success(.init(bytes: [], identity: ""))
        }
        parser.feed(Array("a> x".utf8))
        #expect(parser.takeCompleted().count == 1 && !parser.isInsideStatement)
    }

    @Test(arguments: [
        ("opne a localhost:1", "unknown command 'opne'", "did you mean 'open'?", 1),
        ("frobnicate", "unknown command 'frobnicate'", "to send a line", 1),
        ("send a hello world", "send takes one TEXT", "quote the whole text", 14),
        ("send a", "send needs TEXT here", "write send T TEXT", 7),
        ("open", "open needs ADDRESS here", "write open ADDRESS", 5),
        ("open c localhost", "'localhost' has no port", "", 8),
        ("open 1c localhost:1", "'1c' is not a valid session name", "", 6),
        ("open c localhost:1 --rety 5s", "open has no option '--rety'", "did you mean '--retry'?", 20),
        ("open c localhost:1 --retry", "--retry needs a value", "write --retry D", 20),
        ("send a x --raw=1", "--raw takes no value", "", 10),
        ("open c localhost:1 --retry soon", "'soon' is not a duration; write 5s, 200ms or 1m", "", 28),
        ("expect a /(/", "bad regex: missing closing parenthesis", "", 12),
        ("expect a /x", "unterminated regex", "close it with '/'", 10),
        ("expect a /x/q", "unknown regex flag 'q'; the flags are i, m and s", "write '\\/'", 13),
        ("expect a /[ä]/", "bad regex: non-ASCII letter in [ ]", "", 12),
        ("expect a bytes x", "'x' is not a whole number", "", 16),
        ("expect a lines", "expect needs N here", "write expect T lines N [within D]", 15),
        ("expect a hex xyz", "'xyz' is not hexadecimal; write pairs such as \"0d 0a\"", "", 14),
        ("expect a \"\"", "the search text is empty", "", 10),
        ("expect a nothing 5s", "expected 'for' here", "write expect T nothing for D", 18),
        ("set inbox 5XB", "'5XB' is not a size; write 4096, 16KiB or 4MiB", "", 11),
        ("set eol dos", "'dos' is not one of lf, crlf, cr, nul, none", "", 9),
        ("exit 256", "an exit status must be 0 to 255", "", 6),
        ("print \"x", "unterminated quote", "", 7),
        ("print \"x\"y", "expected a space after a closing quote", "", 10),
        ("print x\"y", "unexpected quote inside an argument", "quote the whole argument", 8),
        ("\"print\" x", "expected a command or an arrow line", "", 1),
        ("print ${no-such}", "variable 'no-such' is never set", "set it first", 7),
        ("print ${givn}", "variable 'givn' is never set", "did you mean '${given}'?", 7),
        ("print ${a b}", "'a b' is not a valid variable name", "", 7),
        ("print ${env.NO_SUCH}", "environment variable 'NO_SUCH' is not set", "", 7),
        ("let line 5", "'line' is a built-in name and cannot be assigned", "", 5),
        ("let 5 x", "'5' is not a valid variable name", "", 5),
        ("repeat 3", "repeat needs a block", "end the line with '{'", 1),
        ("repeat 3 {", "unclosed block", "close it with '}'", 1),
        ("repeat 3 { a> x }", "a block needs lines of its own", "write it like this", 12),
        ("sleep 1s {", "sleep takes no block", "remove the '{'", 11),
        ("}", "unmatched '}'", "", 1),
        ("list now", "list takes no more arguments", "write list", 6),
        ("source nowhere.mux", "cannot read 'nowhere.mux': no such file", "", 8),
        ("source ${given}", "the path must be constant, because scripts are read before the run", "", 8),
        ("print x \\", "the line ends with '\\', but no line follows", "", 1),
        ("expect a \"x\" wihtin 2s", "unexpected 'wihtin'", "did you mean 'within'?", 14),
        ("set timout 3s", "set has no keyword 'timout'", "did you mean 'timeout'?", 5),
        ("open a localhost 80", "'localhost' has no port", "", 8),
        ("let x hello world", "let takes one VALUE", "quote the whole text", 13),
        ("let n 3 + a", "'a' is not a whole number", "", 11),
        (
            "a <hello", "'a' is neither a command nor an arrow line",
            "write an arrow line without a space before the arrow", 1
        ),
        (
            "a, b> x", "'a,' is neither a command nor an arrow line",
            "write an arrow line without a space before the arrow", 1
        ),
        ("expect a /\\Gx/", "bad regex: \\G is not supported", "", 11),
        ("send a --hex abc", "'abc' is not hexadecimal", "", 14),
        ("print ${nope.port}", "variable 'nope.port' is never set", "open a session or service", 7),
        ("expect z \"x\"", "no session is named 'z'", "open it first", 8),
    ])
    func saysWhatIsWrong(text: String, message: String, hint: String, column: Int) throws {
        let errors = parse(text).errors
        let error = try #require(errors.first)
        #expect(error.message.hasPrefix(message), "\(error.message)")
        #expect((error.hint ?? "").hasPrefix(hint), "\(error.hint ?? "")")
        #expect(error.range.characterColumn == column)
    }

    @Test func aWrongCommandStillOpensItsBlock() {
        let errors = parse("repeet 3 {\n  a> x\n}\nprint ok").errors
        #expect(errors.map(\.message) == ["unknown command 'repeet'"])
        #expect(parse("repeat x {\n  a> x\n}").errors.count == 1)
    }

    @Test func allErrorsAreFoundInOneRun() {
        let errors = parse("opne x\nprint ${nope}\nsleep 5x\nz> x\nrepeat 2 {").errors
        #expect(errors.count == 5)
    }

    @Test func aNameFromALineThatDidNotParseIsNoSecondError() {
        #expect(parse("opn z localhost:1\nz> x").errors.map(\.message) == ["unknown command 'opn'"])
    }

    @Test func anIncludedFileIsReadAndChecked() {
        let files = ["sub/in.mux": "let inner 1\nsource more.mux\n", "sub/more.mux": "print ${inner}\n"]
        let (statements, errors) = parse("source sub/in.mux\nprint ${inner}", files: files)
        #expect(errors.isEmpty && statements.count == 2)
        let wrong = parse("source w.mux", files: ["w.mux": "\nopne x\n"]).errors
        #expect(wrong.first?.range.description == "w.mux:2:1")
    }

    @Test func aFileCannotIncludeItself() {
        let files = ["x.mux": "source y.mux\n", "y.mux": "source x.mux\n"]
        #expect(parse("source x.mux", files: files).errors.map(\.message) == ["'x.mux' includes itself"])
        #expect(parse("source t.mux", files: ["t.mux": ""]).errors.map(\.message) == ["'t.mux' includes itself"])
    }

    @Test func namesMayBeSetAnywhereInTheScript() {
        #expect(parse("print ${later}\nlet later 1").errors.isEmpty)
        #expect(parse("repeat 2 as i {\nopen c${i} localhost:1\n}\nc2> x\nprint ${c1.port}").errors.isEmpty)
        #expect(parse("expect a /(?<who>x)/\nprint ${who} ${0} ${1} ${file} ${line} ${dir} ${env.HOME}").errors.isEmpty)
        #expect(parse("open localhost:1\ns1> x").errors.isEmpty)
    }

    @Test func anErrorIsShownWithItsLineAndCarets() throws {
        let error = try #require(parse("\n  sleep 5x # é").errors.first)
        #expect(
            error.rendered == """
                t.mux:2:9: error: '5x' is not a duration; write 5s, 200ms or 1m
                 2 |   sleep 5x # é
                   |         ^^

                """)
    }

    @Test func controlCharactersOfASourceLineAreNotShown() throws {
        let error = try #require(parse("\u{1B}[31mfoo").errors.first)
        #expect(!error.rendered.utf8.contains(0x1B))
    }

    /// Texts that a recursion or a search without memory would not survive.
    @Test(arguments: ["print \"", "print ", "expect x /", "", "print /"])
    func deepAndOpenExpansionsAreErrors(front: String) {
        for (open, close) in [("${", "}"), ("${x:first(", ")}"), ("${", ""), ("${x:", "")] {
            let count = 3_000
            let line = front + String(repeating: open, count: count) + "x" + String(repeating: close, count: count)
            #expect(!parse("let x 1\n" + line + (front.isEmpty ? "> text\n" : "\n")).errors.isEmpty, "\(front)\(open)")
        }
    }
}
