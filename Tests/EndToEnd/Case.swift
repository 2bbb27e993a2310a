import Foundation

/// One case of Cases/: files, a command line, and what has to come out.
///
///     === args            the arguments, blanks between (default: script.mux)
///     === file NAME       a file in the working directory
///     === stdin           what is piped into it (default: nothing)
///     === env             NAME=VALUE lines
///     === certificates    the files of Certificates in the working directory
///     === server NAME     a peer: its port stands wherever {NAME} is written; a line for each thing it does
///     === out             standard output
///     === err             standard error
///     === status          the exit status (default: 0)
///
/// In the output ports are written <PORT>, times <TIME>, processes <PID>, and <*> is anything within a line.
struct Case: CustomTestStringConvertible {
    let name: String
    private(set) var sections: [(title: String, text: String)] = []

    init(contentsOf url: URL) throws {
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

    /// The sections whose title begins with a word, with the rest of their titles.
    func all(_ word: String) -> [(name: String, text: String)] {
        sections.filter { $0.title.hasPrefix(word + " ") }.map { (String($0.title.dropFirst(word.count + 1)), $0.text) }
    }

    /// All cases, by name.
    static func load() throws -> [Case] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "case" }.map { try Case(contentsOf: $0) }.sorted {
            $0.name < $1.name
        }
    }
}

import Testing

/// What changes from run to run, in the form that cases write it.
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

/// Whether `text` is `expected`, in which `<*>` stands for anything within a line.
func matches(_ text: String, _ expected: String) -> Bool {
    let (lines, wanted) = (
        text.split(separator: "\n", omittingEmptySubsequences: false),
        expected.split(separator: "\n", omittingEmptySubsequences: false)
    )
    guard lines.count == wanted.count else { return false }
    return zip(lines, wanted).allSatisfy { line, wanted in
        let pieces = wanted.components(separatedBy: "<*>")
        guard pieces.count > 1 else { return line == wanted }
        let pattern = pieces.map { NSRegularExpression.escapedPattern(for: $0) }.joined(separator: ".*")
        return String(line).range(of: "^" + pattern + "$", options: .regularExpression) != nil
    }
}
