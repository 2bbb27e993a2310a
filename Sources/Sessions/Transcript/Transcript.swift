import Reactor
import Results
import Script

/// Shows what happens, line by line and in executable notation, on displays and in files; hides secrets.
///
/// The lines of one session come from its `Voice`.
package final class Transcript {
    /// The destination of the lines.
    package enum Sink {
        /// A person or a pipe: gets colors and times if enabled.
        case display(([UInt8]) -> Void)
        /// A file that can be run again: gets the plain lines.
        case file(([UInt8]) -> Void)
    }

    /// How displays show data.
    package var views = SessionViews()
    /// The width of the display in columns, or nil if it does not matter.
    package var width: () -> Int? = { nil }
    /// Whether displays show a line that holds carriage returns as a terminal does: from the last one that text follows.
    package var rewindsAtReturn = false
    /// Whether displays fold floods.
    package var folds = false
    private var gates: [String: FloodGate] = [:]
    /// Whether displays show colors, and seconds since the start.
    package var usesColor = false
    package var showsTimestamps = false
    /// Whether the running statement was typed: it is already on the screen, so displays do not show sends and opens.
    package var hidesStatements: () -> Bool = { false }

    /// Gets what happens as data; nil if no report shows it.
    package var events: Events?
    /// What happened so far, for `save`; nil in scripts.
    package private(set) var recording: Recording?

    /// The last lines of each session, at the prompt; nil in scripts.
    package private(set) var logs: SessionLogs?
    /// Whether displays show a session now: while talking, only the targets of the talk.
    package var hasFocus: (String) -> Bool = { _ in true }
    private var unseen: [String: Int] = [:]
    /// The sessions that displays do not show, with the number of lines hidden so far.
    private var muted: [String: Int] = [:]

    private let loop: EventLoop
    private let start: Instant
    private let redactor: Redactor
    private var sinks: [Sink]
    private var guests: [ObjectIdentifier: Guest] = [:]

    /// A display besides that of the run: it has no focus, and shows every session.
    private struct Guest {
        let write: ([UInt8]) -> Void
        let hidesStatements: () -> Bool
    }

    package init(on loop: EventLoop, start: Instant, redactor: Redactor, sinks: [Sink]) {
        self.loop = loop
        self.start = start
        self.redactor = redactor
        self.sinks = sinks
    }

    /// Whether there are no sinks: then nothing needs to be kept for showing.
    package var isSilent: Bool { sinks.isEmpty && recording == nil && events == nil && guests.isEmpty }

    /// Adds a display of an attached prompt. `hidesStatements` is that of `Transcript`, for this prompt.
    package func addGuest(
        _ id: ObjectIdentifier, write: @escaping ([UInt8]) -> Void, hidesStatements: @escaping () -> Bool
    ) {
        guests[id] = Guest(write: write, hidesStatements: hidesStatements)
    }

    package func removeGuest(_ id: ObjectIdentifier) { guests[id] = nil }

    /// Keeps what happens from now on, for `save`.
    package func record() {
        recording = Recording(hiding: redactor)
    }

    /// Keeps the last lines of each session from now on.
    package func keepLogs() { logs = SessionLogs() }

    package func isMuted(_ name: String) -> Bool { muted[name] != nil }

    /// Hides the lines of a session; returns how many were hidden so far if it is hidden already.
    @discardableResult
    package func mute(_ name: String) -> Int? {
        defer { muted[name] = muted[name] ?? 0 }
        return muted[name]
    }

    /// Shows the lines of a session again; returns how many were hidden, or nil if it was not hidden.
    package func unmute(_ name: String) -> Int? { muted.removeValue(forKey: name) }

    /// Whether displays do not show a session: it is muted, or others have the focus.
    package func isHidden(_ name: String) -> Bool { muted[name] != nil || !hasFocus(name) }

    /// The sessions with lines that were not shown because others had the focus, with their numbers.
    package var unseenCounts: [(name: String, count: Int)] {
        unseen.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Forgets the lines of a session that were not shown; returns their number.
    package func takeUnseen(of name: String) -> Int { unseen.removeValue(forKey: name) ?? 0 }

    package func add(_ sink: Sink) {
        sinks.append(sink)
    }

    /// Returns where secrets are in `bytes`.
    func secretRanges(in bytes: [UInt8]) -> [Range<Int>] { redactor.secretRanges(in: bytes) }

    /// Returns how many of the last bytes may be the beginning of a secret.
    func undecided(_ bytes: [UInt8]) -> Int { redactor.undecided(bytes) }

    /// Shows a statement that ran, such as an `open` with its options.
    package func statement(_ text: String) {
        recording?.add(line: text)
        emit(.statement) { $0 += redactor.redacted(text).losslessBytes }
    }

    /// Shows a comment: something that happened and is not executable. On displays it may have a style of its own.
    package func note(_ text: String, style: String? = nil) {
        guard !isSilent else { return }
        recording?.add(line: "# \(visible(text))")
        events?.add(.note(redactor.redacted(text)))
        // Always one line: text after a newline would be a separate statement.
        emit(.note, color: style) { $0 += "# \(visible(redactor.redacted(text)))".utf8 }
    }

    /// Shows a comment for the user at the display; files do not get it.
    package func hint(_ text: String) {
        emit(.hint) { $0 += "# \(text)".utf8 }
    }

    /// Writes the output of `print` as comments to files that can be run again; displays already have it.
    ///
    /// - Parameter isPage: whether it only answers the user, such as help: it is not saved.
    package func printed(_ text: [UInt8], isPage: Bool = false) {
        let lines = SourceText.lines(of: text)
        if !isPage { for line in lines { recording?.add(line: "# " + String(lossless: line)) } }
        events?.add(.print(text.last == UInt8(ascii: "\n") ? text.dropLast() : text))
        for case .file(let write) in sinks {
            for line in lines { write(Array("# ".utf8) + line + [UInt8(ascii: "\n")]) }
        }
    }

    /// The kind of a line, which decides who gets it.
    private enum Row {
        /// An executable line: a send, an `open`.
        case statement
        /// Received data.
        case speech
        /// Sent or received data while displays show bytes: for files only.
        case line
        /// Data of a session that the display of the run does not show now: what is received, and what is sent.
        case speechElsewhere, statementElsewhere
        /// Bytes in hexadecimal, for displays only.
        case dump
        /// A comment.
        case note
        /// A comment for displays only.
        case hint
    }

    /// Shows data that one session sends or receives: a line with its text, or its bytes where displays show bytes.
    func show(
        _ name: String, arrow: String, color: String, _ text: UnsafeRawBufferPointer, ending: [UInt8] = [],
        isPart: Bool = false, isRest: Bool = false, source: Recording.Source? = nil
    ) {
        // What is muted is noise, which a saved script must not expect.
        if let recording, muted[name] == nil || arrow != "< " {
            recording.add(
                Recording.Data(
                    name: name, arrow: arrow, bytes: Array(text), isPart: isPart, isRest: isRest, source: source))
        }
        report(name, arrow, text, ending, isPart: isPart, isRest: isRest)
        if let logs {
            var line = Array((redactor.redacted(name) + arrow).utf8)
            redactor.appendEscaped(text, to: &line, isCutBefore: isRest, isCutAfter: isPart)
            if isPart { line.append(UInt8(ascii: "\\")) }
            logs.add(line, of: name)
        }
        if isHidden(name) {
            if muted[name] != nil {
                muted[name]? += isPart ? 0 : 1
            } else if !isPart, arrow == "< " {
                unseen[name, default: 0] += 1
            }
            let isSent = arrow.utf8.first == UInt8(ascii: ">")
            let row = muted[name] != nil ? Row.line : isSent ? .statementElsewhere : .speechElsewhere
            return emit(row, name, arrow, color: color, text, isPart: isPart, isRest: isRest)
        }
        if folds, !isPart, arrow == "< ", !admits(name) {
            return emit(.line, name, arrow, color: color, text, isPart: isPart, isRest: isRest)
        }
        let view = views[name]
        let isDumped = view == .hex && !(text.isEmpty && ending.isEmpty)
        if view != .text, view != .hex, arrow.utf8.first == UInt8(ascii: "<") {
            if arrow != "< " {
                showRows(views.finish(name), of: name, color: color)
            } else if let rows = views.take(
                Array(text), ending: ending, isPart: isPart, of: name,
                hidesSecret: { [redactor] in !redactor.secretRanges(in: $0).isEmpty })
            {
                emit(.line, name, arrow, color: color, text, isPart: isPart, isRest: isRest)
                return showRows(rows, of: name, color: color)
            }
        }
        if isDumped { dump(name, arrow: arrow, color: color, text, ending, isPart: isPart, isRest: isRest) }
        if rewindsAtReturn, !isDumped, arrow == "< " {
            let visible = text.afterLastReturn
            if visible.startIndex > text.startIndex {
                emit(.line, name, arrow, color: color, text, isPart: isPart, isRest: isRest)
                let rest = UnsafeRawBufferPointer(rebasing: visible)
                return emit(.dump, name, arrow, color: color, rest, isPart: isPart, isRest: false)
            }
        }
        let row = isDumped ? Row.line : arrow.utf8.first == UInt8(ascii: ">") ? .statement : .speech
        emit(row, name, arrow, color: color, text, isPart: isPart, isRest: isRest)
    }

    /// The most rows that a view shows at a time.
    private static let mostRows = 1000

    /// Shows the rows of a view on displays.
    private func showRows(_ rows: [ViewRow], of name: String, color: String) {
        if rows.count > Self.mostRows {
            hint("\(name): \(counted(rows.count - Self.mostRows, "row")) not shown: show \(name) --log")
        }
        for row in rows.prefix(Self.mostRows) {
            emit(.dump, color: color) { line in
                line += "\(redactor.redacted(name))<".utf8
                if row.count > 0 { line.append(0x20) }
            } text: { line in
                let all = row.parts.flatMap(\.bytes)
                var start = 0
                for part in row.parts {
                    let end = start + part.bytes.count
                    let style = usesColor ? part.style : nil
                    if let style { line += "\u{1B}[\(style)m".utf8 }
                    redactor.appendEscaped(
                        part.bytes, between: Array(all[..<start]), and: Array(all[end...]), to: &line,
                        endsLine: end == all.count && !row.isUnfinished)
                    if style != nil { line += "\u{1B}[0m".utf8 }
                    start = end
                }
                if row.isUnfinished { line.append(UInt8(ascii: "\\")) }
            }
        }
    }

    private func emit(
        _ row: Row, _ name: String, _ arrow: String, color: String, _ text: UnsafeRawBufferPointer, isPart: Bool,
        isRest: Bool
    ) {
        emit(row, color: color) { line in
            line += redactor.redacted(name).utf8
            // An empty text needs no space after its arrow.
            line += arrow.utf8
            if text.isEmpty, !isPart, line.last == UInt8(ascii: " ") { line.removeLast() }
        } text: { line in
            redactor.appendEscaped(text, to: &line, isCutBefore: isRest, isCutAfter: isPart)
            if isPart { line.append(UInt8(ascii: "\\")) }
        }
    }

    /// Returns received data that is not whole yet as a display shows it.
    func live(_ name: String, _ bytes: [UInt8]) -> String {
        let bytes = views[name] == .colour ? ControlSequences.removed(from: bytes) : bytes
        var line = Array("\(redactor.redacted(name))< ".utf8)
        bytes.withUnsafeBytes { redactor.appendEscaped($0, to: &line, isCutBefore: false, isCutAfter: true) }
        return String(lossless: line)
    }

    /// Counts a received line; returns whether a display shows it. A folded flood is told at the end of its second.
    private func admits(_ name: String) -> Bool {
        var gate = gates[name] ?? FloodGate()
        defer { gates[name] = gate }
        let isFirst = gate.folded == 0
        guard !gate.admits(at: loop.now) else { return true }
        if isFirst {
            _ = loop.schedule(after: FloodGate.window) { [weak self] in self?.endFlood(of: name) }
        }
        return false
    }

    private func endFlood(of name: String) {
        guard let (lines, folded) = gates[name]?.end(), folded > 0 else { return }
        hint("\(name): \(grouped(lines)) lines in 1.0 s, \(grouped(folded)) folded: show \(name) --log")
    }

    /// Reports sent bytes that the transcript shows in another way, which may be part of a line.
    func report(sent bytes: UnsafeRawBufferPointer, of name: String) {
        report(name, "> ", bytes, [], isPart: true, isRest: true)
    }

    private func report(
        _ name: String, _ arrow: String, _ text: UnsafeRawBufferPointer, _ ending: [UInt8], isPart: Bool, isRest: Bool
    ) {
        guard let events else { return }
        let name = redactor.redacted(name)
        let isSent = arrow.utf8.first == UInt8(ascii: ">")
        guard !arrow.utf8.dropFirst().starts(with: "|".utf8) else {
            let code = arrow.split(separator: " ").last.flatMap { Int($0) }
            let isReset = arrow.hasSuffix("reset")
            return events.add(.ended(session: name, byPeer: !isSent, isReset: isReset, code: code))
        }
        let bytes = redactor.redacted(text, isCutBefore: isRest, isCutAfter: isPart)
        let data = Event.Data(session: name, bytes: bytes, ending: ending, isPart: isPart)
        events.add(isSent ? .sent(data) : .received(data))
    }

    /// Shows the bytes of a line, including its ending, on displays.
    private func dump(
        _ name: String, arrow: String, color: String, _ text: UnsafeRawBufferPointer, _ ending: [UInt8], isPart: Bool,
        isRest: Bool
    ) {
        let bytes = redactor.redacted(text, isCutBefore: isRest, isCutAfter: isPart) + ending
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
            case (.file, .dump), (.file, .hint), (.display, .line), (.display, .speechElsewhere),
                (.display, .statementElsewhere):
                break
            case (.display, .statement) where hidesStatements(): break
            case (.file(let write), _):
                head(&line)
                text(&line)
                line.append(UInt8(ascii: "\n"))
                write(line)
            case (.display(let write), _): write(displayed(row, color, head, text))
            }
        }
        guard !guests.isEmpty, row != .line else { return }
        let line = displayed(row, color, head, text)
        let isStatement = row == .statement || row == .statementElsewhere
        for guest in guests.values where !isStatement || !guest.hidesStatements() { guest.write(line) }
    }

    private func displayed(
        _ row: Row, _ color: String?, _ head: (inout [UInt8]) -> Void, _ text: (inout [UInt8]) -> Void
    ) -> [UInt8] {
        var line = showsTimestamps ? Array(timestamp.utf8) : []
        let style = usesColor ? color ?? (row == .note || row == .hint ? "2" : nil) : nil
        if let style { line += "\u{1B}[\(style)m".utf8 }
        head(&line)
        if style != nil { line += "\u{1B}[0m".utf8 }
        text(&line)
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private var timestamp: String {
        let seconds = fixed((loop.readClock() - start).inSeconds, digits: 3)
        return String(repeating: " ", count: max(0, 8 - seconds.utf8.count)) + seconds + " "
    }
}

/// Returns a number with commas between its thousands.
private func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    return digits.enumerated().map { index, digit in
        (index > 0 && (digits.count - index) % 3 == 0 ? "," : "") + String(digit)
    }.joined()
}
