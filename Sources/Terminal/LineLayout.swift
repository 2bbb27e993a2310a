import CEditline
import Reactor
import Script

/// The positions of the characters of a prompt and a line on a screen of a given width.
///
/// The rules are those of the terminal: a character wraps to the next row when the row is full, a wide one also when
/// only one column is left. After a full row the cursor stays at its end until the next character arrives.
struct LineLayout: Equatable {
    /// A position on the screen, relative to the first row and column of the prompt.
    struct Place: Equatable {
        var row = 0
        var column = 0
    }

    /// The position after the last character.
    private(set) var end = Place()
    /// The position of the cursor.
    private(set) var cursor = Place()
    /// The index of the first scalar of each row; prompt and line are indexed as one text.
    private(set) var rowStarts = [0]
    /// Whether the last row is full and the terminal has not wrapped yet.
    private(set) var endsFull = false

    private let width: Int

    /// - Parameters:
    ///   - text: the prompt followed by the line.
    ///   - cursor: the index of the scalar under the cursor.
    ///   - width: the width of the screen in columns.
    init(_ text: [UInt32], cursor cursorIndex: Int, width: Int) {
        self.width = max(2, width)
        for (index, scalar) in text.enumerated() {
            if index == cursorIndex { markCursor() }
            place(scalar, index)
        }
        if cursorIndex >= text.count { markCursor() }
        endsFull = end.column == self.width
        if endsFull { end = Place(row: end.row + 1, column: 0) }
    }

    private mutating func markCursor() {
        cursor = end.column == width ? Place(row: end.row + 1, column: 0) : end
    }

    private mutating func place(_ scalar: UInt32, _ index: Int) {
        if scalar == 0x0A {
            // A newline begins the next row even if the current one is full.
            end = Place(row: end.row + 1, column: 0)
            rowStarts.append(index + 1)
            return
        }
        let columns = displayWidth(scalar)
        if end.column + columns > width {
            end = Place(row: end.row + 1, column: 0)
            rowStarts.append(index)
        }
        end.column += columns
    }
}

/// Returns the number of columns that a scalar occupies as rendered by `displayed`.
package func displayWidth(_ scalar: UInt32) -> Int {
    if scalar < 0x20 || scalar == 0x7F { return 2 }
    if scalar < 0x7F { return 1 }
    if isJoiner(scalar) { return 0 }
    if let escape = escape(of: scalar) { return escape.utf8.count }
    if isHidden(scalar) { return 1 }
    let width = Int(c_character_width(wchar_t(bitPattern: scalar)))
    return width < 0 ? 1 : width
}

/// Returns a scalar as it is displayed: control characters as `^X`, and `?` for scalars that the terminal has no glyph
/// for or that change the direction of text.
func displayed(_ scalar: UInt32) -> String {
    if scalar < 0x20 || scalar == 0x7F {
        return "^" + String(Character(Unicode.Scalar(UInt8(scalar ^ 0x40))))
    }
    if scalar < 0x7F { return String(Character(Unicode.Scalar(UInt8(scalar)))) }
    if isJoiner(scalar) { return "" }
    if let escape = escape(of: scalar) { return escape }
    guard !isHidden(scalar), let character = Unicode.Scalar(scalar), c_character_width(wchar_t(bitPattern: scalar)) >= 0
    else {
        return "?"
    }
    return String(Character(character))
}

/// Returns the escape that displays a non-text byte carried by a scalar; nil for other scalars.
private func escape(of scalar: UInt32) -> String? {
    Unicode.Scalar(scalar).flatMap { String.carriedByte(of: $0) }.map { Escapes.visible([$0]) }
}

private func isHidden(_ scalar: UInt32) -> Bool {
    Unicode.Scalar(scalar).map(actsOnTerminal) ?? true
}

/// Whether a scalar is a joiner or a variation selector. Terminals disagree on their width, so they are kept but not
/// shown.
private func isJoiner(_ scalar: UInt32) -> Bool {
    scalar == 0x200D || scalar == 0xFE0E || scalar == 0xFE0F
}
