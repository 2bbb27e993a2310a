import Glibc
import Results
import Script
import Terminal

/// The output of a run: standard output, or the screen of the line editor while one exists; and the attached prompts.
final class SwitchedOutput: Output {
    private let standard: StandardOutput
    /// Receives all output from the moment it is set.
    var editor: LineEditor?
    /// The attached prompts.
    private let control: ControlServer

    /// The prompt of a plain terminal while a line is awaited.
    var plainPrompt: String? {
        didSet { isOnPromptLine = false }
    }
    private var isOnPromptLine = false
    private var pages: [UInt8] = []

    init(_ standard: StandardOutput, _ control: ControlServer) {
        self.standard = standard
        self.control = control
    }

    var isCongested: Bool { editor?.isCongested ?? standard.isCongested }
    var isDrained: Bool { editor?.isDrained ?? standard.isDrained }
    var isBroken: Bool { editor?.isBroken ?? standard.isBroken }

    func write(_ text: [UInt8]) {
        display(text)
        control.share(text)
    }

    /// Writes to the run's own display only.
    func display(_ text: [UInt8]) {
        if let editor { return editor.show(text) }
        leavePromptLine()
        standard.write(text)
    }

    /// At a prompt, holds the text until the command has finished. That of an attached prompt is shown only there.
    func page(_ text: [UInt8]) {
        if let guest = control.current { return guest.send(guest.isPrompt ? .page : .show, text) }
        if editor != nil { pages += text } else { display(text) }
    }

    /// Returns the text waiting to be shown one screen at a time, and clears it.
    func takePages() -> [UInt8] {
        defer { pages = [] }
        return pages
    }

    var width: Int? { control.current.map(\.width) ?? editor?.width }

    /// What goes wrong in an entry of an attached prompt is shown only there.
    func diagnose(_ text: [UInt8]) {
        if let guest = control.current {
            var printable: [UInt8] = []
            Escapes.appendPrintable(text, to: &printable)
            return guest.send(.diagnose, guest.width.map { Self.wrapped(printable, to: $0) } ?? printable)
        }
        if let editor {
            let lines = Self.wrapped(text, to: editor.width)
            return editor.show(standard.colorsMessages ? DiagnosticColors.painted(lines) : lines)
        }
        leavePromptLine()
        standard.diagnose(screenWidth(of: STDERR_FILENO).map { Self.wrapped(text, to: $0) } ?? text)
    }

    /// Wraps messages between words, but no lines of a script or data, which have marks below them.
    private static func wrapped(_ text: [UInt8], to width: Int) -> [UInt8] {
        let lines = String(lossless: text).split(separator: "\n", omittingEmptySubsequences: false)
        return lines.map { line in
            let isQuoted = line.drop { $0 == " " || $0.isNumber }.hasPrefix("| ")
            return isQuoted ? String(line) : fitted(String(line), to: width)
        }.joined(separator: "\n").losslessBytes
    }

    func flush() {
        control.refresh()
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
