/// The text of one script as it was read, line by line: a file, a pipe, the lines of `-c` or what is typed.
///
/// Errors carry it, and errors must be Sendable; these programs have one thread.
package final class SourceText: @unchecked Sendable {
    /// What diagnostics call it: the path as given, `<stdin>`, `<command>` or `<prompt>`.
    package let name: String
    /// The directory that a relative `source` inside it begins at; empty for the working directory.
    package let directory: String
    /// The `source` that reads it, or nil.
    package let includedAt: SourceRange?
    /// The lines without their endings; line 1 is at index 0.
    package private(set) var lines: [[UInt8]] = []

    package init(name: String, directory: String = "", includedAt: SourceRange? = nil) {
        self.name = name
        self.directory = directory
        self.includedAt = includedAt
    }

    /// Adds a line; a carriage return at its end belongs to the ending.
    package func append(line: [UInt8]) {
        lines.append(line.last == UInt8(ascii: "\r") ? Array(line.dropLast()) : line)
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
