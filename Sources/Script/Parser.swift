/// Reads a script line by line into statements, and goes on after an error to find them all.
///
///     script    = { statement }
///     statement = blank-line | arrow-line | command | block
///     command   = name { word | option }
///     block     = name { word | option } "{" newline { statement } "}" newline
///
/// Lines come by `feed`, so that a script from a pipe or a prompt can run statement by statement: a statement is
/// `completed` as soon as its last line has been read.
package struct Parser {
    /// Reads the file that a `source` names: its bytes, or the words why not.
    package typealias Loader = (_ path: String) -> Result<[UInt8], LoadFailure>

    /// Why a file could not be read.
    package struct LoadFailure: Error {
        package let message: String

        package init(message: String) {
            self.message = message
        }
    }

    /// The errors so far, in the order of the lines.
    package private(set) var errors: [ScriptError] = []
    /// The statements that are whole and were not taken yet.
    package private(set) var completed: [Statement] = []

    private let source: SourceText
    private let commands: CommandTable
    private let load: Loader
    /// The files being read, outermost first: none of them may be included again.
    private let including: [String]
    private var openBlocks: [OpenBlock] = []
    /// The first line of a command that its last `\` continues.
    private var continuedFrom: Int?

    /// How deep blocks may be nested: what walks them needs stack for each.
    private static let deepest = 200

    /// A block whose `}` has not come.
    private struct OpenBlock {
        /// Nil when the command was wrong; its block is read all the same.
        let call: CommandCall?
        let range: SourceRange
        var statements: [Statement] = []
    }

    package init(source: SourceText, commands: CommandTable, load: @escaping Loader) {
        self.init(source: source, commands: commands, load: load, including: [source.name])
    }

    private init(source: SourceText, commands: CommandTable, load: @escaping Loader, including: [String]) {
        self.source = source
        self.commands = commands
        self.load = load
        self.including = including
    }

    /// Whether the lines so far end inside a statement: more must come.
    package var isInsideStatement: Bool { !openBlocks.isEmpty || continuedFrom != nil }

    /// Reads the next line.
    package mutating func feed(_ line: [UInt8]) {
        source.append(line: line)
        parseLine(isLast: false)
    }

    /// Tells that no more lines come: what is open is an error.
    package mutating func finish() {
        if continuedFrom != nil { parseLine(isLast: true) }
        for block in openBlocks.reversed() {
            errors.append(
                ScriptError(block.range, "this block is not closed", hint: "close it with '}' on a line of its own"))
        }
        // What is in them never runs, and is checked all the same.
        completed += openBlocks.flatMap(\.statements)
        openBlocks = []
    }

    /// Hands over the statements that are whole.
    package mutating func takeCompleted() -> [Statement] {
        defer { completed = [] }
        return completed
    }

    /// Forgets the open blocks and the errors, for a prompt that gives up what was typed.
    package mutating func reset() {
        openBlocks = []
        continuedFrom = nil
        errors = []
        completed = []
    }

    private mutating func parseLine(isLast: Bool) {
        let number = continuedFrom ?? source.lines.count
        let line = SourceRange(source: source, line: number, columns: 0..<0)
        do {
            try parseStatement(line)
            continuedFrom = nil
        } catch let error as ScriptError {
            errors.append(error)
            continuedFrom = nil
        } catch {
            // Lexer.NeedsNextLine: the line goes on.
            continuedFrom = number
            if isLast {
                errors.append(ScriptError(line.at(0..<0), "the line ends in '\\', but no line follows it"))
                continuedFrom = nil
            }
        }
    }

    private mutating func parseStatement(_ line: SourceRange) throws {
        let text = line.lineText
        let start = text.firstIndex { !isBlank($0) } ?? text.count
        guard start < text.count, text[start] != UInt8(ascii: "#") else { return }
        if text[start] == UInt8(ascii: "}") { return try closeBlock(line, start: start) }
        if let arrow = ArrowParser(line: line, start: start) {
            add(.arrow(try arrow.parse()))
        } else {
            try parseCommand(line, start: start)
        }
    }

    private mutating func parseCommand(_ line: SourceRange, start: Int) throws {
        var lexer = Lexer(source: source, line: line.line, index: start, lastLine: source.lines.count)
        guard let word = try lexer.next(allowsRegex: false) else { return }
        guard let name = word.bareLiteral else {
            throw ScriptError(word.range, "a line begins with a command or a session's arrow")
        }
        guard let description = commands[name] else {
            openBlockIfAny(after: lexer, range: word.range)
            throw unknownCommand(name, word.range, lexer)
        }
        let range = line.at(start..<line.lineText.count)
        var parser = CommandParser(description: description, lexer: lexer, range: range)
        let parsed: (call: CommandCall, ending: CommandParser.Ending)
        do {
            parsed = try parser.parse()
        } catch let error as ScriptError {
            openBlockIfAny(after: lexer, range: word.range)
            throw error
        }
        switch parsed.ending {
        case .plain: add(.command(try including(parsed.call)))
        case .block:
            let isTooDeep = openBlocks.count >= Self.deepest
            openBlocks.append(OpenBlock(call: isTooDeep ? nil : parsed.call, range: word.range))
            if openBlocks.count == Self.deepest + 1 {
                throw ScriptError(word.range, "blocks are nested too deep; \(Self.deepest) is the limit")
            }
        }
    }

    /// A wrong command that ends in `{` still opens a block, so that its `}` is no second error.
    private mutating func openBlockIfAny(after lexer: Lexer, range: SourceRange) {
        let text = source.lines[source.lines.count - 1]
        var lexer = lexer
        var last: Word?
        while let word = try? lexer.next(allowsRegex: false) { last = word }
        if last?.bareLiteral == "{" || text.suffix(2).elementsEqual(" {".utf8) {
            openBlocks.append(OpenBlock(call: nil, range: range))
        }
    }

    private func unknownCommand(_ name: String, _ range: SourceRange, _ lexer: Lexer) -> ScriptError {
        var next = lexer
        if let arrow = try? next.next(allowsRegex: false)?.bareLiteral,
            "<>".contains(arrow.prefix(1)) || name.hasSuffix(",")
        {
            return ScriptError(
                range, "no command and no arrow line: '\(name)'",
                hint: "an arrow line has no blank before its arrow and one behind it: a,b> text")
        }
        if let nearest = commands.nearest(to: name) {
            return ScriptError(range, "unknown command '\(name)'", hint: "did you mean '\(nearest)'?")
        }
        return ScriptError(
            range, "unknown command '\(name)'",
            hint: "to send a line to a session, write 'NAME> text'; 'help' lists the commands")
    }

    private mutating func closeBlock(_ line: SourceRange, start: Int) throws {
        var lexer = Lexer(source: source, line: line.line, index: start + 1, lastLine: source.lines.count)
        guard let block = openBlocks.popLast() else {
            throw ScriptError(line.at(start..<start + 1), "'}' closes no block")
        }
        if var call = block.call {
            call.block = block.statements
            add(.command(call))
        }
        if let word = try lexer.next(allowsRegex: false) {
            throw ScriptError(word.range, "'}' stands alone on its line")
        }
    }

    private mutating func add(_ statement: Statement) {
        if openBlocks.isEmpty {
            completed.append(statement)
        } else {
            openBlocks[openBlocks.count - 1].statements.append(statement)
        }
    }

    /// Reads the file that a command includes; its statements become the command's block.
    private mutating func including(_ call: CommandCall) throws(ScriptError) -> CommandCall {
        guard let word = call.includedScript, let text = word.template.literalText else { return call }
        let path = text.hasPrefix("/") || source.directory.isEmpty ? text : source.directory + "/" + text
        guard !including.contains(path) else {
            throw ScriptError(word.range, "'\(text)' includes itself")
        }
        switch load(path) {
        case .failure(let failure):
            throw ScriptError(word.range, "cannot read '\(text)': \(failure.message)")
        case .success(let bytes):
            var parser = Parser(
                source: SourceText(name: path, directory: directory(of: path)), commands: commands, load: load,
                including: including + [path])
            for line in SourceText.lines(of: bytes) { parser.feed(line) }
            parser.finish()
            errors += parser.errors
            var call = call
            call.block = parser.completed
            return call
        }
    }
}

/// The part of `path` before its last slash; empty when it has none.
package func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

extension CommandCall {
    /// The word that names a script to read into this place, or nil.
    fileprivate var includedScript: Word? {
        for form in description.forms {
            for case .parameter(let parameter) in form.elements {
                if case .script = parameter.kind { return word(parameter.name) }
            }
        }
        return nil
    }
}
