import Engine
import Glibc
import Script

/// A script that was read, parsed and checked whole.
struct CheckedScript {
    let statements: [Statement]
    let source: SourceText
}

/// Reads scripts: from files, from `-c`, from standard input.
struct ScriptReader {
    private let registry: CommandRegistry
    private let invocation: Invocation

    init(registry: CommandRegistry, invocation: Invocation) {
        self.registry = registry
        self.invocation = invocation
    }

    /// A parser for lines that come one after the other.
    func parser(for source: SourceText) -> Parser {
        Parser(source: source, commands: registry.table, load: Self.load)
    }

    /// A checker that knows what the options give, and what is there already.
    func checker(sessions: [String] = [], variables: [String] = []) -> Checker {
        Checker(
            commands: registry.table, variables: invocation.definitions.map(\.name) + variables,
            sessions: invocation.sessions.map(\.name) + sessions,
            environment: environmentNames())
    }

    /// Reads, parses and checks every script of the command line: what -c says, then the files.
    func readAll() throws(Refusal) -> [CheckedScript] {
        var checked: [CheckedScript] = []
        var errors = ""
        for (lines, source) in try sources() {
            switch check(lines, source) {
            case .success(let script): checked.append(script)
            case .failure(let found): errors += found.rendered
            }
        }
        guard errors.isEmpty else { throw Refusal(status: .script, words: errors) }
        return checked
    }

    /// Why nothing is run.
    struct Refusal: Error {
        let status: Failure.Status
        /// What to show, with its newline.
        let words: String
    }

    private func sources() throws(Refusal) -> [(lines: [[UInt8]], source: SourceText)] {
        var sources: [(lines: [[UInt8]], source: SourceText)] = []
        if !invocation.lines.isEmpty {
            let lines = invocation.lines.flatMap { SourceText.lines(of: Array($0.utf8)) }
            sources.append((lines, SourceText(name: "<command>")))
        }
        for path in invocation.files {
            switch Self.load(path) {
            case .failure(let failure):
                throw Refusal(status: .usage, words: "muxsh: cannot read \(path): \(failure.message)\n")
            case .success(let bytes):
                let isInput = path == "-"
                let source = SourceText(
                    name: isInput ? "<stdin>" : path, directory: isInput ? "" : directory(of: path))
                sources.append((SourceText.lines(of: bytes), source))
            }
        }
        return sources
    }

    /// Parses and checks a whole script; the errors are all there are, in the order of the lines.
    private func check(_ lines: [[UInt8]], _ source: SourceText) -> Result<CheckedScript, ScriptErrors> {
        var parser = parser(for: source)
        for line in lines { parser.feed(line) }
        parser.finish()
        var checker = checker()
        let errors = self.errors(in: parser.completed, &checker, parseErrors: parser.errors)
        guard errors.isEmpty else { return .failure(ScriptErrors(errors: errors.inOrder)) }
        return .success(CheckedScript(statements: parser.completed, source: source))
    }

    /// All that is wrong with statements, with what was found when they were parsed.
    func errors(in statements: [Statement], _ checker: inout Checker, parseErrors: [ScriptError]) -> [ScriptError] {
        parseErrors + checker.check(statements, parseErrors: parseErrors) + registry.check(statements)
    }

    /// The bytes of a file; `-` is standard input.
    static func load(_ path: String) -> Result<[UInt8], Parser.LoadFailure> {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(Parser.LoadFailure(message: lastErrorWords())) }
        defer { if path != "-" { close(descriptor) } }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count == 0 { return .success(bytes) }
            if count > 0 {
                bytes += buffer.prefix(count)
            } else if errno != EINTR {
                return .failure(Parser.LoadFailure(message: lastErrorWords()))
            }
        }
    }
}

/// All errors of a script.
struct ScriptErrors: Error {
    let errors: [ScriptError]

    /// All of them for a person, but not more than can be read.
    var rendered: String {
        let rest = errors.count - Self.most
        return errors.prefix(Self.most).map(\.rendered).joined() + (rest > 0 ? "muxsh: and \(rest) more errors\n" : "")
    }

    private static let most = 50
}

extension [ScriptError] {
    /// By line and column within each file, files as they come.
    fileprivate var inOrder: [ScriptError] {
        enumerated().sorted { left, right in
            guard left.element.range.source === right.element.range.source else { return left.offset < right.offset }
            let (first, second) = (left.element.range, right.element.range)
            return (first.line, first.columns.lowerBound, left.offset) < (
                second.line, second.columns.lowerBound, right.offset
            )
        }.map(\.element)
    }
}

/// errno in words, without capital.
func lastErrorWords() -> String {
    let text = String(cString: strerror(errno))
    return text.prefix(1).lowercased() + text.dropFirst()
}
