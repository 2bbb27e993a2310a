import Commands
import Engine
import Results
import Sessions
import VM

@testable import Script

/// Parses and checks `text` as muxsh would a file. Files that it sources come from `files`.
func parse(_ text: String, files: [String: String] = [:]) -> (statements: [Statement], errors: [ScriptError]) {
    let source = SourceText(path: Array("t.mux".utf8), directory: [], identity: "t.mux")
    var parser = Parser(source: source, commands: CommandRegistry.standard().table) { path in
        files[String(decoding: path, as: UTF8.self)].map {
            .success(.init(bytes: Array($0.utf8), identity: String(decoding: path, as: UTF8.self)))
        } ?? .failure(Parser.LoadFailure(message: "no such file"))
    }
    for line in SourceText.lines(of: Array(text.utf8)) { parser.feed(line) }
    parser.finish()
    var checker = Checker(
        commands: CommandRegistry.standard().table, variables: ["given"], sessions: ["a", "b"], environment: ["HOME"])
    var errors = parser.errors + checker.check(parser.completed, parseErrors: parser.errors)
    do { _ = try CommandRegistry.standard().compile(parser.completed) } catch { errors += error.errors }
    return (parser.completed, errors)
}

/// Returns the only arrow line of `text`, or nil.
func parseArrow(_ text: String) -> ArrowLine? {
    let (statements, errors) = parse(text)
    guard errors.isEmpty, statements.count == 1, case .arrow(let arrow) = statements[0] else { return nil }
    return arrow
}

/// Returns the only command of `text`, or nil.
func parseCommand(_ text: String) -> CommandCall? {
    let (statements, errors) = parse(text)
    guard errors.isEmpty, statements.count == 1, case .command(let call) = statements[0] else { return nil }
    return call
}
