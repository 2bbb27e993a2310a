/// Splits a command line, including its continuation lines, into arguments.
///
///     line     = { blank } { argument blank { blank } } [ comment ]
///     argument = bare | '"' { character | escape } '"' | "'" { character } "'" | '/' { character } '/' { flag }
///     comment  = '#' where an argument could begin, to the end of the line
///     heredoc  = "<<" mark | "<<'" mark "'", the last argument; its text ends at a line that is exactly the mark
///     '\' as the last character of a line: the next line continues this one
struct Lexer {
    /// The command continues on a line that has not been read.
    struct NeedsMoreLines: Error {
        /// The line that ends a heredoc, or nil if any next line continues the command.
        let mark: [UInt8]?
    }

    private let source: SourceText
    private let lastLine: Int
    private(set) var line: Int
    private var text: [UInt8]
    private var index: Int

    /// Starts at byte `index` of `line`; the lines up to and including `lastLine` have been read.
    init(source: SourceText, line: Int, index: Int, lastLine: Int) {
        self.source = source
        self.line = line
        self.lastLine = lastLine
        self.index = index
        text = source.lines[line - 1]
    }

    /// The position of the next character, as an empty range.
    var position: SourceRange {
        SourceRange(source: source, line: line, columns: min(index, text.count)..<min(index, text.count))
    }

    /// Returns the next argument, or nil at the end. With `allowsRegex`, an argument that begins with `/` is a regex; with
    /// `allowsShift`, a `<<` followed by a blank is an operator and no heredoc.
    mutating func next(allowsRegex: Bool, allowsShift: Bool = false) throws -> Argument? {
        guard try skipBlanks() else { return nil }
        switch text[index] {
        case UInt8(ascii: "\""): return try quoted(by: UInt8(ascii: "\""))
        case UInt8(ascii: "'"): return try quoted(by: UInt8(ascii: "'"))
        case UInt8(ascii: "/") where allowsRegex: return try regex()
        case UInt8(ascii: "<") where text[index...].starts(with: "<<".utf8):
            let isShift = allowsShift && index + 2 < text.count && isBlank(text[index + 2])
            return isShift ? try bare() : try heredoc()
        default: return try bare()
        }
    }

    /// Moves to the next argument, across continuations; returns false at the end or at a comment.
    private mutating func skipBlanks() throws -> Bool {
        while true {
            while index < text.count, isBlank(text[index]) { index += 1 }
            if index == text.count || text[index] == UInt8(ascii: "#") { return false }
            guard text[index] == UInt8(ascii: "\\"), index + 1 == text.count else { return true }
            guard line < lastLine else { throw NeedsMoreLines(mark: nil) }
            line += 1
            text = source.lines[line - 1]
            index = 0
        }
    }

