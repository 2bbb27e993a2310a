import CVTerm
import Script

/// The screen of a program on a pseudo-terminal, drawn by libvterm from all output of the program.
///
/// Rows and columns count from 1. A program may ask its terminal questions, such as where the cursor is: the answers
/// are in `answers` until they are taken.
package final class ProgramScreen {
    private let terminal: OpaquePointer
    private let screen: OpaquePointer
    package private(set) var rows: Int
    package private(set) var columns: Int
    /// Bytes for the program: answers to its questions, and pressed keys.
    private var outgoing: [UInt8] = []
    private var filter: TerminalFilter
    /// The rows as text, until more is received.
    private var cache: [String]?

    /// The most cells of a screen: each line that scrolls moves all of them.
    package static let mostCells = 30_000

    /// Nil if the screen has more cells than are kept.
    package init?(rows: Int, columns: Int) {
        guard rows * columns <= Self.mostCells, let terminal = vterm_new(Int32(rows), Int32(columns)) else {
            return nil
        }
        self.terminal = terminal
        self.rows = rows
        self.columns = columns
        filter = TerminalFilter(rows: rows, columns: columns)
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

    /// Takes what the program has written, in any split.
    package func receive(_ bytes: UnsafeRawBufferPointer) {
        cache = nil
        filter.feed(bytes) { piece in
            piece.withUnsafeBytes { piece in
                _ = vterm_input_write(terminal, piece.assumingMemoryBound(to: CChar.self).baseAddress, piece.count)
            }
        }
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

    /// Returns the rows as text, with asterisks for secrets, also those that wrap to the next row.
    ///
    /// - Parameter ranges: returns the ranges of bytes to hide.
    func lines(hiding ranges: ([UInt8]) -> [Range<Int>]) -> [String] {
        let texts = (0..<rows).map { text(ofRow: $0, from: 0) }
        var all = texts.flatMap { $0 }
        let hidden = ranges(all)
        guard !hidden.isEmpty else { return lines }
        for index in hidden.joined() { all[index] = UInt8(ascii: "*") }
        var rest = all[...]
        return texts.map { text in
            defer { rest = rest.dropFirst(text.count) }
            return String(decoding: Array(rest.prefix(text.count)).dropLastBlanks, as: UTF8.self)
        }
    }

    /// The screen for people: its size and cursor, and the rows that are not blank, with their numbers.
    package func picture(_ lines: [String]) -> [String] {
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

    /// Changes the size, unless the screen would have too many cells.
    func resize(rows: Int, columns: Int) {
        guard rows > 0, columns > 0, rows * columns <= Self.mostCells else { return }
        vterm_set_size(terminal, Int32(rows), Int32(columns))
        (self.rows, self.columns, cache) = (rows, columns, nil)
        filter.resize(rows: rows, columns: columns)
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
