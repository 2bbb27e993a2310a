import Results
import Terminal

/// The output of a run: standard output, or the screen of the line editor while one exists.
final class SwitchedOutput: Output {
    private let standard: StandardOutput
    /// Receives all output from the moment it is set.
    var editor: LineEditor?

    /// The prompt of a plain terminal while a line is awaited.
    var plainPrompt: String? {
        didSet { isOnPromptLine = false }
    }
    private var isOnPromptLine = false
    private var pages: [UInt8] = []

    init(_ standard: StandardOutput) {
        self.standard = standard
    }

    var isCongested: Bool { editor?.isCongested ?? standard.isCongested }
    var isDrained: Bool { editor?.isDrained ?? standard.isDrained }
    var isBroken: Bool { editor?.isBroken ?? standard.isBroken }

    func write(_ text: [UInt8]) {
        if let editor { return editor.show(text) }
        leavePromptLine()
        standard.write(text)
    }

    /// At a prompt, holds the text until the command has finished.
    func page(_ text: [UInt8]) {
        if editor != nil { pages += text } else { write(text) }
    }

    /// Returns the text waiting to be shown one screen at a time, and clears it.
    func takePages() -> [UInt8] {
        defer { pages = [] }
        return pages
    }

    var width: Int? { editor?.width }

    func diagnose(_ text: [UInt8]) {
        if let editor { return editor.show(text) }
        leavePromptLine()
        standard.diagnose(text)
    }

    func flush() {
        if let editor { return editor.refresh() }
        if let plainPrompt, !isOnPromptLine {
            standard.write(Array(plainPrompt.utf8))
            isOnPromptLine = true
        }
        standard.flush()
    }

    /// On a terminal that cannot position its cursor, output starts on a new line and the prompt is repeated.
    private func leavePromptLine() {
        if isOnPromptLine { standard.write([UInt8(ascii: "\n")]) }
        isOnPromptLine = false
    }
}
