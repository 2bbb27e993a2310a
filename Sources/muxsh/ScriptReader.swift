import Commands
import Engine
import Library
import Results
import VM
import Reactor
import Script

/// A script that has been read, checked and compiled completely.
struct CheckedScript {
    let script: CompiledScript
    let source: SourceText
    let statements: [Statement]
}

/// Reads scripts: from files, from `-c`, from standard input.
struct ScriptReader {
    let registry: CommandRegistry
    private let invocation: Invocation
    private let files: FileReader

    init(registry: CommandRegistry, invocation: Invocation, files: FileReader) {
        self.registry = registry
        self.invocation = invocation
        self.files = files
    }

    /// Returns a parser for lines fed one after the other.
    ///
    /// - Parameter opensFiles: whether it reads the files of `source`; otherwise they count as empty.
    func parser(for source: SourceText, opensFiles: Bool = true) -> Parser {
        Parser(source: source, commands: registry.table) { [files] path in
            if let name = Parser.libraryName(path) { return Self.library(name) }
            guard opensFiles else { return .success(Parser.LoadedFile(bytes: [], identity: String(lossless: path))) }
            // An argument that is not a valid C path has already been rejected.
            return SystemString(path).map { files.read($0) } ?? .failure(Parser.LoadFailure(message: "no such file"))
        }
    }

    /// Returns a script that is built in.
    private static func library(_ name: String) -> Result<Parser.LoadedFile, Parser.LoadFailure> {
        guard let text = Library.script(named: name) else {
            let all = Library.names.map { "<\($0)>" }.joined(separator: ", ")
            return .failure(Parser.LoadFailure(message: "there is no library of this name; there are \(all)"))
        }
        return .success(Parser.LoadedFile(bytes: text, identity: "<\(name)>"))
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

    /// Returns a checker for entries in a world: it knows what was opened, set and defined there.
    func checker(of world: World) -> Checker {
        var checker = checker()
        update(&checker, from: world)
        return checker
    }

    /// Makes a checker know what others have opened, set and defined in the world since its last entry.
    func update(_ checker: inout Checker, from world: World) {
        let sessions = world.sessions.all.map(\.name) + world.sessions.allServices.map(\.name)
        checker.know(sessions: sessions, variables: world.variables.names)
        for name in world.definitions.names where !checker.knows(command: name) {
            checker.know(command: name, parameters: world.definitions[name]?.parameters ?? [])
        }
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
        var paths: [SystemString] = []
        for path in invocation.files { paths += try scripts(path) }
        for path in paths {
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

    /// Returns the scripts that an argument names: itself, or the scripts in a folder, in order of their names.
    private func scripts(_ path: SystemString) throws(Refusal) -> [SystemString] {
        guard let names = Folder.names(in: path) else { return [path] }
        let scripts = names.filter { $0.bytes.suffix(4) == Array(".mux".utf8)[...] }
        guard !scripts.isEmpty else {
            throw Refusal(status: .usage, message: "muxsh: the folder \(path.shown) contains no *.mux\n")
        }
        let folder = path.bytes.last == UInt8(ascii: "/") ? path.bytes : path.bytes + [UInt8(ascii: "/")]
        return scripts.compactMap { SystemString(folder + $0.bytes) }
    }

    /// Parses and checks a whole script. On failure returns all errors, ordered by line.
    ///
    /// - Parameter variables: names that have values although the script does not set them.
    func check(
        _ lines: [[UInt8]], _ source: SourceText, variables: [String] = []
    ) -> Result<CheckedScript, ScriptErrors> {
        var parser = parser(for: source)
        for line in lines { parser.feed(line) }
        parser.finish()
        var checker = checker(variables: variables)
        do throws(ScriptErrors) {
            let script = try compile(parser.completed, &checker, parseErrors: parser.errors)
            return .success(CheckedScript(script: script, source: source, statements: parser.completed))
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
            // Checked in the order of the text: in another one, a name may be set later.
            let ordered = invocation.shuffle.map { statements.withTestsShuffled(by: $0.seed) } ?? statements
            let script = try registry.compile(
                ordered, owners: checker.owners, isMarked: invocation.reports.contains { $0.format.showsStatements })
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

extension [Statement] {
    /// The names of the tests among them, as written where they are computed, with the place of each.
    var tests: [(name: String, range: SourceRange)] {
        flatMap(\.withAllInside).compactMap { statement in
            guard case .command(let call) = statement, call.description.name == "test",
                let name = call.argument("NAME")
            else { return nil }
            let written = name.range.lineText[name.range.columns]
            let isQuoted = written.count >= 2 && written.first == written.last && written.first == UInt8(ascii: "\"")
            let inside = isQuoted ? written.dropFirst().dropLast() : written
            return (name.template.literalText ?? String(lossless: inside), call.range)
        }
    }

    /// Returns them with each run of neighbouring tests in random order.
    fileprivate func withTestsShuffled(by seed: UInt32) -> [Statement] {
        let random = RandomNumbers(seed: seed)
        var result: [Statement] = []
        var group: [Statement] = []
        for statement in self {
            if case .command(let call) = statement, call.description.name == "test" {
                group.append(statement)
            } else {
                result += random.shuffled(group) + [statement]
                group = []
            }
        }
        return result + random.shuffled(group)
    }
}

extension RandomNumbers {
    /// Returns the elements in random order (Fisher and Yates).
    fileprivate func shuffled(_ statements: [Statement]) -> [Statement] {
        var statements = statements
        for index in statements.indices.dropFirst().reversed() {
            statements.swapAt(index, Int(next()) % (index + 1))
        }
        return statements
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
