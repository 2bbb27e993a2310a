import Engine
import Script
import Terminal

/// The text of an entry while it is typed: whether it is whole, and which of its rows are wrong.
struct EntryText {
    private let reader: ScriptReader
    private let checker: Checker
    private let rows: [Substring]

    /// - Parameters:
    ///   - text: what is typed.
    ///   - isTalking: whether lines are sent, and only commands begin with a colon.
    init?(_ text: String, isTalking: Bool, _ reader: ScriptReader, _ checker: Checker) {
        var text = text[...]
        if isTalking {
            guard text.hasPrefix(":"), !text.hasPrefix("::") else { return nil }
            text = text.dropFirst()
        }
        self.reader = reader
        self.checker = checker
        rows = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    private var parsed: Parser {
        var parser = reader.parser(for: SourceText(name: "<prompt>"), opensFiles: false)
        for row in rows { parser.feed(String(row).losslessBytes) }
        return parser
    }

    /// Whether Enter runs it, or begins another row.
    var openness: LineEditor.Openness {
        let parser = parsed
        guard parser.isInsideStatement else { return .whole }
        return .unfinished(depth: parser.isInsideCommand ? 0 : parser.depth)
    }

    /// The rows with errors, counted from 0. Not those that are merely unfinished.
    var wrongRows: Set<Int> {
        // What a file defines is known only when it is read.
        if rows.contains(where: { $0.includes("source ") && !$0.contains("<") }) { return [] }
        var parser = parsed
        let errors = parser.errors
        parser.finish()
        var attempt = checker
        do throws(ScriptErrors) {
            _ = try reader.compile(parser.takeCompleted(), &attempt, parseErrors: errors)
            return []
        } catch {
            return Set(error.errors.filter { $0.range.source.name == "<prompt>" }.map { $0.range.line - 1 })
        }
    }
}
