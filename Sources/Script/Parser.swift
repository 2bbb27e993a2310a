/// Parses a script line by line into statements and continues after an error to find all errors.
///
///     script     = { statement }
///     statement  = blank-line | arrow-line | command | block | invocation
///     command    = name { argument | option } newline
///     block      = name { argument | option } "{" newline { statement | row } "}"
///                  { "else if" condition body } [ "else" body ] newline
///     row        = { argument } body            (the branches of select and parallel)
///     body       = "{" newline { statement } "}"
///     invocation = defined-name { argument } newline
///
/// Lines arrive through `feed`, so a script from a pipe or a prompt can run statement by statement: a statement is in
/// `completed` as soon as its last line has been read.
package struct Parser {
    /// Reads the file named by `source`; returns the file, or the reason why it could not be read.
    package typealias Loader = (_ path: [UInt8]) -> Result<LoadedFile, LoadFailure>

    /// A file that was read.
    package struct LoadedFile {
        package let bytes: [UInt8]
        /// Identifies the file, independently of the path used to open it.
        package let identity: String

        package init(bytes: [UInt8], identity: String) {
            self.bytes = bytes
            self.identity = identity
        }
    }

    /// The reason why a file could not be read.
    package struct LoadFailure: Error {
        package let message: String

        package init(message: String) {
            self.message = message
        }
    }

    /// The errors so far, in the order of the lines.
    package internal(set) var errors: [ScriptError] = []
    /// The complete statements that have not been taken yet.
    package private(set) var completed: [Statement] = []

    private(set) var source: SourceText
    let commands: CommandTable
    let load: Loader
    /// The identities of the files being read, outermost first; these files may not be included again.
    let including: [String]
    let inclusions: Inclusions
    private var openBlocks: [OpenBlock] = []
    /// The first line of a command that continues on further lines.
    private var continuedFrom: Int?
    /// The line that ends the heredoc being read.
    private var heredocMark: [UInt8]?

    /// The maximum nesting depth of blocks and of included files; code that walks them needs stack for each level.
    private static let deepest = 200
    static let deepestInclusion = 50

    /// The number of files that one script has read. Without a limit, files that each include the next one twice would
    /// be read endlessly.
    final class Inclusions {
        var count = 0
        /// The libraries that it has included.
        var libraries: Set<[UInt8]> = []
        static let maximum = 1000
    }

    /// A block whose `}` has not been read yet.
    private struct OpenBlock {
        /// Nil if the command was invalid; its block is parsed anyway.
        var call: CommandCall?
        let range: SourceRange
        let content: Form.Content
        var part = Part.first
        var statements: [Statement] = []

        /// Which block of the command is being read.
        enum Part {
            case first
            /// After `else if`; nil if its condition was invalid.
            case alternative(CommandCall?)
            /// After `else`.
            case otherwise
        }

        /// Assigns the statements read so far to the current part.
        mutating func closePart() {
            switch part {
            case .first: call?.block = statements
            case .alternative(var alternative):
                alternative?.block = statements
                if let alternative { call?.alternatives.append(alternative) } else { call = nil }
            case .otherwise: call?.otherwise = statements
            }
            statements = []
        }
    }

    package init(source: SourceText, commands: CommandTable, load: @escaping Loader) {
        self.init(
            source: source, commands: commands, load: load, including: source.identity.map { [$0] } ?? [],
            inclusions: Inclusions())
    }

    init(
        source: SourceText, commands: CommandTable, load: @escaping Loader, including: [String], inclusions: Inclusions
    ) {
        self.source = source
        self.commands = commands
        self.load = load
        self.including = including
        self.inclusions = inclusions
    }

    /// Whether the lines so far end inside a statement, so more lines are required.
    package var isInsideStatement: Bool { !openBlocks.isEmpty || continuedFrom != nil }

    /// The number of blocks that the lines so far leave open.
    package var depth: Int { openBlocks.count }

    /// Whether the last line's command, or its heredoc, continues on further lines.
    package var isInsideCommand: Bool { continuedFrom != nil }

    /// Whether parsing has stopped because of too many errors.
    package var hasGivenUp: Bool { errors.count >= ScriptErrors.maxKept }

    /// Parses the next line.
    package mutating func feed(_ line: [UInt8]) {
        guard !hasGivenUp else { return }
        source.append(line: line)
        parseLine(isLast: false)
    }

    /// Ends the script; an unfinished command or open block is an error.
    package mutating func finish() {
        if continuedFrom != nil { parseLine(isLast: true) }
        guard !hasGivenUp else { return }
        for block in openBlocks.reversed() {
            errors.append(
                ScriptError(block.range, "unclosed block", hint: "close it with '}' on a line of its own"))
        }
        // Their statements never run, but are checked anyway.
        for var block in openBlocks {
            block.closePart()
            if let call = block.call { completed.append(.command(call)) }
        }
        openBlocks = []
    }

    /// Returns the complete statements and removes them.
    package mutating func takeCompleted() -> [Statement] {
        defer { completed = [] }
        return completed
    }

    /// Counts lines from here on, for a prompt that begins another entry.
    package mutating func restartLines() {
        if !isInsideStatement { source = SourceText(name: source.name) }
    }

    /// Discards open blocks, statements and errors, for a prompt that discards the typed input.
    package mutating func reset() {
        openBlocks = []
        continuedFrom = nil
        heredocMark = nil
        errors = []
        completed = []
        // Their commands may be lost with the statement.
        inclusions.libraries = []
    }

    private mutating func parseLine(isLast: Bool) {
        // A heredoc is parsed only once, when its mark has been read.
        if let heredocMark, !isLast, source.lines.last != heredocMark { return }
        // Likewise a command that continues on further lines.
        if continuedFrom != nil, heredocMark == nil, !isLast, let line = source.lines.last, Lexer.continues(line) {
            return
        }
        let number = continuedFrom ?? source.lines.count
        source.hideSecret(in: number...source.lines.count)
        let line = SourceRange(source: source, line: number, columns: 0..<0)
        continuedFrom = nil
        heredocMark = nil
        do {
            try parseStatement(line)
        } catch let error as ScriptError {
            errors.append(error)
        } catch let need as Lexer.NeedsMoreLines where !isLast {
            continuedFrom = number
            heredocMark = need.mark
        } catch {
            errors.append(endOfScript(error, line))
        }
    }

    /// Returns the error for a command whose continuation lines are missing.
    private func endOfScript(_ error: any Error, _ line: SourceRange) -> ScriptError {
        guard let mark = (error as? Lexer.NeedsMoreLines)?.mark else {
            return ScriptError(line, "the line ends with '\\', but no line follows")
        }
        let name = String(decoding: mark, as: UTF8.self)
        return ScriptError(line, "unterminated heredoc", hint: "end its text with a line that is exactly \(name)")
    }

    private mutating func parseStatement(_ line: SourceRange) throws {
        let text = line.lineText
        let start = text.firstIndex { !isBlank($0) } ?? text.count
        guard start < text.count, text[start] != UInt8(ascii: "#") else { return }
        if text[start] == UInt8(ascii: "}") { return try closeBlock(line, start: start) }
        if let rows = openRows {
            try parseRow(rows, line, start: start)
        } else if let arrow = ArrowParser(line: line, start: start) {
            add(.arrow(try arrow.parse()))
        } else {
            try parseCommand(line, start: start)
        }
    }

    /// The description of the rows of the innermost block, or nil if its lines are statements.
    private var openRows: CommandDescription? {
        guard let block = openBlocks.last, case .first = block.part else { return nil }
        return block.content.rows
    }

    private mutating func parseRow(_ row: CommandDescription, _ line: SourceRange, start: Int) throws {
        var lexer = Lexer(source: source, line: line.line, index: start, lastLine: source.lines.count)
        if !row.name.isEmpty {
            guard let argument = try lexer.next(allowsRegex: false), argument.bareLiteral == row.name else {
                openBlockIfAny(after: lexer, range: line.at(start..<line.lineText.count))
                throw ScriptError(
                    line.at(start..<line.lineText.count), "only '\(row.name)' blocks are allowed here",
                    hint: "write:\n    \(row.name) {\n        …\n    }")
            }
        } else if ArrowParser(line: line, start: start) != nil {
            openBlockIfAny(after: lexer, range: line.at(start..<line.lineText.count))
            throw ScriptError(
                line.at(start..<line.lineText.count), "expected a branch, not an arrow line",
                hint: "write \(row.usages.joined(separator: "\n    or: "))")
        }
        try parseCall(row, lexer, line.at(start..<line.lineText.count))
    }

    private mutating func parseCommand(_ line: SourceRange, start: Int) throws {
        var lexer = Lexer(source: source, line: line.line, index: start, lastLine: source.lines.count)
        guard let argument = try lexer.next(allowsRegex: false) else { return }
        guard let name = argument.bareLiteral else {
            throw ScriptError(argument.range, "expected a command or an arrow line")
        }
        let range = line.at(start..<line.lineText.count)
        guard let description = commands[name] else { return try parseInvocation(argument, name, lexer, range) }
        try parseCall(description, lexer, range)
    }

    /// Parses the rest of a command; an invalid command still opens its block.
    private mutating func parseCall(_ description: CommandDescription, _ lexer: Lexer, _ range: SourceRange) throws {
        var parser = CommandParser(description: description, lexer: lexer, range: range)
        let place = description.name.isEmpty ? range : range.shifted(by: 0, count: description.name.utf8.count)
        let parsed: (call: CommandCall, ending: CommandParser.Ending)
        do {
            parsed = try parser.parse()
        } catch let error as ScriptError {
            openBlockIfAny(after: lexer, range: place, content: description.forms.first?.content ?? .statements)
            throw error
        }
        switch parsed.ending {
        case .plain: add(.command(try including(parsed.call)))
        case .block:
            let isTooDeep = openBlocks.count >= Self.deepest
            openBlocks.append(
                OpenBlock(call: isTooDeep ? nil : parsed.call, range: place, content: parsed.call.content))
            if openBlocks.count == Self.deepest + 1 {
                throw ScriptError(place, "blocks are nested too deeply (limit \(Self.deepest))")
            }
        }
    }

    /// Parses a line whose first argument is not a built-in command. Whether it is a defined command is known only
    /// after the whole script has been read.
    private mutating func parseInvocation(
        _ argument: Argument, _ name: String, _ lexer: Lexer, _ range: SourceRange
    ) throws {
        var lexer = lexer
        var arguments: [Argument] = []
        let rest = lexer
        do {
            while let argument = try lexer.next(allowsRegex: false) { arguments.append(argument) }
        } catch let error as ScriptError {
            openBlockIfAny(after: rest, range: argument.range)
            throw error
        }
        if arguments.last?.bareLiteral == "{" {
            openBlocks.append(OpenBlock(call: nil, range: argument.range, content: .statements))
            throw unknownCommand(name, argument.range)
        }
        if let arrow = arguments.first?.bareLiteral, ["<", ">"].contains(arrow.prefix(1)) || name.hasSuffix(",") {
            throw ScriptError(
                argument.range, "'\(name)' is neither a command nor an arrow line",
                hint: "write an arrow line without a space before the arrow and with one after it: a,b> text")
        }
        if let option = arguments.first(where: { $0.bareLiteral?.hasPrefix("--") == true }), option.bareLiteral != "--"
        {
            throw ScriptError(
                option.range, "a defined command takes no options", hint: "quote text that begins with --")
        }
        arguments.removeAll { $0.bareLiteral == "--" }
        add(.invocation(Invocation(name: name, nameRange: argument.range, arguments: arguments, range: range)))
    }

    /// Opens a block for an invalid command that ends in `{`, so its `}` does not cause a second error.
    private mutating func openBlockIfAny(
        after lexer: Lexer, range: SourceRange, content: Form.Content = .statements
    ) {
        let text = source.lines[source.lines.count - 1]
        var lexer = lexer
        var last: Argument?
        while let argument = try? lexer.next(allowsRegex: false) { last = argument }
        if last?.bareLiteral == "{" || text.suffix(2).elementsEqual(" {".utf8) {
            openBlocks.append(OpenBlock(call: nil, range: range, content: content))
        }
    }

    private func unknownCommand(_ name: String, _ range: SourceRange) -> ScriptError {
        ScriptError(unknownCommand: name, range, known: commands.names)
    }

    private mutating func closeBlock(_ line: SourceRange, start: Int) throws {
        var lexer = Lexer(source: source, line: line.line, index: start + 1, lastLine: source.lines.count)
        try requireWhole(lexer)
        guard var block = openBlocks.popLast() else {
            throw ScriptError(line.at(start..<start + 1), "unmatched '}'")
        }
        block.closePart()
        guard let argument = try? lexer.next(allowsRegex: false) else { return close(block) }
        guard argument.bareLiteral == "else" else {
            close(block)
            throw ScriptError(argument.range, "'}' must be alone on its line or be followed by 'else'")
        }
        try openElse(of: block, argument, lexer, line.at(argument.range.columns.lowerBound..<line.lineText.count))
    }

    /// Throws if the line continues on lines that have not been read; it is then parsed again as a whole.
    private func requireWhole(_ lexer: Lexer) throws {
        var lexer = lexer
        do {
            while try lexer.next(allowsRegex: false) != nil {}
        } catch let need as Lexer.NeedsMoreLines {
            throw need
        } catch {
            // Invalid arguments are reported when they are parsed.
        }
    }

    private mutating func close(_ block: OpenBlock) {
        if let call = block.call { add(.command(call)) }
    }

    /// Parses the text after `} else`: a `{`, or another condition.
    private mutating func openElse(
        of block: OpenBlock, _ argument: Argument, _ lexer: Lexer, _ range: SourceRange
    ) throws {
        var block = block
        let alternative = block.call?.description.alternative ?? .conditions
        if case .otherwise = block.part {
            block.call = nil
            openBlocks.append(block)
            throw ScriptError(argument.range, "duplicate 'else'")
        }
        guard alternative != .none else {
            block.call = nil
            openBlocks.append(block)
            throw ScriptError(argument.range, "only 'if' and 'try' can have an 'else'")
        }
        var rest = lexer
        let next = try rest.next(allowsRegex: false)
        if next?.bareLiteral == "if", alternative == .conditions {
            try openElseIf(of: block, rest, range)
            return
        }
        block.part = .otherwise
        openBlocks.append(block)
        guard next?.bareLiteral == "{", try rest.next(allowsRegex: false) == nil else {
            throw ScriptError(
                range, "expected '{'" + (alternative == .conditions ? " or 'if'" : "") + " after 'else'",
                hint: "write } else {")
        }
    }

    private mutating func openElseIf(of block: OpenBlock, _ lexer: Lexer, _ range: SourceRange) throws {
        var block = block
        guard let description = block.call?.description ?? commands["if"] else { return }
        var parser = CommandParser(description: description, lexer: lexer, range: range)
        block.part = .alternative(nil)
        defer { openBlocks.append(block) }
        block.part = .alternative(try parser.parse().0)
    }

    private mutating func add(_ statement: Statement) {
        if openBlocks.isEmpty {
            completed.append(statement)
        } else {
            openBlocks[openBlocks.count - 1].statements.append(statement)
        }
    }
}

extension ScriptError {
    /// Creates the error for a line whose first argument is not a command.
    init(unknownCommand name: String, _ range: SourceRange, known: [String]) {
        let nearest = nearestSpelling(of: name, among: known)
        if name == "else" {
            self.init(range, "'else' must follow '}' on the same line", hint: "write } else {")
            return
        }
        let words = String(decoding: range.lineText[range.columns.lowerBound...], as: UTF8.self).split(separator: " ")
        self.init(
            range, "unknown command '\(name)'",
            hint: meantLine(words.map(String.init)).map { "write: \($0)" }
                ?? nearest.map { "did you mean '\($0)'?" }
                ?? "to send a line to a session, write 'NAME> text'; 'help' lists the commands")
    }
}
