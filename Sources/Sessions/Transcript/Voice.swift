import Results
import Script

/// What one session says and is sent, as the transcript shows it.
///
/// Bytes go in as they come; lines come out, each `NAME> text` or `NAME< text`. A received line is shown when it is
/// whole. A part of a line is shown, with a `\` at its end, as soon as the order of things asks for it: it was
/// consumed, something is sent, or the stream ends.
package final class Voice {
    /// The session's name.
    var name: String
    /// What ends a line that is sent.
    var ending: [UInt8]
    private let isDatagram: Bool
    /// Of its name (ECMA-48 SGR).
    private let color: String
    private let transcript: Transcript
    /// Received bytes of a line that were not shown yet.
    private var unshown: [UInt8] = []
    /// The ending of a line whose parts were shown, which was passed over.
    private var passedEnding: [UInt8] = []
    /// What a bridge has sent of a line that has not ended, and not shown yet.
    private var heldBack: [UInt8] = []
    /// A part of the line that is still arriving was shown.
    private var hasShownPart = false

    /// A part of a line longer than this is shown without waiting for its end.
    private static let longestPart = 65536

    init(name: String, ending: [UInt8], isDatagram: Bool, color: String, in transcript: Transcript) {
        self.name = name
        self.ending = ending
        self.isDatagram = isDatagram
        self.color = color
        self.transcript = transcript
    }

    /// How many of the last received bytes belong to a line that was not shown.
    var unshownCount: Int { unshown.count }

    /// Bytes that were sent: a line for each line ending in them. A datagram is one line, whatever is in it.
    package func sent(_ bytes: UnsafeRawBufferPointer) {
        guard !transcript.isSilent else { return }
        showPart()
        guard heldBack.isEmpty else {
            let all = heldBack + bytes
            heldBack = []
            return all.withUnsafeBytes { sent($0) }
        }
        if isDatagram { return sent(datagram: bytes) }
        var rest = bytes
        while !ending.isEmpty, let end = rest.firstRange(of: ending) {
            emit(arrow: "> ", UnsafeRawBufferPointer(rebasing: rest[..<end]), ending: ending)
            rest = UnsafeRawBufferPointer(rebasing: rest[(end + ending.count)...])
        }
        let isLine = ending.isEmpty && !rest.isEmpty
        if !rest.isEmpty { emit(arrow: "> ", rest, isPart: !isLine) }
    }

    /// One line, whatever line endings are in it.
    private func sent(datagram bytes: UnsafeRawBufferPointer) {
        let isLine = bytes.suffix(ending.count).elementsEqual(ending)
        let text = UnsafeRawBufferPointer(rebasing: bytes.dropLast(isLine ? ending.count : 0))
        emit(arrow: "> ", text, ending: isLine ? ending : [], isPart: !isLine)
    }

    /// Bytes that arrived.
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

    /// A whole message that was sent or has arrived: one line, whatever is in it.
    package func message(_ bytes: UnsafeRawBufferPointer, arrow: String) {
        guard !transcript.isSilent else { return }
        showHeldBack()
        emit(arrow: arrow, bytes)
    }

    /// Our side was ended, or the peer's, or the connection reset: `T>|`, `T<|`, `T<| reset`.
    package func ended(arrow: String) {
        guard !transcript.isSilent else { return }
        showRest()
        emit(arrow: arrow, UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Shows what waits for its line's end or for the rest of a secret: nothing will follow.
    package func showRest() {
        showHeldBack(isForced: true)
        showPart(isForced: true)
    }

    /// Shows what was sent of a line that has not ended: before what may answer it.
    func showHeldBack(isForced: Bool = false) {
        guard !heldBack.isEmpty else { return }
        var part = heldBack
        let held = isForced ? 0 : transcript.undecided(part)
        heldBack = Array(part.suffix(held))
        part.removeLast(held)
        guard !part.isEmpty else { return }
        part.withUnsafeBytes { sent($0) }
    }

    /// Shows what has arrived of a line whose end has not.
    package func showPart() {
        showPart(isForced: false)
    }

    private func showPart(isForced: Bool) {
        guard !unshown.isEmpty else { return }
        var part = unshown
        // What may be the beginning of a secret waits for what follows it.
        let held = isForced ? 0 : transcript.undecided(part)
        unshown = Array(part.suffix(held))
        part.removeLast(held)
        guard !part.isEmpty else { return }
        let isRest = hasShownPart
        hasShownPart = true
        // A part that begins like an ending would not pass over the one before it when the transcript runs.
        if let first = part.first, first == UInt8(ascii: "\n") || first == UInt8(ascii: "\r") {
            part = passedEnding + part
        }
        passedEnding = []
        part.withUnsafeBytes { emit(arrow: "< ", $0, isPart: true, isRest: isRest) }
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

    /// Shows a line, of which only the line feed was taken away.
    private func showWhole(_ bytes: UnsafeRawBufferPointer) {
        let line = bytes.withoutCarriageReturn
        let ownEnding = line.count == bytes.count ? [UInt8(ascii: "\n")] : Array("\r\n".utf8)
        let isRest = hasShownPart
        hasShownPart = false
        // The ending of a line whose parts were shown is passed over when the transcript runs: it is no line.
        if isRest && line.isEmpty { return passedEnding = ownEnding }
        passedEnding = []
        emit(arrow: "< ", line, ending: ownEnding, isRest: isRest)
    }

    /// Bytes that a bridge sends: the whole lines are shown, the rest waits for its end.
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
        arrow: String, _ text: UnsafeRawBufferPointer, ending: [UInt8] = [], isPart: Bool = false, isRest: Bool = false
    ) {
        transcript.show(
            name, arrow: arrow, color: color, text, ending: ending, isPart: isPart, isRest: isRest)
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
