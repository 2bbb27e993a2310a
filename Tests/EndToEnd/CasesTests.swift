import Foundation
import TestSupport
import Testing

/// Every case of Cases/ produces its expected output, errors and status.
///
/// `scripts/cases` passes the names of the cases to run in MUXSH_CASES, and sets MUXSH_BLESS to rewrite them with the
/// actual results.
struct CasesTests {
    static let cases: [Case] = ((try? Case.load()) ?? []).filter { selected.isEmpty || selected.contains($0.name) }

    private static let environment = ProcessInfo.processInfo.environment
    private static let selected = Set((environment["MUXSH_CASES"] ?? "").split(separator: " ").map(String.init))
    private static let isBlessing = environment["MUXSH_BLESS"] != nil

    @Test func thereAreCases() {
        #expect(Self.cases.count > (Self.selected.isEmpty ? 50 : 0))
    }

    @Test(arguments: cases)
    func gives(_ example: Case) throws {
        let result = try Self.run(example)
        guard !Self.isBlessing else { return try example.blessed(with: result).write() }
        #expect(matches(result.out, example["out"] ?? ""), "standard output of \(example.name):\n\(result.out)")
        #expect(matches(result.err, example["err"] ?? ""), "standard error of \(example.name):\n\(result.err)")
        #expect(String(result.status) == (example["status"] ?? "0").trimmingCharacters(in: .whitespacesAndNewlines))
        for (name, text) in example.all("wrote") {
            let written = result.files[name] ?? ""
            #expect(matches(written, text), "\(name) of \(example.name):\n\(written)")
        }
    }

    /// A blessed case expects the actual results. `<*>` is kept where it still matches, and empty sections are removed.
    @Test func aBlessedCaseKeepsItsWildcards() throws {
        let folder = try Program.Folder()
        let file = folder.url.appendingPathComponent("x.case")
        try "=== file a.mux\nlist\n=== out\nold\nage <*> s\n<*>\n=== err\ngone\n".write(
            to: file, atomically: true, encoding: .utf8)
        let result = Case.Result(out: "new\nage 5 s\nmore\n", err: "", status: 4, files: [:])
        try Case(contentsOf: file).blessed(with: result).write()
        let blessed = try String(contentsOf: file, encoding: .utf8)
        #expect(blessed == "=== file a.mux\nlist\n=== out\nnew\nage <*> s\n<*>\n=== status\n4\n")
    }

    /// Runs a case and returns its result, normalized.
    private static func run(_ example: Case) throws -> Case.Result {
        let folder = try Program.Folder()
        var servers: [(name: String, server: FakeServer)] = []
        for (name, steps) in example.all("server") { servers.append((name, try FakeServer(steps))) }
        defer { for (_, server) in servers { server.end() } }
        func filled(_ text: String) -> String {
            servers.reduce(text) { $0.replacingOccurrences(of: "{\($1.name)}", with: String($1.server.port)) }
        }
        for (name, text) in example.all("file") {
            let file = folder.url.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try filled(text).write(to: file, atomically: true, encoding: .utf8)
        }
        if example["certificates"] != nil {
            let source = try #require(Certificates.folder)
            for name in try FileManager.default.contentsOfDirectory(atPath: source.path) {
                try FileManager.default.copyItem(
                    at: source.appendingPathComponent(name), to: folder.url.appendingPathComponent(name))
            }
        }
        var environment: [String: String] = [:]
        for line in (example["env"] ?? "").split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            environment[parts[0]] = parts[1]
        }
        let outcome = try Program.run(
            "muxsh", arguments(filled(example["args"] ?? "script.mux")), in: folder,
            stdin: filled(example["stdin"] ?? ""),
            environment: environment)
        var files: [String: String] = [:]
        for (name, _) in example.all("wrote") {
            files[name] = normalized(
                try String(contentsOf: folder.url.appendingPathComponent(name), encoding: .utf8))
        }
        return Case.Result(
            out: normalized(outcome.out), err: normalized(outcome.err), status: Int(outcome.status), files: files)
    }

    /// Returns the arguments of a case: blanks and line breaks separate them, quotes group them.
    private static func arguments(_ text: String) -> [String] {
        var arguments: [String] = []
        var argument: String?
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil } else { argument?.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                argument = argument ?? ""
            } else if character.isWhitespace {
                if let finished = argument { arguments.append(finished) }
                argument = nil
            } else {
                argument = (argument ?? "") + String(character)
            }
        }
        if let finished = argument { arguments.append(finished) }
        return arguments
    }
}
