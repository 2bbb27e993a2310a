import DequeModule

/// What the keyboard says, cut into what the line editor understands.
enum Key: Equatable {
    /// A character, or a control character that libedit has a command for.
    case character(UInt32)
    /// A key that sends ESC and more, such as an arrow: what follows ESC, as libedit knows it.
    case sequence(String)
    /// Text pasted between the terminal's paste marks, as lines separated by newlines.
    case paste([UInt32])

    /// Whether libedit gets ESC first.
    var beginsWithEscape: Bool {
        switch self {
        case .character(0x1B), .sequence: true
        case .character, .paste: false
        }
    }
}

/// Turns the bytes of a terminal into keys: decodes UTF-8, keeps escape sequences together, collects pastes.
///
/// Sequences that libedit has no binding for are dropped, since it would insert their tails as text. Invalid bytes
/// are dropped too. A lone ESC is held back: `flushEscape` hands it over when nothing has followed it for a while.
struct KeyReader {
    private(set) var keys: Deque<Key> = []
    private var bytes: [UInt8] = []
    private var followsReturn = false
    private var paste: [UInt8]?
    /// What a lone ESC is handed over as.
    var loneEscape: UInt32 = 0x1B

    /// Sequences that have a command, behind ESC, and the sequence that libedit knows for them.
    private static let known: [String: String] = [
        "[A": "[A", "[B": "[B", "[C": "[C", "[D": "[D", "[H": "[H", "[F": "[F", "[3~": "[3~",
        "OA": "[A", "OB": "[B", "OC": "[C", "OD": "[D", "OH": "[H", "OF": "[F",
        "[1~": "[H", "[7~": "[H", "[4~": "[F", "[8~": "[F",
        "[1;5C": "f", "[1;5D": "b", "[1;3C": "f", "[1;3D": "b", "[6~": Self.pageDown,
    ]
    static let pageDown = "[6~"
    static let down = "[B"
    private static let pasteStart = Array("[200~".utf8)
    private static let pasteEnd = Array("\u{1B}[201~".utf8)

    /// Whether an ESC waits for what follows it.
    var holdsEscape: Bool { bytes.first == 0x1B && paste == nil }

    mutating func feed(_ chunk: some Sequence<UInt8>) {
        bytes += chunk
        followsReturn = false
        var index = 0
        while index < bytes.count, let count = take(at: index) { index += count }
        bytes.removeFirst(index)
    }

    /// Nothing has followed an ESC: it is a key of its own.
    mutating func flushEscape() {
        guard holdsEscape else { return }
        keys.append(.character(bytes.count == 1 ? loneEscape : 0x1B))
        keys += bytes.dropFirst().map { .character(UInt32($0)) }
        bytes = []
    }

    /// The next key, or nil.
    mutating func next() -> Key? { keys.popFirst() }

    /// Puts a key back: it is the next one again.
    mutating func putBack(_ key: Key) { keys.prepend(key) }

    /// Drops everything that was typed ahead.
    mutating func removeAll() {
        keys = []
        bytes = []
        paste = nil
    }

    /// Takes one key or sequence at `index` and returns its length; nil when more bytes are needed.
    private mutating func take(at index: Int) -> Int? {
        if paste != nil { return takePaste(at: index) }
        let byte = bytes[index]
        // CR LF in one read, from a terminal that does not mark pastes, is one line's end.
        let endsReturn = followsReturn && byte == 0x0A
        followsReturn = byte == 0x0D
        if byte == 0x1B { return takeEscape(at: index) }
        guard byte < 0x80 else { return takeScalar(at: index) }
        if !endsReturn { keys.append(.character(UInt32(byte))) }
        return 1
    }

    private mutating func takeScalar(at index: Int) -> Int? {
        let first = bytes[index]
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard first >= 0xC2, first <= 0xF4 else { return 1 }
        let available = bytes[index...].prefix(length)
        guard available.dropFirst().allSatisfy({ $0 & 0xC0 == 0x80 }) else { return 1 }
        guard available.count == length else { return nil }
        // C1 controls are no text, and some of them stand for the editor's private keys.
        if let scalar = String(decoding: available, as: UTF8.self).unicodeScalars.first, scalar.value >= 0xA0,
            scalar != "\u{FFFD}"
        {
            keys.append(.character(scalar.value))
        }
        return length
    }

    private mutating func takeEscape(at index: Int) -> Int? {
        let rest = bytes[(index + 1)...]
        guard let second = rest.first else { return nil }
        guard second == UInt8(ascii: "[") || second == UInt8(ascii: "O") else {
            // Meta and a key, such as M-b.
            keys += [.character(0x1B)]
            return 1
        }
        let parameters = rest.dropFirst()
        guard let end = parameters.firstIndex(where: { $0 >= 0x40 && $0 <= 0x7E }) else {
            return parameters.count > 32 ? 1 + rest.count : nil
        }
        let sequence = Array(bytes[(index + 1)...end])
        if sequence == Self.pasteStart {
            paste = []
        } else if let known = Self.known[String(decoding: sequence, as: UTF8.self)] {
            keys.append(.sequence(known))
        }
        return end - index + 1
    }

    private mutating func takePaste(at index: Int) -> Int? {
        let rest = Array(bytes[index...])
        if let end = rest.indices.first(where: { rest[$0...].starts(with: Self.pasteEnd) }) {
            let text = (paste ?? []) + rest[..<end]
            paste = nil
            keys.append(.paste(Self.pastedScalars(text)))
            return end + Self.pasteEnd.count
        }
        // The last bytes may be the beginning of the end mark.
        let safe = rest.count - (Self.pasteEnd.count - 1)
        guard safe > 0 else { return nil }
        paste?.append(contentsOf: rest[..<safe])
        return safe
    }

    /// Pasted text with its line endings as newlines, without control characters but the tab.
    private static func pastedScalars(_ bytes: [UInt8]) -> [UInt32] {
        var scalars: [UInt32] = []
        var last: UInt32 = 0
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            let value = scalar.value
            if value == 0x0D || (value == 0x0A && last != 0x0D) {
                scalars.append(0x0A)
            } else if value == 0x09 || (value >= 0x20 && value != 0x7F && !(0x80..<0xA0).contains(value)) {
                scalars.append(value)
            }
            last = value
        }
        return scalars
    }
}
