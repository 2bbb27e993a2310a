import Foundation
import TestSupport
import Testing

/// Every case of Cases/ gives the output, the errors and the status it says.
struct CasesTests {
    static let cases: [Case] = (try? Case.load()) ?? []

    @Test func thereAreCases() {
        #expect(Self.cases.count > 50)
    }

    @Test(arguments: cases)
    func gives(_ example: Case) throws {
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
        let arguments = Self.words(filled(example["args"] ?? "script.mux"))
        var environment: [String: String] = [:]
        for line in (example["env"] ?? "").split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            environment[parts[0]] = parts[1]
        }
        let outcome = try Program.run(
            "muxsh", arguments, in: folder, stdin: filled(example["stdin"] ?? ""), environment: environment)
        let (out, err) = (normalized(outcome.out), normalized(outcome.err))
        #expect(matches(out, example["out"] ?? ""), "standard output of \(example.name):\n\(out)")
        #expect(matches(err, example["err"] ?? ""), "standard error of \(example.name):\n\(err)")
        #expect(String(outcome.status) == (example["status"] ?? "0").trimmingCharacters(in: .whitespacesAndNewlines))
        for (name, text) in example.all("wrote") {
            let written = try String(contentsOf: folder.url.appendingPathComponent(name), encoding: .utf8)
            #expect(matches(normalized(written), text), "\(name) of \(example.name):\n\(written)")
        }
    }

    /// The arguments of a case: blanks separate, quotes hold together; a line is no end.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil } else { word?.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character.isWhitespace {
                if let finished = word { words.append(finished) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let finished = word { words.append(finished) }
        return words
    }
}
