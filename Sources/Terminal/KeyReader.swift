import DequeModule
import Glibc
import Reactor

/// A unit of keyboard input, as the line editor understands it.
enum Key: Equatable {
    /// A character, or a control character that libedit has a command for.
    case character(UInt32)
    /// A key that sends an escape sequence, such as an arrow: the part after ESC, as libedit knows it.
    case sequence(String)
    /// Text pasted between the terminal's paste marks, as lines separated by newlines; or one character typed after ^V.
    case paste([UInt32])

    /// Whether libedit receives ESC first.
    var beginsWithEscape: Bool {
        switch self {
        case .character(0x1B), .sequence: true
        case .character, .paste: false
        }
    }
}

/// Converts the bytes of a terminal into keys: decodes UTF-8, keeps escape sequences together, collects pastes.
///
/// Sequences that libedit has no binding for are dropped, since it would insert their tails as text. Bytes that are not
/// UTF-8 become the characters that carry them (`String.init(lossless:)`). A lone ESC and an incomplete character are
/// held back until nothing has followed for a while; `flushHeld` then delivers them. A byte that the terminal would
/// turn into a signal is not a key: `feed` stops at it.
struct KeyReader {
    private(set) var keys: Deque<Key> = []
    /// The last place of the cursor that the terminal has reported.
    var cursorReport: (row: Int, column: Int)?
    private var bytes: [UInt8] = []
    private var followsReturn = false
    private var paste: [UInt8]?
    /// The bytes received in a paste after its first ^C.
    private var afterInterrupt: [UInt8]?
    /// Whether ^V was typed: the next character is text, whatever it is.
    private var isQuoting = false
    /// The bytes that represent signals (termios(3), VINTR, VSUSP, VQUIT).
    private let signals: [UInt8: Int32]

    /// - Parameter settings: the terminal's settings; without them no byte is treated as a signal.
    init(settings: TerminalSettings? = nil) {
        var signals: [UInt8: Int32] = [:]
        if let settings {
            for (function, number) in [(VINTR, SIGINT), (VSUSP, SIGTSTP), (VQUIT, SIGQUIT)] {
                let byte = settings.character(function)
                // Zero means unassigned (_POSIX_VDISABLE).
                if byte != 0 { signals[byte] = number }
            }
        }
        self.signals = signals
    }
    /// The character delivered for a lone ESC.
    var loneEscape: UInt32 = 0x1B

    /// Sequences after ESC that have a command, mapped to the sequence that libedit knows for them.
    private static let known: [String: String] = [
        "[A": "[A", "[B": "[B", "[C": "[C", "[D": "[D", "[H": "[H", "[F": "[F", "[3~": "[3~",
        "OA": "[A", "OB": "[B", "OC": "[C", "OD": "[D", "OH": "[H", "OF": "[F",
        "[1~": "[H", "[7~": "[H", "[4~": "[F", "[8~": "[F",
        "[1;5C": "f", "[1;5D": "b", "[1;3C": Self.altRight, "[1;3D": Self.altLeft, "[6~": Self.pageDown,
        "[Z": Self.backTab,
    ]
    static let pageDown = "[6~"
    static let backTab = "[Z"
    static let altRight = "[1;3C"
    static let altLeft = "[1;3D"
    static let down = "[B"
    private static let pasteStart = Array("[200~".utf8)
    private static let pasteEnd = Array("\u{1B}[201~".utf8)

    /// Whether an ESC or an incomplete character is waiting for more bytes.
    var holdsPart: Bool { !bytes.isEmpty && paste == nil }
    /// Whether an unfinished paste contains ^C: either as part of the text, or because the paste never ends.
    var mayBeInterrupted: Bool { afterInterrupt != nil }

    /// Consumes `chunk` up to and including the first byte that represents a signal. Returns the signal, or nil if all
    /// bytes were consumed.
    mutating func feed(_ chunk: inout ArraySlice<UInt8>) -> Int32? {
        followsReturn = false
        while let byte = chunk.popFirst() {
            if paste == nil, !isQuoting, let number = signals[byte] {
                if number == SIGINT { removeAll() }
                return number
            }
            if afterInterrupt != nil {
                afterInterrupt?.append(byte)
            } else if paste != nil, signals[byte] == SIGINT {
                afterInterrupt = []
            }
            bytes.append(byte)
            // Check for the end of a paste only where it could be: a check at each byte would take quadratic time.
            if paste != nil, byte != Self.pasteEnd.last, !chunk.isEmpty { continue }
            takeAll()
        }
        return nil
    }

    /// Consumes bytes that contain no signals.
    mutating func feed(_ chunk: some Sequence<UInt8>) {
        var rest = Array(chunk)[...]
        _ = feed(&rest)
    }

    private mutating func takeAll() {
        var index = 0
        while index < bytes.count, let count = take(at: index) { index += count }
        bytes.removeFirst(index)
    }

    /// Delivers the held bytes because nothing has followed: a lone ESC as a key, an incomplete character as bytes.
    mutating func flushHeld() {
        guard holdsPart else { return }
        if bytes[0] == 0x1B {
            keys.append(.character(bytes.count == 1 ? loneEscape : 0x1B))
            keys += bytes.dropFirst().map { .character($0 < 0x80 ? UInt32($0) : String.standIn(for: $0).value) }
        } else {
            for byte in bytes { add(String.standIn(for: byte).value) }
        }
        bytes = []
    }

    /// Returns the next key, or nil.
    mutating func next() -> Key? { keys.popFirst() }

    /// Puts a key back; it becomes the next one again.
    mutating func putBack(_ key: Key) { keys.prepend(key) }

