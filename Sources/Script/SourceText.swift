/// The text of one script, line by line: from a file, a pipe, `-c` or the prompt.
///
/// Errors refer to it, and errors must be Sendable; these programs are single-threaded.
package final class SourceText: @unchecked Sendable {
    /// The path as given, or `<stdin>`, `<command>` or `<prompt>`.
    package let path: [UInt8]
    /// The name used in diagnostics: the path in visible form.
    package let name: String
    /// The base directory of relative `source` paths in the text; empty for the working directory.
    package let directory: [UInt8]
    /// The `source` that includes the text, or nil.
    package let includedAt: SourceRange?
    /// Identifies the file, independently of the path used to open it; nil for a text that is not a file.
    package let identity: String?
    /// The lines without their endings; line 1 is at index 0.
    package private(set) var lines: [[UInt8]] = []
    /// The lines that contain a secret, by number, each with the number of leading bytes that may be shown.
    private var secretLines: [Int: Int] = [:]

    /// Creates a text that is not a file.
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

    /// Adds a line; a trailing carriage return belongs to the line ending.
    package func append(line: [UInt8]) {
        lines.append(line.last == UInt8(ascii: "\r") ? Array(line.dropLast()) : line)
    }

    /// Hides these lines, numbered from 1, if their statement defines a secret: errors and notes then show only the
    /// command's name, and `--secret` if it follows directly.
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

    /// Returns a line, numbered from 1, with secrets hidden.
    package func shownLine(_ number: Int) -> [UInt8] {
        guard lines.indices.contains(number - 1) else { return [] }
        let line = lines[number - 1]
        return secretLines[number].map { line.prefix($0) + Array(" …".utf8) } ?? line
    }

    /// Splits a whole file into lines.
    package static func lines(of bytes: [UInt8]) -> [[UInt8]] {
        // A byte order mark is not part of the text.
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }
}

/// A position in a script: a range of bytes in one line.
package struct SourceRange: Sendable {
    package let source: SourceText
    /// The line number, starting at 1.
    package let line: Int
    /// The byte range in the line, starting at 0; empty for a point.
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

    /// The text of the whole line, with secrets hidden.
    package var shownText: [UInt8] { source.shownLine(line) }

    /// The statement, from its first to its last byte in the line, with secrets hidden.
    package var shownStatement: [UInt8] {
        let text = shownText
        return Array(
            text[min(columns.lowerBound, text.count)..<min(max(columns.upperBound, columns.lowerBound), text.count)])
    }

    /// The column in characters, starting at 1.
    package var characterColumn: Int {
        String(decoding: lineText.prefix(columns.lowerBound), as: UTF8.self).unicodeScalars.count + 1
    }

    /// `file:line:column`, as compilers write it.
    package var description: String {
        "\(source.name):\(line):\(characterColumn)"
    }

    /// Returns a range of `count` bytes that begins `offset` bytes after the start of this range.
    package func shifted(by offset: Int, count: Int) -> SourceRange {
        SourceRange(
            source: source, line: line, columns: columns.lowerBound + offset..<columns.lowerBound + offset + count)
    }
}

extension [UInt8] {
    /// Returns the index of the first occurrence of `pattern`, which has one or more bytes, or nil.
    func firstIndex(ofRun pattern: [UInt8]) -> Int? {
        var index = startIndex
        while let found = self[index...].firstIndex(of: pattern[0]) {
            if self[found...].starts(with: pattern) { return found }
            index = found + 1
        }
        return nil
    }
}
