import Foundation
import Script
import Testing

@testable import Commands
@testable import Engine
@testable import Results
@testable import Sessions
@testable import VM

struct ManualTests {
    private let manual = Manual(CommandRegistry.standard().table)

    /// The root of the project.
    private var root: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    @Test func theManPageSaysWhatTheCommandTableSays() throws {
        let page = try String(contentsOf: root.appendingPathComponent("man/muxsh.5"), encoding: .utf8)
        let begin = try #require(page.range(of: ".\\\" BEGIN COMMANDS (made from the command table: scripts/manual)\n"))
        let end = try #require(page.range(of: ".\\\" END COMMANDS"))
        #expect(String(page[begin.upperBound..<end.lowerBound]) == manual.commandSection, "run scripts/manual")
    }

    @Test(arguments: EditorSyntax.Editor.allCases)
    func theSyntaxFilesFollowTheCommandTable(editor: EditorSyntax.Editor) throws {
        let file = try String(contentsOf: root.appendingPathComponent("editors/\(editor.file)"), encoding: .utf8)
        #expect(file == EditorSyntax(CommandRegistry.standard().table).text(for: editor), "run scripts/manual")
    }

    @Test func theTextMateGrammarNamesTheParts() throws {
        let text = EditorSyntax(CommandRegistry.standard().table).text(for: .textmate)
        let grammar = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        var patterns: [String: NSRegularExpression] = [:]
        for rule in try #require(grammar["patterns"] as? [[String: String]]) {
            patterns[try #require(rule["name"])] = try NSRegularExpression(pattern: try #require(rule["match"]))
        }
        func finds(_ name: String, _ line: String) -> Bool {
            patterns[name + ".muxsh"]?.firstMatch(in: line, range: NSRange(line.startIndex..., in: line)) != nil
        }
        for command in CommandRegistry.standard().table.names { #expect(finds("keyword.control", "  \(command) x")) }
        #expect(!finds("keyword.control", "opened a b") && finds("entity.name.tag", "a,b.*> text"))
        #expect(finds("variable.other", "x ${a:upper}") && finds("string.regexp", "expect a /x\\/y/i"))
        #expect(finds("storage.modifier", "open a :1 --eol crlf") && finds("constant.numeric", "within 200ms"))
        #expect(finds("comment.line.number-sign", "# note") && !finds("comment.line.number-sign", "a> x#y"))
    }

    @Test func helpExplainsEveryCommand() throws {
        for command in CommandRegistry.standard().table.descriptions {
            #expect(manual.overview().contains("  \(command.name) "))
            let help = try #require(manual.help(for: command.name))
            for usage in command.synopses { #expect(help.contains(usage)) }
            for option in command.options { #expect(help.contains(option.summary)) }
        }
        #expect(manual.help(for: "nonsense") == nil)
    }

    @Test func commandsAreRegisteredByTheirNames() {
        let table = CommandRegistry.standard().table
        #expect(table.descriptions.map(\.name) == table.names && table.names.count >= 50)
        #expect(Set(table.names).count == table.names.count)
    }

    @Test func theScriptsOfTheReadmeCheck() throws {
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let scripts = readme.components(separatedBy: "```\n").filter {
            ["open ", "listen ", "spawn "].contains(where: $0.hasPrefix)
        }
        #expect(scripts.count >= 5)
        for script in scripts {
            let errors = check(script, variables: [], sessions: [], environment: [])
            #expect(errors.isEmpty, "\(script): \(errors)")
        }
    }

    @Test func theExamplesOfTheLanguageCheck() throws {
        let page = try String(contentsOf: root.appendingPathComponent("man/muxsh.5"), encoding: .utf8)
        let chapter = try #require(page.components(separatedBy: ".Sh LANGUAGE\n").last)
        let scripts = chapter.components(separatedBy: ".Sh ")[0].components(
            separatedBy: ".Bd -literal -offset indent\n"
        ).dropFirst().map { $0.components(separatedBy: ".Ed\n")[0].replacingOccurrences(of: "\\e", with: "\\") }
        #expect(scripts.count >= 4)
        for script in scripts {
            let errors = check(script, variables: [], sessions: ["a"], environment: [])
            #expect(errors.isEmpty, "\(script): \(errors)")
        }
    }

    private func check(
        _ text: String, variables: [String], sessions: [String], environment: [String]
    ) -> [String] {
        let registry = CommandRegistry.standard()
        var parser = Parser(source: SourceText(name: "example"), commands: registry.table) { _ in
            .success(.init(bytes: [], identity: ""))
        }
        for line in SourceText.lines(of: Array(text.utf8)) { parser.feed(line) }
        parser.finish()
        var checker = Checker(
            commands: registry.table, variables: variables, sessions: sessions, environment: environment)
        var errors = parser.errors + checker.check(parser.completed)
        do { _ = try registry.compile(parser.completed) } catch { errors += error.errors }
        return errors.map(\.message)
    }

    @Test func everyExampleIsAScriptThatChecks() {
        for command in CommandRegistry.standard().table.descriptions where command.name != "source" {
            for example in command.examples {
                let errors = check(
                    example, variables: ["n", "version", "lag"],
                    sessions: ["a", "b", "echo", "irc", "replica", "replica1", "router"],
                    environment: ["PASSWORD"])
                #expect(errors.isEmpty, "\(example): \(errors)")
            }
        }
    }
}
