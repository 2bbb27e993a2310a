/// The text of one script as it was read, line by line: a file, a pipe, the lines of `-c` or what is typed.
///
/// Errors carry it, and errors must be Sendable; these programs have one thread.
package final class SourceText: @unchecked Sendable {
    /// The path as given, `<stdin>`, `<command>` or `<prompt>`.
    package let path: [UInt8]
    /// What diagnostics call it: the path, made visible.
    package let name: String
    /// The directory that a relative `source` inside it begins at; empty for the working directory.
    package let directory: [UInt8]
    /// The `source` that reads it, or nil.
    package let includedAt: SourceRange?
    /// What makes the file this one, whatever path leads to it; nil for a text that is not a file.
    package let identity: String?
    /// The lines without their endings; line 1 is at index 0.
    package private(set) var lines: [[UInt8]] = []
    /// The lines that tell a secret, each with how many of its bytes may be shown.
    private var secretLines: [Int: Int] = [:]

    /// A text that is not a file.
    package convenience init(name: String) {
        self.init(path: Array(name.utf8), directory: [])
    }

    package init(
        path: [UInt8], directory: [UInt8], includedAt: SourceRange? = nil, identity: String? = nil
    ) {
        self.identity = identity
        self.path = path
        name = Escapes.visible(path)
        self.directory = directory
        self.includedAt = includedAt
    }

    /// Adds a line; a carriage return at its end belongs to the ending.
    package func append(line: [UInt8]) {
        lines.append(line.last == UInt8(ascii: "\r") ? Array(line.dropLast()) : line)
    }

    /// Looks whether the statement of these lines, counted from 1, makes a secret: then neither errors nor notes show more
    /// of them than the command's name.
    func hideSecret(in numbers: ClosedRange<Int>) {
        guard numbers.contains(where: { lines[$0 - 1].firstIndex(ofRun: Self.secretOption) != nil }) else { return }
        for number in numbers { secretLines[number] = 0 }
        let first = lines[numbers.lowerBound - 1]
        let start = first.firstIndex { !isBlank($0) } ?? 0
        let name = first[start...].firstIndex(where: isBlank) ?? first.count
        let option = first[name...].firstIndex { !isBlank($0) } ?? first.count
        let isNext = first[option...].starts(with: Self.secretOption)
        secretLines[numbers.lowerBound] = isNext ? option + Self.secretOption.count : name
    }

    private static let secretOption = Array("--secret".utf8)

    /// A line, counted from 1, as it may be shown.
    package func shownLine(_ number: Int) -> [UInt8] {
        guard lines.indices.contains(number - 1) else { return [] }
        let line = lines[number - 1]
        return secretLines[number].map { line.prefix($0) + Array(" …".utf8) } ?? line
    }

    /// Splits a whole file into lines.
    package static func lines(of bytes: [UInt8]) -> [[UInt8]] {
        // A byte order mark is no part of the text.
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }
}

/// A place in a script: some bytes of one line.
package struct SourceRange: Sendable {
    package let source: SourceText
    /// The line, counted from 1.
    package let line: Int
    /// The bytes of the line, counted from 0; empty for a point.
    package let columns: Range<Int>

    package init(source: SourceText, line: Int, columns: Range<Int>) {
        self.source = source
        self.line = line
        self.columns = columns
    }

    /// The text of the whole line.
    package var lineText: [UInt8] {
        source.lines.indices.contains(line - 1) ? source.lines[line - 1] : []
    }

    /// The text of the whole line as it may be shown: without secrets.
    package var shownText: [UInt8] { source.shownLine(line) }

    /// The statement, from its first to its last byte in the line, as it may be shown.
    package var shownStatement: [UInt8] {
        let text = shownText
        return Array(
            text[min(columns.lowerBound, text.count)..<min(max(columns.upperBound, columns.lowerBound), text.count)])
    }

    /// The column a person counts: characters, from 1.
    package var characterColumn: Int {
        String(decoding: lineText.prefix(columns.lowerBound), as: UTF8.self).unicodeScalars.count + 1
    }

    /// `file:line:column`, as compilers write it.
    package var description: String {
        "\(source.name):\(line):\(characterColumn)"
    }

    /// `count` columns that begin `offset` bytes further right.
    package func shifted(by offset: Int, count: Int) -> SourceRange {
        SourceRange(
            source: source, line: line, columns: columns.lowerBound + offset..<columns.lowerBound + offset + count)
    }
}

extension [UInt8] {
    /// Where `pattern`, of one or more bytes, first stands; nil when it does not.
    func firstIndex(ofRun pattern: [UInt8]) -> Int? {
        var index = startIndex
        while let found = self[index...].firstIndex(of: pattern[0]) {
            if self[found...].starts(with: pattern) { return found }
            index = found + 1
        }
        return nil
    }
}
