import Reactor
import Results
import Script

/// Shows what happens in the notation that runs, line by line, on displays and in files; secrets are hidden here.
///
/// The lines of one session come from its `Voice`.
package final class Transcript {
    /// Who gets the lines.
    package enum Sink {
        /// A person or a pipe: with colours and times where they are wanted.
        case display(([UInt8]) -> Void)
        /// A file that is to run again: the plain lines.
        case file(([UInt8]) -> Void)
    }

    /// How displays show what is said.
    package enum View: String, CaseIterable {
        case text, hex
    }

    package var view = View.text
    /// The columns of the display, or nil when they do not matter.
    package var width: () -> Int? = { nil }
    /// Colours and seconds since the start, on displays.
    package var usesColor = false
    package var showsTimestamps = false
    /// Whether what runs was typed: it is on the screen already, so displays are not shown what is sent and opened.
    package var hidesStatements: () -> Bool = { false }

    private let loop: EventLoop
    private let start: Instant
    private let redactor: Redactor
    private var sinks: [Sink]

    package init(on loop: EventLoop, start: Instant, redactor: Redactor, sinks: [Sink]) {
        self.loop = loop
        self.start = start
        self.redactor = redactor
        self.sinks = sinks
    }

    /// Whether nobody reads: then nothing needs to be kept for showing.
    package var isSilent: Bool { sinks.isEmpty }

    package func add(_ sink: Sink) {
        sinks.append(sink)
    }

    /// How many of the last bytes may be the front of a secret.
    func undecided(_ bytes: [UInt8]) -> Int { redactor.undecided(bytes) }

    /// A statement that ran, such as an `open` with its options.
    package func statement(_ text: String) {
        emit(.statement) { $0 += redactor.redacted(text).losslessBytes }
    }

    /// A comment: something that happened and is not part of what runs.
    package func note(_ text: String) {
        guard !isSilent else { return }
        // One line, whatever is in it: what follows a newline would be a statement of its own.
        emit(.note) { $0 += "# \(visible(redactor.redacted(text)))".utf8 }
    }

    /// A comment for who sits at the display; files get nothing of it.
    package func hint(_ text: String) {
        emit(.hint) { $0 += "# \(text)".utf8 }
    }

    /// What `print` said, as comments in files that are to run again; displays have it already.
    package func printed(_ text: [UInt8]) {
        for case .file(let write) in sinks {
            for line in SourceText.lines(of: text) { write(Array("# ".utf8) + line + [UInt8(ascii: "\n")]) }
        }
    }

    /// What a line is: that decides who gets it.
    private enum Row {
        /// Something that runs: a send, an `open`.
        case statement
        /// What was received.
        case speech
        /// The same where displays show bytes: for files alone.
        case line
        /// Bytes in hexadecimal, for displays alone.
        case dump
        /// A comment.
        case note
        /// A comment for displays alone.
        case hint
    }

    /// Shows what one session says or is sent: a line with its text, or its bytes where displays show those.
    func show(
        _ name: String, arrow: String, color: String, _ text: UnsafeRawBufferPointer, ending: [UInt8] = [],
        isPart: Bool = false, isRest: Bool = false
    ) {
        let isDumped = view == .hex && !(text.isEmpty && ending.isEmpty)
        if isDumped { dump(name, arrow: arrow, color: color, text, ending, isPart: isPart, isRest: isRest) }
        emit(isDumped ? .line : arrow.utf8.first == UInt8(ascii: ">") ? .statement : .speech, color: color) { line in
            line += redactor.redacted(name).utf8
            // An empty text needs no blank behind its arrow.
            line += arrow.utf8
            if text.isEmpty, !isPart, line.last == UInt8(ascii: " ") { line.removeLast() }
        } text: { line in
            redactor.appendEscaped(text, to: &line, isCutBefore: isRest, isCutBehind: isPart)
            if isPart { line.append(UInt8(ascii: "\\")) }
        }
    }

    /// Shows the bytes of a line on displays, its ending too.
    private func dump(
        _ name: String, arrow: String, color: String, _ text: UnsafeRawBufferPointer, _ ending: [UInt8], isPart: Bool,
        isRest: Bool
    ) {
        let bytes = redactor.redacted(text, isCutBefore: isRest, isCutBehind: isPart) + ending
        let head = redactor.redacted(name) + arrow
        for row in HexDump.rows(of: bytes, width: width().map { $0 - head.count }) {
            emit(.dump, color: color) { line in
                line += head.utf8
            } text: { line in
                line += row.utf8
            }
        }
    }

    private func emit(
        _ row: Row, color: String? = nil, _ head: (inout [UInt8]) -> Void, text: (inout [UInt8]) -> Void = { _ in }
    ) {
        for sink in sinks {
            var line: [UInt8] = []
            switch (sink, row) {
            case (.file, .dump), (.file, .hint), (.display, .line): break
            case (.display, .statement) where hidesStatements(): break
            case (.file(let write), _):
                head(&line)
                text(&line)
                line.append(UInt8(ascii: "\n"))
                write(line)
            case (.display(let write), _):
                if showsTimestamps { line += timestamp.utf8 }
                let style = usesColor ? (row == .note || row == .hint ? "2" : color) : nil
                if let style { line += "\u{1B}[\(style)m".utf8 }
                head(&line)
                if style != nil { line += "\u{1B}[0m".utf8 }
                text(&line)
                line.append(UInt8(ascii: "\n"))
                write(line)
            }
        }
    }

    private var timestamp: String {
        let seconds = fixed((loop.readClock() - start).inSeconds, digits: 3)
        return String(repeating: " ", count: max(0, 8 - seconds.utf8.count)) + seconds + " "
    }
}
