import Results
import Script

/// The data that one session sends and receives, as the transcript shows it.
///
/// Takes bytes as they come and shows lines, each `NAME> text` or `NAME< text`. A received line is shown when it is
/// complete. A part of a line is shown, with a `\` at its end, as soon as the sequence of events requires it: it was
/// consumed, something is sent, or the stream ends.
package final class Voice {
    /// The session's name.
    var name: String
    /// The ending of a sent line.
    var ending: [UInt8]
    private let keepsMessages: Bool
    /// The color of its name (ECMA-48 SGR).
    package let color: String
    private let transcript: Transcript
    /// Received bytes of a line that have not been shown yet.
    private var unshown: [UInt8] = []
    /// The skipped ending of a line that was shown in parts.
    private var passedEnding: [UInt8] = []
    /// The sent part of an unfinished line from a bridge, not shown yet.
    private var heldBack: [UInt8] = []
    /// Its number in the recording, and how much of what was received has been shown: the bytes, and one for each
    /// message.
    private(set) lazy var number = transcript.recording?.nextSession() ?? 0
    private var shownCount = 0
    /// How much was received, in the same units.
    var receivedCount: Int { shownCount + unshown.count }
    /// Whether a part of the line that is still arriving was shown.
    private var hasShownPart = false

    /// The length in bytes above which a part of a line is shown without waiting for its end.
    private static let longestPart = 65536

    init(name: String, ending: [UInt8], keepsMessages: Bool, color: String, in transcript: Transcript) {
        self.name = name
        self.ending = ending
        self.keepsMessages = keepsMessages
        self.color = color
        self.transcript = transcript
    }

    /// The number of received bytes at the end that belong to a line not shown yet.
    var unshownCount: Int { unshown.count }

    /// The received beginning of a line as it is, or nil.
    package var unfinished: [UInt8]? { unshown.isEmpty ? nil : unshown }

    /// The received beginning of a line that has not been shown, as `NAME< text`; nil if there is none. A line that holds
    /// carriage returns begins after the last one that text follows.
    package var live: String? { transcript.isHidden(name) ? nil : liveAnywhere }

    /// The same, whether the display of the run shows the session now or not.
    package var liveAnywhere: String? {
        guard !unshown.isEmpty else { return nil }
        let certain = unshown.dropLast(transcript.undecided(unshown))
        return certain.isEmpty ? nil : transcript.live(name, Array(certain.afterLastReturn))
    }

    /// Shows sent bytes: a line for each line ending in them. A message is one line, whatever it contains.
    package func sent(_ bytes: UnsafeRawBufferPointer) {
        guard !transcript.isSilent else { return }
        showPart()
        guard heldBack.isEmpty else {
            let all = heldBack + bytes
            heldBack = []
            return all.withUnsafeBytes { sent($0) }
        }
        if keepsMessages { return sent(message: bytes) }
        var rest = bytes
        while !ending.isEmpty, let end = rest.firstRange(of: ending) {
            emit(arrow: "> ", UnsafeRawBufferPointer(rebasing: rest[..<end]), ending: ending)
            rest = UnsafeRawBufferPointer(rebasing: rest[(end + ending.count)...])
        }
        let isLine = ending.isEmpty && !rest.isEmpty
        if !rest.isEmpty { emit(arrow: "> ", rest, isPart: !isLine) }
    }

    /// Shows a message as one line, whatever line endings it contains.
    private func sent(message bytes: UnsafeRawBufferPointer) {
        let isLine = bytes.suffix(ending.count).elementsEqual(ending)
        let text = UnsafeRawBufferPointer(rebasing: bytes.dropLast(isLine ? ending.count : 0))
        emit(arrow: "> ", text, ending: isLine ? ending : [], isPart: !isLine)
    }

    /// Shows received bytes.
    package func received(_ bytes: UnsafeRawBufferPointer) {
        guard !transcript.isSilent else { return }
        showHeldBack()
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            showLine(UnsafeRawBufferPointer(rebasing: rest[..<end]))
            rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
        }
        unshown.append(contentsOf: rest)
        if unshown.count > Self.longestPart { showPart() }
    }

    /// Shows a whole message, sent or received, as one line, whatever it contains.
    package func message(_ bytes: UnsafeRawBufferPointer, arrow: String) {
        guard !transcript.isSilent else { return }
        showHeldBack()
        emit(arrow: arrow, bytes, length: arrow == "< " ? bytes.count + 1 : nil)
    }

    /// Shows that our side or the peer's was ended, or the connection reset: `T>|`, `T<|`, `T<| reset`.
    package func ended(arrow: String) {
        guard !transcript.isSilent else { return }
        showRest()
        emit(arrow: arrow, UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Shows data that waits for the end of its line or the rest of a secret: nothing will follow.
    package func showRest() {
        showHeldBack(isForced: true)
        showPart(isForced: true)
    }

    /// Shows the sent part of an unfinished line, before data that may answer it.
    func showHeldBack(isForced: Bool = false) {
        guard !heldBack.isEmpty else { return }
        var part = heldBack
        let held = isForced ? 0 : transcript.undecided(part)
        heldBack = Array(part.suffix(held))
        part.removeLast(held)
        guard !part.isEmpty else { return }
        part.withUnsafeBytes { sent($0) }
    }

    /// Shows the received part of an unfinished line.
    package func showPart() {
        showPart(isForced: false)
    }

    private func showPart(isForced: Bool) {
        guard !unshown.isEmpty else { return }
        var part = unshown
        // A possible beginning of a secret waits for the data after it.
        let held = isForced ? 0 : transcript.undecided(part)
        unshown = Array(part.suffix(held))
        part.removeLast(held)
        guard !part.isEmpty else { return }
        let isRest = hasShownPart
        let length = part.count
        hasShownPart = true
        // When the transcript runs, a part that begins like a line ending does not skip the ending before it.
        if let first = part.first, first == UInt8(ascii: "\n") || first == UInt8(ascii: "\r") {
            part = passedEnding + part
        }
        passedEnding = []
        part.withUnsafeBytes { emit(arrow: "< ", $0, isPart: true, isRest: isRest, length: length) }
    }

    private func showLine(_ bytes: UnsafeRawBufferPointer) {
        if unshown.isEmpty {
            showWhole(bytes)
            return
        }
        let line = unshown + bytes
        unshown.removeAll(keepingCapacity: true)
        line.withUnsafeBytes { showWhole($0) }
    }

    /// Shows a line of which only the line feed was removed.
    private func showWhole(_ bytes: UnsafeRawBufferPointer) {
        let line = bytes.withoutCarriageReturn
        let ownEnding = line.count == bytes.count ? [UInt8(ascii: "\n")] : Array("\r\n".utf8)
        let isRest = hasShownPart
        hasShownPart = false
        // When the transcript runs, the ending of a line shown in parts is skipped: it does not count as a line.
        if isRest && line.isEmpty {
            shownCount += bytes.count + 1
            return passedEnding = ownEnding
        }
        passedEnding = []
        emit(arrow: "< ", line, ending: ownEnding, isRest: isRest, length: bytes.count + 1)
    }

    /// Shows the whole lines of bytes that a bridge sends; the rest waits for its line's end.
    func relayed(_ bytes: UnsafeRawBufferPointer) {
        guard !transcript.isSilent else { return }
        guard let last = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
            heldBack += bytes
            if heldBack.count > Self.longestPart { showHeldBack() }
            return
        }
        let lines = heldBack + bytes[...last]
        heldBack = []
        lines.withUnsafeBytes { sent($0) }
        heldBack = Array(bytes[(last + 1)...])
    }

    private func emit(
        arrow: String, _ text: UnsafeRawBufferPointer, ending: [UInt8] = [], isPart: Bool = false, isRest: Bool = false,
        length: Int? = nil
    ) {
        let source =
            transcript.recording == nil
            ? nil : length.map { Recording.Source(session: number, range: shownCount..<(shownCount + $0)) }
        shownCount += length ?? 0
        transcript.show(
            name, arrow: arrow, color: color, text, ending: ending, isPart: isPart, isRest: isRest, source: source)
    }
}

extension Collection where Element == UInt8, Self: BidirectionalCollection {
    /// What a terminal shows of a line: the text from the last carriage return on that text follows.
    var afterLastReturn: SubSequence {
        guard let text = lastIndex(where: { $0 != UInt8(ascii: "\r") }) else { return self[startIndex...] }
        guard let mark = self[...text].lastIndex(of: UInt8(ascii: "\r")) else { return self[startIndex...] }
        return self[index(after: mark)...]
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes without the carriage return of the line ending.
    fileprivate var withoutCarriageReturn: UnsafeRawBufferPointer {
        last == UInt8(ascii: "\r") ? UnsafeRawBufferPointer(rebasing: self[..<(count - 1)]) : self
    }

    /// Returns the index of the first occurrence of `pattern`, which has one or more bytes.
    fileprivate func firstRange(of pattern: [UInt8]) -> Int? {
        var index = startIndex
        while let found = self[index...].firstIndex(of: pattern[0]) {
            if self[found...].starts(with: pattern) { return found }
            index = found + 1
        }
        return nil
    }
}
