import Reactor
import Results
import Script

/// Shows sessions in the notation that runs: what is sent, what arrives, what opens and closes.
///
/// Bytes go in as they come; lines come out, each `NAME> text` or `NAME< text`. A received line is shown when it is
/// whole. A part of a line is shown, with a `\` at its end, as soon as the order of things asks for it: it was
/// consumed, something is sent, or the stream ends.
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
    /// What was typed is on the screen already: displays are not shown what is sent and opened.
    package var hidesStatements = false

    private let loop: EventLoop
    private let start: Instant
    private let redactor: Redactor
    private var sinks: [Sink]

    /// A part of a line longer than this is shown without waiting for its end.
    private static let longestPart = 65536

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

    /// A statement that ran, such as an `open` with its options.
    package func statement(_ text: String) {
        emit(isStatement: true) { $0 += redactor.redacted(text).losslessBytes }
    }

    /// A comment: something that happened and is not part of what runs.
    package func note(_ text: String) {
        guard !isSilent else { return }
        // One line, whatever is in it: what follows a newline would be a statement of its own.
        emit(isDim: true) { $0 += "# \(visible(redactor.redacted(text)))".utf8 }
    }

    /// A comment for who sits at the display; files get nothing of it.
    package func hint(_ text: String) {
        emit(isForDisplays: true, isDim: true) { $0 += "# \(text)".utf8 }
    }

    /// What `print` said, as comments in files that are to run again; displays have it already.
    package func printed(_ text: [UInt8]) {
        for case .file(let write) in sinks {
            for line in SourceText.lines(of: text) { write(Array("# ".utf8) + line + [UInt8(ascii: "\n")]) }
        }
    }

    /// Bytes that were sent: a line for each line ending in them.
    package func sent(_ bytes: UnsafeRawBufferPointer, by session: Session) {
        guard !isSilent else { return }
        showPart(of: session)
        guard session.heldBack.isEmpty else {
            let all = session.heldBack + bytes
            session.heldBack = []
            return all.withUnsafeBytes { sent($0, by: session) }
        }
        let ending = session.lineEnding.bytes
        if session.framing.isDatagram { return sent(datagram: bytes, ending, by: session) }
        var rest = bytes
        while !ending.isEmpty, let end = rest.firstRange(of: ending) {
            emit(session, arrow: "> ", UnsafeRawBufferPointer(rebasing: rest[..<end]), ending: ending)
            rest = UnsafeRawBufferPointer(rebasing: rest[(end + ending.count)...])
        }
        let isLine = ending.isEmpty && !rest.isEmpty
        if !rest.isEmpty { emit(session, arrow: "> ", rest, isPart: !isLine) }
    }

    /// One line, whatever line endings are in it.
    private func sent(datagram bytes: UnsafeRawBufferPointer, _ ending: [UInt8], by session: Session) {
        let isLine = bytes.suffix(ending.count).elementsEqual(ending)
        let text = UnsafeRawBufferPointer(rebasing: bytes.dropLast(isLine ? ending.count : 0))
        emit(session, arrow: "> ", text, ending: isLine ? ending : [], isPart: !isLine)
    }

    /// Bytes that arrived.
    package func received(_ bytes: UnsafeRawBufferPointer, by session: Session) {
        guard !isSilent else { return }
        showHeldBack(of: session)
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            showLine(UnsafeRawBufferPointer(rebasing: rest[..<end]), of: session)
            rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
        }
        session.unshown.append(contentsOf: rest)
        if session.unshown.count > Self.longestPart { showPart(of: session) }
    }

    /// A whole message that was sent or has arrived: one line, whatever is in it.
    package func message(_ bytes: UnsafeRawBufferPointer, arrow: String, by session: Session) {
        guard !isSilent else { return }
        showHeldBack(of: session)
        emit(session, arrow: arrow, bytes)
    }

    /// Our side was ended, or the peer's, or the connection reset: `T>|`, `T<|`, `T<| reset`.
    package func ended(_ session: Session, arrow: String) {
        guard !isSilent else { return }
        showRest(of: session)
        emit(session, arrow: arrow, UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Shows what waits for its line's end or for the rest of a secret: nothing will follow.
    package func showRest(of session: Session) {
        showHeldBack(of: session, isForced: true)
        showPart(of: session, isForced: true)
    }

    /// Shows what was sent of a line that has not ended: before what may answer it.
    func showHeldBack(of session: Session, isForced: Bool = false) {
        guard !session.heldBack.isEmpty else { return }
        var part = session.heldBack
        let held = isForced ? 0 : redactor.undecided(part)
        session.heldBack = Array(part.suffix(held))
        part.removeLast(held)
        guard !part.isEmpty else { return }
        part.withUnsafeBytes { sent($0, by: session) }
    }

    /// Shows what has arrived of a line whose end has not.
    package func showPart(of session: Session) {
        showPart(of: session, isForced: false)
    }

    private func showPart(of session: Session, isForced: Bool) {
        guard !session.unshown.isEmpty else { return }
        var part = session.unshown
        // What may be the beginning of a secret waits for what follows it.
        let held = isForced ? 0 : redactor.undecided(part)
        session.unshown = Array(part.suffix(held))
        part.removeLast(held)
        guard !part.isEmpty else { return }
        let isRest = session.hasShownPart
        session.hasShownPart = true
        // A part that begins like an ending would not pass over the one before it when the transcript runs.
        if let first = part.first, first == UInt8(ascii: "\n") || first == UInt8(ascii: "\r") {
            part = session.passedEnding + part
        }
        session.passedEnding = []
        part.withUnsafeBytes { emit(session, arrow: "< ", $0, isPart: true, isRest: isRest) }
    }

    private func showLine(_ bytes: UnsafeRawBufferPointer, of session: Session) {
        if session.unshown.isEmpty {
            showWhole(bytes, of: session)
            return
        }
        let line = session.unshown + bytes
        session.unshown.removeAll(keepingCapacity: true)
        line.withUnsafeBytes { showWhole($0, of: session) }
    }

    /// Shows a line, of which only the line feed was taken away.
    private func showWhole(_ bytes: UnsafeRawBufferPointer, of session: Session) {
        let line = bytes.withoutCarriageReturn
        let ending = line.count == bytes.count ? [UInt8(ascii: "\n")] : Array("\r\n".utf8)
        let isRest = session.hasShownPart
        session.hasShownPart = false
        // The ending of a line whose parts were shown is passed over when the transcript runs: it is no line.
        if isRest && line.isEmpty { return session.passedEnding = ending }
        session.passedEnding = []
        emit(session, arrow: "< ", line, ending: ending, isRest: isRest)
    }

    private func emit(
        _ session: Session, arrow: String, _ text: UnsafeRawBufferPointer, ending: [UInt8] = [],
        isPart: Bool = false, isRest: Bool = false
    ) {
        if view == .hex, !text.isEmpty || !ending.isEmpty {
            emitBytes(session, arrow: arrow, text, ending, isPart: isPart, isRest: isRest)
        }
        emit(
            isStatement: arrow.utf8.first == UInt8(ascii: ">"),
            isForFiles: view == .hex && !(text.isEmpty && ending.isEmpty),
            color: session.color
        ) { line in
            line += redactor.redacted(session.name).utf8
            // An empty text needs no blank behind its arrow.
            line += arrow.utf8
            if text.isEmpty, !isPart, line.last == UInt8(ascii: " ") { line.removeLast() }
        } text: { line in
            redactor.appendEscaped(text, to: &line, isCutBefore: isRest, isCutBehind: isPart)
            if isPart { line.append(UInt8(ascii: "\\")) }
        }
    }

    /// Shows the bytes of a line on displays, its ending too.
    private func emitBytes(
        _ session: Session, arrow: String, _ text: UnsafeRawBufferPointer, _ ending: [UInt8], isPart: Bool,
        isRest: Bool
    ) {
        let bytes = redactor.redacted(text, isCutBefore: isRest, isCutBehind: isPart) + ending
        let head = redactor.redacted(session.name) + arrow
        for row in HexDump.rows(of: bytes, width: width().map { $0 - head.count }) {
            emit(isForDisplays: true, color: session.color) { line in
                line += head.utf8
            } text: { line in
                line += row.utf8
            }
        }
    }

    private func emit(
        isStatement: Bool = false, isForFiles: Bool = false, isForDisplays: Bool = false, isDim: Bool = false,
        color: String? = nil, _ head: (inout [UInt8]) -> Void,
        text: (inout [UInt8]) -> Void = { _ in }
    ) {
        for sink in sinks {
            var line: [UInt8] = []
            switch sink {
            case .file where isForDisplays: break
            case .file(let write):
                head(&line)
                text(&line)
                line.append(UInt8(ascii: "\n"))
                write(line)
            case .display where isForFiles || isStatement && hidesStatements: break
            case .display(let write):
                if showsTimestamps { line += timestamp.utf8 }
                let style = usesColor ? (isDim ? "2" : color) : nil
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

extension UnsafeRawBufferPointer {
    /// Without the carriage return that belongs to the line's ending.
    fileprivate var withoutCarriageReturn: UnsafeRawBufferPointer {
        last == UInt8(ascii: "\r") ? UnsafeRawBufferPointer(rebasing: self[..<(count - 1)]) : self
    }

    /// The index at which `pattern`, of one or more bytes, first stands.
    fileprivate func firstRange(of pattern: [UInt8]) -> Int? {
        var index = startIndex
        while let found = self[index...].firstIndex(of: pattern[0]) {
            if self[found...].starts(with: pattern) { return found }
            index = found + 1
        }
        return nil
    }
}