    /// Whether a line of a command continues on the next line, judging by its arguments alone.
    ///
    /// A regex that contains a blank or a quote can make the result wrong; the command is then parsed once too often,
    /// or its error is reported one line late. Parsing the command again for each of its lines would take quadratic
    /// time.
    static func continues(_ text: [UInt8]) -> Bool {
        guard text.last == UInt8(ascii: "\\") else { return false }
        var index = 0
        while true {
            while index < text.count, isBlank(text[index]) { index += 1 }
            guard index < text.count, text[index] != UInt8(ascii: "#") else { return false }
            if index == text.count - 1 { return true }
            let quote = text[index]
            if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
                index += 1
                let isDouble = quote == UInt8(ascii: "\"")
                while index < text.count, text[index] != quote {
                    index += isDouble && text[index] == UInt8(ascii: "\\") ? 2 : 1
                }
                guard index < text.count else { return false }
                index += 1
            } else {
                while index < text.count, !isBlank(text[index]) {
                    if text[index] == UInt8(ascii: "\\"), index == text.count - 1 { return true }
                    index += text[index] == UInt8(ascii: "\\") ? 2 : 1
                }
            }
        }
    }

    private mutating func bare() throws -> Argument {
        let start = index
        var depth = 0
        while index < text.count, depth > 0 || !isBlank(text[index]) {
            switch text[index] {
            case UInt8(ascii: "\\") where index + 1 == text.count: return try bareArgument(from: start)
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "$") where index + 1 < text.count && text[index + 1] == UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}") where depth > 0: depth -= 1
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                if depth > 0 { break }
                throw ScriptError(
                    range(index..<index + 1), "unexpected quote inside an argument",
                    hint: "quote the whole argument, or put a space before the quote")
            default: break
            }
            index += 1
        }
        index = min(index, text.count)
        return try bareArgument(from: start)
    }

    private func bareArgument(from start: Int) throws(ScriptError) -> Argument {
        let template = try Template(
            parsing: Array(text[start..<index]), notation: .bare, at: position, offset: start)
        return Argument(style: .bare, template: template, range: range(start..<index))
    }

    private mutating func quoted(by quote: UInt8) throws -> Argument {
        let start = index
        let isDouble = quote == UInt8(ascii: "\"")
        index += 1
        while index < text.count, text[index] != quote {
            index += isDouble && text[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard index < text.count else {
            index = text.count
            throw ScriptError(range(start..<text.count), "unterminated quote")
        }
        index += 1
        let inside = Array(text[(start + 1)..<(index - 1)])
        try requireBlank(after: "a closing quote")
        let template =
            isDouble
            ? try Template(parsing: inside, notation: .escapes, at: position, offset: start + 1) : Template(inside)
        return Argument(
            style: isDouble ? .doubleQuoted : .singleQuoted, template: template, range: range(start..<index))
    }

    private mutating func regex() throws -> Argument {
        let start = index
        index += 1
        // An expansion that is not closed is reported later; to look for its end again and again would take long.
        var isClosed = true
        while index < text.count, text[index] != UInt8(ascii: "/") {
            if isClosed, text[index...].starts(with: "${".utf8) {
                let end = Expansion.end(in: text, from: index)
                isClosed = end != nil
                index = end ?? index + 2
            } else {
                index += text[index] == UInt8(ascii: "\\") ? 2 : 1
            }
        }
        guard index < text.count else {
            index = text.count
            throw ScriptError(
                range(start..<text.count), "unterminated regex",
                hint: "close it with '/', or quote it to search for the text")
        }
        let inside = Array(text[(start + 1)..<index])
        index += 1
        let flagStart = index
        while index < text.count, !isBlank(text[index]) { index += 1 }
        let flags = String(decoding: text[flagStart..<index], as: UTF8.self)
        if let unknown = flags.first(where: { !"ims".contains($0) }) {
            throw ScriptError(
                range(flagStart..<index), "unknown regex flag '\(unknown)'; the flags are i, m and s",
                hint: "write '\\/' for a slash inside a regex")
        }
        let template = try Template(parsing: inside, notation: .regex, at: position, offset: start + 1)
        return Argument(style: .regex(flags: flags), template: template, range: range(start..<index))
    }

    private mutating func heredoc() throws -> Argument {
        let start = index
        var mark = Array(text[(start + 2)...].prefix { !isBlank($0) })
        index += 2 + mark.count
        let range = range(start..<index)
        let quote = UInt8(ascii: "'")
        let isQuoted = mark.count > 2 && mark.first == quote && mark.last == quote
        if isQuoted { mark = Array(mark.dropFirst().dropLast()) }
        guard !mark.isEmpty, mark.allSatisfy(isNameByte) else {
            throw ScriptError(
                range, "expected a name after '<<'", hint: "write <<END; the text ends with a line that is exactly END")
        }
        guard text[index...].first(where: { !isBlank($0) }) ?? UInt8(ascii: "#") == UInt8(ascii: "#") else {
            throw ScriptError(
                range, "a heredoc must be the last argument of its line", hint: "put the other arguments before it")
        }
        let template = try heredocText(until: mark, isQuoted: isQuoted)
        return Argument(style: .heredoc, template: template, range: range)
    }

    /// Reads the lines up to `mark` and moves past it.
    private mutating func heredocText(until mark: [UInt8], isQuoted: Bool) throws -> Template {
        guard let end = source.lines[line..<lastLine].firstIndex(of: mark) else { throw NeedsMoreLines(mark: mark) }
        var template = Template()
        for number in line..<end {
            let bytes = source.lines[number]
            let position = SourceRange(source: source, line: number + 1, columns: 0..<bytes.count)
            template.append(
                isQuoted ? Template(bytes) : try Template(parsing: bytes, notation: .escapes, at: position, offset: 0))
            template.append([UInt8(ascii: "\n")])
        }
        line = end + 1
        text = mark
        index = mark.count
        return template
    }

    private func requireBlank(after what: String) throws(ScriptError) {
        guard index < text.count, !isBlank(text[index]) else { return }
        throw ScriptError(range(index..<index + 1), "expected a space after \(what)")
    }

    private func range(_ columns: Range<Int>) -> SourceRange {
        SourceRange(source: source, line: line, columns: columns)
    }
}

/// Whether `byte` separates arguments.
func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
}
