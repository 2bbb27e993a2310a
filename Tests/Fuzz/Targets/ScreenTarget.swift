import Script
import Sessions

/// A screen takes any output in any split, and shows nothing that acts on a terminal.
enum ScreenTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        guard let first = ProgramScreen(rows: 5, columns: 20), let second = ProgramScreen(rows: 5, columns: 20) else {
            fatalError("no memory for a screen")
        }
        input.withUnsafeBytes { first.receive($0) }
        for byte in input { withUnsafeBytes(of: byte) { second.receive($0) } }
        require(first.lines == second.lines && first.cursor == second.cursor, "the screen depends on the split")
        require((1...5).contains(first.cursor.row) && (1...20).contains(first.cursor.column), "the cursor is outside")
        require(first.takeOutgoing() == second.takeOutgoing(), "the answers depend on the split")
        for line in first.picture(first.lines) {
            require(!line.unicodeScalars.contains(where: isAbleToAct), "a row acts on the terminal")
        }
        for name in ["Up", "F5", "C-c"] { TerminalKey(name).map { first.press($0) } }
    }
}
