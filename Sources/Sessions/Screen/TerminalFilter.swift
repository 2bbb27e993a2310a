/// Divides the output of a program into pieces that libvterm takes safely, the same ones for any split.
///
/// - Invalid UTF-8 becomes U+FFFD, and a character is a piece of its own: libvterm joins combining characters
///   differently within one piece of text.
/// - Control characters beyond ASCII (C1) are left out: libvterm moves the cursor back for each, also out of the screen.
/// - REP (`CSI n b`) is replaced by the characters: with wide ones libvterm writes beyond the row.
/// - A control sequence with more than 15 parameters is left out: libvterm writes beyond its array of them.
/// - In a screen of one column a wide character becomes U+FFFD, for the same reason.
/// - Of a run of plain lines only those are kept that remain on the screen, while the program has set no modes: a flood
///   costs no more than that.
struct TerminalFilter {
    private enum State {
        case ground, escape, csi, string, stringEscape
    }

    private var rows: Int
    private var columns: Int
    private var state = State.ground
    /// The beginning of a character or an escape sequence that is not complete.
    private var unfinished: [UInt8] = []
    private var sequence: [UInt8] = []
    /// Whether a sequence was passed on that may change how lines scroll; colors do not.
    private var hasModes = false
    /// The last printed character, for REP.
    private var last: [UInt8] = [0x20]

    /// A longer sequence is left out.
    private static let longestSequence = 64

    init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
    }

    mutating func resize(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
    }

    /// Calls `emit` with each piece of the output with these bytes added.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ emit: (ArraySlice<UInt8>) -> Void) {
        var text = unfinished + bytes
        unfinished = Array(text.suffix(Self.incompleteCount(text)))
        text.removeLast(unfinished.count)
        if text.contains(where: { $0 >= 0x80 }) { text = Array(String(decoding: text, as: UTF8.self).utf8) }
        var index = 0
        while index < text.count {
            if text[index] >= 0x80 {
                let end = index + Self.length(of: text[index])
                character(text[index..<end], emit)
                index = end
            } else if state == .ground {
                let end = text[index...].firstIndex { $0 >= 0x80 || $0 == 0x1B } ?? text.count
                if end == index { begin() } else { plain(text[index..<end], emit) }
                index = max(end, index + 1)
            } else {
                control(text[index], emit)
                index += 1
            }
        }
    }

    /// A run without escape sequences.
    private mutating func plain(_ run: ArraySlice<UInt8>, _ emit: (ArraySlice<UInt8>) -> Void) {
        if let printed = run.last(where: { $0 >= 0x20 && $0 != 0x7F }) { last = [printed] }
        emit(run[start(of: run)...])
    }

    /// Returns where the lines begin that remain on the screen, after `rows` more ends of lines.
    private func start(of run: ArraySlice<UInt8>) -> Int {
        // Shift Out and Shift In choose a character set for what follows.
        guard !hasModes, run.count > 4 * rows, !run.contains(0x0E), !run.contains(0x0F) else { return run.startIndex }
        var lines = 0
        var index = run.endIndex - 1
        while index > run.startIndex {
            if run[index] == 0x0A, run[index - 1] == 0x0D {
                lines += 1
                if lines > rows + 1 { return index - 1 }
            }
            index -= 1
        }
        return run.startIndex
    }

    /// A character beyond ASCII; inside of an escape sequence it means nothing.
    private mutating func character(_ bytes: ArraySlice<UInt8>, _ emit: (ArraySlice<UInt8>) -> Void) {
        guard state == .ground, let scalar = String(decoding: bytes, as: UTF8.self).unicodeScalars.first,
            !(0x80...0x9F).contains(scalar.value)
        else { return }
        let shown = columns == 1 && scalar.value >= 0x1100 ? Array("\u{FFFD}".utf8) : Array(bytes)
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .spacingMark, .format: break
        default: last = shown
        }
        emit(shown[...])
    }

    private mutating func begin() {
        state = .escape
        sequence = [0x1B]
    }

    /// A byte of an escape sequence. libvterm gets whole sequences only, so both agree on where each ends.
    private mutating func control(_ byte: UInt8, _ emit: (ArraySlice<UInt8>) -> Void) {
        switch byte {
        case 0x18, 0x1A:
            if state == .string || state == .stringEscape { emit([byte]) }
            state = .ground
        case 0x1B where state == .string: state = .stringEscape
        case 0x1B where state == .stringEscape: break
        case 0x1B: begin()
        case 0, 0x7F: break
        case 1..<0x20 where state == .escape || state == .csi: emit([byte])
        default: add(byte, emit)
        }
    }

    private mutating func add(_ byte: UInt8, _ emit: (ArraySlice<UInt8>) -> Void) {
        switch state {
        case .ground: break
        case .escape:
            if sequence.count <= Self.longestSequence { sequence.append(byte) }
            escape(byte, emit)
        case .csi:
            if sequence.count <= Self.longestSequence { sequence.append(byte) }
            if (0x40...0x7E).contains(byte) { endCSI(byte, emit) }
        case .string:
            emit([byte])
            if byte == 0x07 { state = .ground }
        case .stringEscape:
            emit([0x1B, UInt8(ascii: "\\")])
            state = .ground
            guard byte != UInt8(ascii: "\\") else { return }
            // Another sequence has ended the string.
            begin()
            control(byte, emit)
        }
    }

    private mutating func escape(_ byte: UInt8, _ emit: (ArraySlice<UInt8>) -> Void) {
        if (0x20...0x2F).contains(byte) { return }
        state = .ground
        switch byte {
        case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "_"), UInt8(ascii: "^"),
            UInt8(ascii: "X"):
            // libvterm would begin another sequence here, whatever intermediate bytes came before.
            guard sequence.count == 2 else { return }
            state = byte == UInt8(ascii: "[") ? .csi : .string
            if state == .string { emit(sequence[...]) }
        default:
            hasModes = true
            if sequence.count <= 5 { emit(sequence[...]) }
        }
    }

    /// Whether a control sequence has as many parameters, of as many digits, as programs use: libvterm writes the
    /// seventeenth beyond its array.
    private var isOrdinary: Bool {
        let parameters = sequence.dropFirst(2).split(omittingEmptySubsequences: false) {
            $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: ":")
        }
        return parameters.count <= 15 && parameters.allSatisfy { $0.count <= 8 }
    }

    private mutating func endCSI(_ final: UInt8, _ emit: (ArraySlice<UInt8>) -> Void) {
        state = .ground
        guard sequence.count <= Self.longestSequence, isOrdinary else { return }
        let parameters = sequence.dropFirst(2).dropLast()
        guard final == UInt8(ascii: "b"), parameters.allSatisfy({ (0x30...0x3B).contains($0) }) else {
            hasModes = hasModes || final != UInt8(ascii: "m")
            return emit(sequence[...])
        }
        let first = parameters.prefix { $0 <= 0x39 }
        let count = first.isEmpty ? 1 : Int(String(decoding: first, as: UTF8.self)) ?? columns
        for _ in 0..<min(max(1, count), columns) { emit(last[...]) }
    }

    /// The number of bytes at the end that begin a character (UTF-8) without completing it.
    private static func incompleteCount(_ text: [UInt8]) -> Int {
        for (index, byte) in text.suffix(3).reversed().enumerated() where byte >= 0xC0 {
            return index + 1 < length(of: byte) ? index + 1 : 0
        }
        return 0
    }

    /// The number of bytes of a character with this first byte.
    private static func length(of byte: UInt8) -> Int { byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2 }
}
