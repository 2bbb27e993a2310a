import Commands
import Results
import Script
import TestSupport

/// A component or a promise that is tried with random inputs; an input that fails ends the program.
protocol FuzzTarget {
    static func run(_ input: [UInt8])
}

/// The targets by name.
var fuzzTargets: [String: any FuzzTarget.Type] {
    [
        "arrows": ArrowsTarget.self, "bless": BlessTarget.self, "escapes": EscapesTarget.self,
        "flow": FlowTarget.self, "frames": FramesTarget.self, "functions": FunctionsTarget.self,
        "history": HistoryTarget.self, "lexer": LexerTarget.self, "lines": LinesTarget.self,
        "options": OptionsTarget.self, "painter": PainterTarget.self, "parser": ParserTarget.self,
        "patterns": PatternsTarget.self, "proxy": ProxyTarget.self, "screen": ScreenTarget.self,
        "sessions": SessionsTarget.self, "telnet": TelnetTarget.self, "tls": TLSTarget.self,
        "transcript": TranscriptTarget.self, "triggers": TriggersTarget.self, "websocket": WebSocketTarget.self,
    ]
}

/// Ends the program with a message if a promise does not hold.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

/// Whether a scalar acts on a terminal. Joiners do not count: they are kept where they join.
func isAbleToAct(_ scalar: Unicode.Scalar) -> Bool {
    actsOnTerminal(scalar) && scalar.value != 0x200C && scalar.value != 0x200D
}

/// Parses, checks and compiles lines.
func parse(_ lines: [[UInt8]]) -> (statements: [Statement], errors: [ScriptError]) {
    let source = SourceText(name: "fuzz")
    var parser = Parser(source: source, commands: standardRegistry.table) { path in
        path.starts(with: "lib".utf8)
            ? .success(.init(bytes: Array("define f x {\n}\n".utf8), identity: String(decoding: path, as: UTF8.self)))
            : .failure(.init(message: "no such file"))
    }
    for line in lines { parser.feed(line) }
    parser.finish()
    var checker = Checker(commands: standardRegistry.table, variables: ["v"], sessions: ["a"], environment: ["HOME"])
    var errors = parser.errors + checker.check(parser.completed, parseErrors: parser.errors)
    do { _ = try standardRegistry.compile(parser.completed) } catch { errors += error.errors }
    return (parser.completed, errors)
}

/// The bytes of an input, taken one after the other; zeros after their end.
struct Choices {
    private var rest: ArraySlice<UInt8>

    init(_ input: ArraySlice<UInt8>) { rest = input }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func number(below limit: Int) -> Int { limit > 0 ? Int(byte()) % limit : 0 }

    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// The rest cut into pieces of sizes that depend on `seed`.
    static func pieces(of bytes: [UInt8], seed: UInt64) -> [[UInt8]] {
        var generator = Generator(seed: seed)
        return bytes.cut(using: &generator)
    }
}
