import CVTerm

/// A key of a terminal, by its name.
package enum TerminalKey: Equatable, Sendable {
    /// A key that sends the same bytes in every mode.
    case bytes([UInt8])
    /// A key of libvterm, with its modifiers.
    case function(Int32, modifiers: Int32)

    private static let names: [(name: String, key: VTermKey)] = [
        ("Enter", VTERM_KEY_ENTER), ("Tab", VTERM_KEY_TAB), ("Backspace", VTERM_KEY_BACKSPACE),
        ("Escape", VTERM_KEY_ESCAPE), ("Up", VTERM_KEY_UP), ("Down", VTERM_KEY_DOWN), ("Left", VTERM_KEY_LEFT),
        ("Right", VTERM_KEY_RIGHT), ("Insert", VTERM_KEY_INS), ("Delete", VTERM_KEY_DEL), ("Home", VTERM_KEY_HOME),
        ("End", VTERM_KEY_END), ("PageUp", VTERM_KEY_PAGEUP), ("PageDown", VTERM_KEY_PAGEDOWN),
    ]

    /// The names of the keys that need no modifier, for completion.
    package static let allNames = names.map(\.name) + ["Space"] + (1...12).map { "F\($0)" }

    /// Parses a name such as `Up`, `F5`, `a`, or with `C-`, `M-` and `S-` in front: `C-c`, `M-x`, `S-Tab`; nil for anything
    /// else.
    package init?(_ text: String) {
        var rest = text[...]
        var modifiers: [Character] = []
        while rest.count > 2, rest.dropFirst().first == "-", let letter = rest.first, "CMS".contains(letter) {
            modifiers.append(letter)
            rest = rest.dropFirst(2)
        }
        let flags = [("S", VTERM_MOD_SHIFT), ("M", VTERM_MOD_ALT), ("C", VTERM_MOD_CTRL)].reduce(Int32(0)) {
            flags, row in
            modifiers.contains(Character(row.0)) ? flags | Int32(row.1.rawValue) : flags
        }
        if let key = Self.names.first(where: { $0.name.lowercased() == rest.lowercased() })?.key {
            self = .function(Int32(key.rawValue), modifiers: flags)
        } else if rest.first == "F", let number = Int32(rest.dropFirst()), (1...12).contains(number) {
            self = .function(Int32(VTERM_KEY_FUNCTION_0.rawValue) + number, modifiers: flags)
        } else if rest.count == 1 || rest.lowercased() == "space" {
            let typed = rest.lowercased() == "space" ? " " : String(rest)
            guard let bytes = Self.bytes(of: typed, modifiers) else { return nil }
            self = .bytes(bytes)
        } else {
            return nil
        }
    }

    /// Returns what a character sends: Control clears all but five bits, and Alt puts an escape in front.
    private static func bytes(of typed: String, _ modifiers: [Character]) -> [UInt8]? {
        var bytes = Array((modifiers.contains("S") ? typed.uppercased() : typed).utf8)
        if modifiers.contains("C") {
            guard bytes.count == 1, let byte = typed.uppercased().utf8.first,
                (0x3F...0x5F).contains(byte) || byte == 0x20
            else { return nil }
            bytes = [byte == 0x3F ? 0x7F : byte & 0x1F]
        }
        return modifiers.contains("M") ? [0x1B] + bytes : bytes
    }
}
