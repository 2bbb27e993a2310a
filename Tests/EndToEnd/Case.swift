import Foundation

/// One case of Cases/: files, a command line, and the expected results.
///
///     === args            the arguments, separated by blanks (default: script.mux)
///     === file NAME       a file in the working directory
///     === stdin           the text piped into it (default: nothing)
///     === env             NAME=VALUE lines
///     === certificates    the files of Certificates in the working directory
///     === server NAME     a peer, one line for each of its steps; {NAME} is replaced by its port
///     === out             standard output
///     === err             standard error
///     === status          the exit status (default: 0)
///
/// In the output, <PORT> represents a port, <TIME> a time, <PID> a process ID, <*> any text within a line, and a line <**> any lines.
struct Case: CustomTestStringConvertible {
    /// The result of a run: output, status, and the files that the case checks, by name.
    struct Result {
        let out: String
        let err: String
        let status: Int
        let files: [String: String]
    }

    let name: String
    private let url: URL
    private var sections: [(title: String, text: String)] = []

    init(contentsOf url: URL) throws {
        self.url = url
        name = url.deletingPathExtension().lastPathComponent
        var lines: [String] = []
        var title: String?
        func close() {
            if let title { sections.append((title, lines.map { $0 + "\n" }.joined())) }
            lines = []
        }
        for line in try String(contentsOf: url, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false
        ).dropLast() {
            if line.hasPrefix("=== ") {
                close()
                title = String(line.dropFirst(4))
            } else {
                lines.append(String(line))
            }
        }
        close()
    }

    var testDescription: String { name }

    /// The text of a section, or nil.
    subscript(title: String) -> String? {
        sections.first { $0.title == title }?.text
    }

    /// Returns the sections whose title begins with `kind`, with the rest of their titles.
    func all(_ kind: String) -> [(name: String, text: String)] {
        sections.filter { $0.title.hasPrefix(kind + " ") }.map { (String($0.title.dropFirst(kind.count + 1)), $0.text) }
    }

    /// Returns the case with the result as the expected one. A line with `<*>` that still matches is kept.
    func blessed(with result: Result) -> Case {
        var blessed = self
        func set(_ title: String, _ text: String) {
            let index = blessed.sections.firstIndex { $0.title == title }
            let kept = index.map { keepingWildcards(of: blessed.sections[$0].text, in: text) } ?? text
            switch (index, text.isEmpty) {
            case (let index?, false): blessed.sections[index].text = kept
            case (let index?, true): blessed.sections.remove(at: index)
            case (nil, false): blessed.sections.append((title, kept))
            case (nil, true): break
            }
        }
        set("out", result.out)
        set("err", result.err)
        set("status", result.status == 0 ? "" : "\(result.status)\n")
        for (name, text) in result.files { set("wrote " + name, text) }
        return blessed
    }

    /// Writes the case to its file.
    func write() throws {
        try sections.map { "=== \($0.title)\n\($0.text)" }.joined().write(to: url, atomically: true, encoding: .utf8)
    }

    /// Returns all cases, sorted by name.
    static func load() throws -> [Case] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "case" }.map { try Case(contentsOf: $0) }.sorted {
            $0.name < $1.name
        }
    }
}

import Testing

/// Returns `text` with everything that changes from run to run in the notation of the cases.
func normalized(_ text: String) -> String {
    var text = text
    for (pattern, replacement) in [
        (#"(127\.0\.0\.1|localhost|\[::1\]):\d{4,5}\b"#, "$1:<PORT>"),
        (#" in \d+\.\d (ms|s)\b"#, " in <TIME>"),
        (#" met after \d+\.\d (ms|s)\b"#, " met after <TIME>"),
        (#"\+\d+\.\d{3} "#, "+<TIME> "),
        (#"\b(process|pid) \d+\b"#, "$1 <PID>"),
        (#"(?m)^ +\d+\.\d{3} (?=[#a-z])"#, "<TIME> "),
    ] {
        text = text.replacingOccurrences(of: pattern, with: replacement, options: .regularExpression)
    }
    return text
}

/// Whether `text` matches `expected`, in which `<*>` represents any text within a line.
func matches(_ text: String, _ expected: String) -> Bool {
    let (lines, wanted) = (
        text.split(separator: "\n", omittingEmptySubsequences: false),
        expected.split(separator: "\n", omittingEmptySubsequences: false)
    )
    // A line `<**>` stands for any number of lines.
    if let gap = wanted.firstIndex(of: "<**>") {
        let (before, after) = (wanted[..<gap], wanted[(gap + 1)...])
        guard lines.count >= before.count + after.count else { return false }
        return matches(lines[..<before.count].joined(separator: "\n"), before.joined(separator: "\n"))
            && matches(lines.suffix(after.count).joined(separator: "\n"), after.joined(separator: "\n"))
    }
    guard lines.count == wanted.count else { return false }
    return zip(lines, wanted).allSatisfy { line, wanted in
        let pieces = wanted.components(separatedBy: "<*>")
        guard pieces.count > 1 else { return line == wanted }
        let pattern = pieces.map { NSRegularExpression.escapedPattern(for: $0) }.joined(separator: ".*")
        return String(line).range(of: "^" + pattern + "$", options: .regularExpression) != nil
    }
}

/// Returns `text` with the lines of `old` that contain `<*>` in place of those that they still match, in the same
/// order.
private func keepingWildcards(of old: String, in text: String) -> String {
    let (wanted, lines) = (
        old.split(separator: "\n", omittingEmptySubsequences: false).map(String.init),
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    )
    // The length of the longest common subsequence from each pair of positions to the ends.
    var common = Array(repeating: Array(repeating: 0, count: lines.count + 1), count: wanted.count + 1)
    for row in wanted.indices.reversed() {
        for column in lines.indices.reversed() {
            common[row][column] =
                matches(lines[column], wanted[row])
                ? common[row + 1][column + 1] + 1 : max(common[row + 1][column], common[row][column + 1])
        }
    }
    var kept: [String] = []
    var row = 0
    for (column, line) in lines.enumerated() {
        while row < wanted.count, common[row + 1][column] == common[row][column] { row += 1 }
        let isKept = row < wanted.count && matches(line, wanted[row]) && common[row][column] > common[row][column + 1]
        kept.append(isKept ? wanted[row] : line)
        if isKept { row += 1 }
    }
    return kept.joined(separator: "\n")
}
