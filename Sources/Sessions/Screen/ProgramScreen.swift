import CVTerm
import Script

/// The screen of a program on a pseudo-terminal, drawn by libvterm from all output of the program.
///
/// Rows and columns count from 1. A program may ask its terminal questions, such as where the cursor is: the answers
/// are in `answers` until they are taken.
package final class ProgramScreen {
    private let terminal: OpaquePointer
    private let screen: OpaquePointer
    package let rows: Int
    package let columns: Int
    /// Bytes for the program: answers to its questions, and pressed keys.
    private var outgoing: [UInt8] = []
    /// The beginning of a character that is not complete.
    private var unfinished: [UInt8] = []
    /// The rows as text, until more is received.
    private var cache: [String]?

    /// Nil if there is not enough memory.
    package init?(rows: Int, columns: Int) {
        guard let terminal = vterm_new(Int32(rows), Int32(columns)) else { return nil }
        self.terminal = terminal
        self.rows = rows
        self.columns = columns
        vterm_set_utf8(terminal, 1)
        screen = vterm_obtain_screen(terminal)
        vterm_screen_enable_altscreen(screen, 1)
        vterm_screen_reset(screen, 1)
        let receive: @convention(c) (UnsafePointer<CChar>?, Int, UnsafeMutableRawPointer?) -> Void = {
            bytes, count, context in
            guard let context else { return }
            let screen = Unmanaged<ProgramScreen>.fromOpaque(context).takeUnretainedValue()
            screen.outgoing.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        }
        vterm_output_set_callback(terminal, receive, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        vterm_free(terminal)
    }

    /// Takes what the program has written, in any split: libvterm gets whole characters, and valid ones.
    package func receive(_ bytes: UnsafeRawBufferPointer) {
        cache = nil
        guard !unfinished.isEmpty || bytes.contains(where: { $0 >= 0x80 }) else { return draw(bytes) }
        var text = unfinished + bytes
        unfinished = Array(text.suffix(Self.incompleteCount(text)))
        text.removeLast(unfinished.count)
        // One at a time: libvterm joins combining characters differently within one piece of text. For a control
        // character beyond ASCII it moves the cursor back, also out of the screen.
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars where !(0x80...0x9F).contains(scalar.value) {
            Array(String(scalar).utf8).withUnsafeBytes { draw($0) }
        }
    }

    private func draw(_ bytes: UnsafeRawBufferPointer) {
        vterm_input_write(terminal, bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
    }

    /// The number of bytes at the end that begin a character (UTF-8) without completing it.
    private static func incompleteCount(_ text: [UInt8]) -> Int {
        for (index, byte) in text.suffix(3).reversed().enumerated() where byte >= 0xC0 {
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
            return index + 1 < length ? index + 1 : 0
        }
        return 0
    }

    /// Returns the bytes for the program, once.
    package func takeOutgoing() -> [UInt8] {
        defer { outgoing = [] }
        return outgoing
    }

    /// The place of the cursor.
    package var cursor: (row: Int, column: Int) {
        var position = VTermPos()
        vterm_state_get_cursorpos(vterm_obtain_state(terminal), &position)
        return (Int(position.row) + 1, Int(position.col) + 1)
    }

    /// The rows as text, without blanks at their ends.
    package var lines: [String] {
        if let cache { return cache }
        let lines = (0..<rows).map { String(decoding: text(ofRow: $0, from: 0).dropLastBlanks, as: UTF8.self) }
        cache = lines
        return lines
    }

    /// Returns a row from a column on, both counted from 1, with its blanks; empty outside of the screen.
    package func text(row: Int, column: Int = 1) -> [UInt8] {
        (1...rows).contains(row) && (1...columns).contains(column) ? text(ofRow: row - 1, from: column - 1) : []
    }

    private func text(ofRow row: Int, from start: Int) -> [UInt8] {
        var text = String()
        var column = start
        while column < columns {
            var cell = VTermScreenCell()
            vterm_screen_get_cell(screen, VTermPos(row: Int32(row), col: Int32(column)), &cell)
            withUnsafeBytes(of: cell.chars) { bytes in
                let scalars = bytes.bindMemory(to: UInt32.self).prefix { $0 != 0 }.compactMap(Unicode.Scalar.init)
                // The second half of a wide character holds no scalar.
                if scalars.isEmpty { text += " " } else { text.unicodeScalars.append(contentsOf: scalars) }
            }
            column += max(1, Int(cell.width))
        }
        return Array(text.utf8)
    }

    /// The screen for people: its size and cursor, and the rows that are not blank, with their numbers.
    package var picture: [String] {
        let lines = lines
        let place = "the screen is \(rows)x\(columns), with the cursor at row \(cursor.row), column \(cursor.column)"
        guard let first = lines.firstIndex(where: { !$0.isEmpty }), let last = lines.lastIndex(where: { !$0.isEmpty })
        else { return [place + ": it is blank"] }
        let width = String(last + 1).count
        return [place + ":"]
            + (first...last).map { index in
                let number = String(index + 1)
                let padding = String(repeating: " ", count: width - number.count)
                return lines[index].isEmpty
                    ? "\(padding)\(number) |" : "\(padding)\(number) | \(Escapes.visible(lines[index].utf8))"
            }
    }

    /// Presses a key; the program gets what its terminal sends for it in the mode that it has set.
    package func press(_ key: TerminalKey) {
        switch key {
        case .bytes(let bytes): outgoing += bytes
        case .function(let number, let modifiers):
            vterm_keyboard_key(terminal, VTermKey(UInt32(number)), VTermModifier(UInt32(modifiers)))
        }
    }
}

extension [UInt8] {
    fileprivate var dropLastBlanks: ArraySlice<UInt8> {
        prefix((lastIndex { $0 != UInt8(ascii: " ") } ?? -1) + 1)
    }
}