    /// Discards all type-ahead.
    mutating func removeAll() {
        keys = []
        bytes = []
        paste = nil
        afterInterrupt = nil
        isQuoting = false
    }

    /// Aborts a paste that contains ^C, because nothing has followed. Returns the bytes after its first ^C, which count
    /// as typed.
    mutating func giveUpPaste() -> [UInt8] {
        let typed = afterInterrupt ?? []
        removeAll()
        return typed
    }

    /// Consumes one key or sequence at `index` and returns its length in bytes; nil when more bytes are needed.
    private mutating func take(at index: Int) -> Int? {
        if paste != nil { return takePaste(at: index) }
        let byte = bytes[index]
        // CR LF in one read, from a terminal that does not mark pastes, is one line ending.
        let endsReturn = followsReturn && byte == 0x0A
        followsReturn = byte == 0x0D
        guard byte < 0x80 else { return takeScalar(at: index) }
        if isQuoting {
            add(byte == 0 ? String.standIn(for: 0).value : UInt32(byte))
            return 1
        }
        switch byte {
        case 0x1B: return takeEscape(at: index)
        case Self.quote: isQuoting = true
        default: if !endsReturn { keys.append(.character(UInt32(byte))) }
        }
        return 1
    }

    /// ^V.
    private static let quote: UInt8 = 0x16

    private mutating func add(_ value: UInt32) {
        keys.append(isQuoting ? .paste([value]) : .character(value))
        isQuoting = false
    }

    private mutating func takeScalar(at index: Int) -> Int? {
        let first = bytes[index]
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        let available = bytes[index...].prefix(length)
        let isPossible = first >= 0xC2 && first <= 0xF4 && available.dropFirst().allSatisfy { $0 & 0xC0 == 0x80 }
        if isPossible, available.count < length { return nil }
        let scalars = String(lossless: isPossible ? available : available.prefix(1)).unicodeScalars
        // C1 controls are not text, and some of them are the editor's private keys: their bytes are carried.
        if let scalar = scalars.first, scalars.count == 1, (0x80..<0xA0).contains(scalar.value) {
            for byte in available { add(String.standIn(for: byte).value) }
            return length
        }
        for scalar in scalars { add(scalar.value) }
        return isPossible ? length : 1
    }

    private mutating func takeEscape(at index: Int) -> Int? {
        let rest = bytes[(index + 1)...]
        guard let second = rest.first else { return nil }
        guard second == UInt8(ascii: "[") || second == UInt8(ascii: "O") else {
            // In vi's key maps a digit after ESC is a count.
            if (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(second), loneEscape == 0x1B {
                keys.append(.sequence(String(UnicodeScalar(second))))
                return 2
            }
            // Alt-Enter begins another row.
            if second == 0x0D, loneEscape == 0x1B {
                keys.append(.paste([0x0A]))
                return 2
            }
            // Meta and a key, such as M-b.
            keys += [.character(0x1B)]
            return 1
        }
        let parameters = rest.dropFirst()
        guard let end = parameters.firstIndex(where: { $0 >= 0x40 && $0 <= 0x7E }) else {
            return parameters.count > 32 ? 1 + rest.count : nil
        }
        let sequence = Array(bytes[(index + 1)...end])
        if let report = Self.report(sequence) {
            cursorReport = report
        } else if sequence == Self.pasteStart {
            paste = []
        } else if let known = Self.known[String(decoding: sequence, as: UTF8.self)] {
            keys.append(.sequence(known))
        }
        return end - index + 1
    }

    /// Returns the place that a cursor position report (ECMA-48 CPR) names, counted from 1; nil for any other sequence.
    private static func report(_ sequence: [UInt8]) -> (row: Int, column: Int)? {
        guard sequence.first == UInt8(ascii: "["), sequence.last == UInt8(ascii: "R") else { return nil }
        let numbers = sequence.dropFirst().dropLast().split(separator: UInt8(ascii: ";"))
        guard numbers.count == 2, let row = Int(String(decoding: numbers[0], as: UTF8.self)),
            let column = Int(String(decoding: numbers[1], as: UTF8.self))
        else { return nil }
        return (row, column)
    }

    private mutating func takePaste(at index: Int) -> Int? {
        let rest = bytes[index...]
        // The whole paste is processed when its end may have arrived; until then it only grows.
        guard rest.last == Self.pasteEnd.last, rest.suffix(Self.pasteEnd.count).elementsEqual(Self.pasteEnd) else {
            let safe = rest.count - (Self.pasteEnd.count - 1)
            guard safe > 0 else { return nil }
            paste?.append(contentsOf: rest.prefix(safe))
            return safe
        }
        let text = (paste ?? []) + rest.dropLast(Self.pasteEnd.count)
        paste = nil
        afterInterrupt = nil
        keys.append(.paste(Self.pastedScalars(text)))
        return rest.count
    }

    /// Returns pasted text with its line endings as newlines; all other characters are text.
    private static func pastedScalars(_ bytes: [UInt8]) -> [UInt32] {
        var scalars: [UInt32] = []
        var last: UInt32 = 0
        for scalar in String(lossless: bytes).unicodeScalars {
            let value = scalar.value
            switch value {
            case 0x0A where last == 0x0D: break
            case 0x0A, 0x0D: scalars.append(0x0A)
            case 0: scalars.append(String.standIn(for: 0).value)
            case 0x80..<0xA0: scalars += Array(String(scalar).utf8).map { String.standIn(for: $0).value }
            default: scalars.append(value)
            }
            last = value
        }
        return scalars
    }
}
