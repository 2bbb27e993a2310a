/// Text that is shown one screen at a time.
struct Pager {
    /// The action of a key.
    enum Command: Equatable {
        case screen, halfScreen, line
        case end
        /// Also ends the pager; the key is then the first one of the next line.
        case leave
    }

    private var rest: ArraySlice<[UInt8]>
    private let width: Int
    private let height: Int

    init(_ text: [UInt8], width: Int, height: Int) {
        let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false)
        rest = lines.dropLast(text.last == 0x0A ? 1 : 0).map(Array.init)[...]
        self.width = width
        self.height = height
    }

    var isDone: Bool { rest.isEmpty }

    /// Returns the lines of the first screen.
    mutating func begin() -> [UInt8] { next(rows: height - 1) }

    /// Returns the lines that a command asks for.
    mutating func next(_ command: Command) -> [UInt8] {
        switch command {
        case .screen: next(rows: height - 1)
        case .halfScreen: next(rows: height / 2)
        case .line: next(rows: 1)
        case .end, .leave: []
        }
    }

    static func command(for key: Key) -> Command {
        switch key {
        case .character(0x20), .character(0x06), .sequence(KeyReader.pageDown): .screen
        case .character(0x04): .halfScreen
        case .character(0x0D), .character(0x0A), .sequence(KeyReader.down): .line
        case .character(UInt32(UInt8(ascii: "q"))), .character(0x1B): .end
        default: .leave
        }
    }

    /// Returns as many lines as fit into `rows` rows, but at least one.
    private mutating func next(rows: Int) -> [UInt8] {
        var text: [UInt8] = []
        var room = rows
        while let line = rest.first {
            room -= max(1, (displayWidth(of: line) + width - 1) / width)
            if room < 0, !text.isEmpty { break }
            text += line + [0x0A]
            rest.removeFirst()
        }
        return text
    }

    private func displayWidth(of line: [UInt8]) -> Int {
        String(decoding: line, as: UTF8.self).unicodeScalars.reduce(0) { $0 + Terminal.displayWidth($1.value) }
    }
}
