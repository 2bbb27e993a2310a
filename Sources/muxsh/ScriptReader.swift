import Commands
import Results
import VM
import Reactor
import Script

/// A script that has been read, checked and compiled completely.
struct CheckedScript {
    let script: CompiledScript
    let source: SourceText
}

/// Reads scripts: from files, from `-c`, from standard input.
struct ScriptReader {
    private let registry: CommandRegistry
    private let invocation: Invocation
    private let files: FileReader

    init(registry: CommandRegistry, invocation: Invocation, files: FileReader) {
        self.registry = registry
        self.invocation = invocation
        self.files = files
    }

    /// Returns a parser for lines fed one after the other.
    func parser(for source: SourceText) -> Parser {
        Parser(source: source, commands: registry.table) { [files] path in
            // An argument that is not a valid C path has already been rejected.
            SystemString(path).map { files.read($0) } ?? .failure(Parser.LoadFailure(message: "no such file"))
        }
    }

    /// Reads an optional file; returns nil when it cannot be read.
    func load(_ path: SystemString) -> Parser.LoadedFile? {
        try? files.read(path).get()
    }

    /// Returns a checker that knows the definitions and sessions of the options, and the existing ones.
    func checker(sessions: [String] = [], variables: [String] = []) -> Checker {
        Checker(
            commands: registry.table, variables: invocation.definitions.map(\.name) + variables,
            sessions: invocation.sessions.map(\.name) + sessions,
            environment: Environment.names.map(\.description))
    }

    /// Reads, parses and checks every script of the command line: the lines of -c, then the files.
    func readAll() throws(Refusal) -> [CheckedScript] {
        var checked: [CheckedScript] = []
        var errors = ""
        for (lines, source) in try sources() {
            switch check(lines, source) {
            case .success(let script): checked.append(script)
            case .failure(let found): errors += found.rendered
            }
        }
        guard errors.isEmpty else { throw Refusal(status: .script, message: errors) }
        return checked
    }

    /// The reason why nothing is run.
    struct Refusal: Error {
        let status: Failure.Status
        /// The text to show, with its newline.
        let message: String
    }

    private func sources() throws(Refusal) -> [(lines: [[UInt8]], source: SourceText)] {
        var sources: [(lines: [[UInt8]], source: SourceText)] = []
        if !invocation.lines.isEmpty {
            let lines = invocation.lines.flatMap { SourceText.lines(of: $0.bytes) }
            sources.append((lines, SourceText(name: "<command>")))
        }
        for path in invocation.files {
            let isInput = path.bytes == [UInt8(ascii: "-")]
            switch isInput ? files.readInput() : files.read(path) {
            case .failure(let failure):
                throw Refusal(
                    status: .usage, message: "muxsh: cannot read \(path.shown): \(failure.message)\n")
            case .success(let file):
                let source =
                    isInput
                    ? SourceText(name: "<stdin>")
                    : SourceText(path: path.bytes, directory: directory(of: path.bytes), identity: file.identity)
                sources.append((SourceText.lines(of: file.bytes), source))
            }
        }
        return sources
    }

    /// Parses and checks a whole script. On failure returns all errors, ordered by line.
    private func check(_ lines: [[UInt8]], _ source: SourceText) -> Result<CheckedScript, ScriptErrors> {
        var parser = parser(for: source)
        for line in lines { parser.feed(line) }
        parser.finish()
        var checker = checker()
        do throws(ScriptErrors) {
            let script = try compile(parser.completed, &checker, parseErrors: parser.errors)
            return .success(CheckedScript(script: script, source: source))
        } catch {
            return .failure(ScriptErrors(errors: error.errors.inOrder))
        }
    }

    /// Checks and compiles statements. Throws all their errors, including `parseErrors`.
    func compile(
        _ statements: [Statement], _ checker: inout Checker, parseErrors: [ScriptError]
    ) throws(ScriptErrors) -> CompiledScript {
        let found = parseErrors + checker.check(statements, parseErrors: parseErrors)
        do throws(ScriptErrors) {
            let script = try registry.compile(statements, owners: checker.owners)
            guard found.isEmpty else { throw ScriptErrors(errors: found) }
            return script
        } catch {
            // Report errors that the commands find again only once.
            let places = Set(found.map { "\($0.range.description) \($0.message)" })
            let more = error.errors.filter { !places.contains("\($0.range.description) \($0.message)") }
            throw ScriptErrors(errors: found + more)
        }
    }
}

extension [ScriptError] {
    /// Sorted by line and column within each file; files keep their order.
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
