/// The choices of a completion, as listed above the line.
struct ChoiceList {
    private let choices: [Completion.Choice]
    private let width: Int
    private let height: Int

    init(_ choices: [Completion.Choice], width: Int, height: Int) {
        self.choices = choices
        self.width = width
        self.height = height
    }

    /// One line per choice with its summary if all of them fit, otherwise columns.
    var text: String {
        let room = max(2, height - 2)
        let widest = choices.map { displayWidth(of: $0.shown) }.max() ?? 0
        let hasSummaries = choices.contains { !$0.summary.isEmpty }
        guard hasSummaries, choices.count <= room, widest + 12 <= width else {
            return Self.columns(choices.map(\.shown), width: width, maximum: room)
        }
        return choices.map { choice in
            let line =
                choice.summary.isEmpty ? choice.shown : padded(choice.shown, to: widest + 2) + choice.summary
            return cut(line, to: width - 1) + "\n"
        }.joined()
    }

    /// Returns the names in columns, read downward. When they take more than `maximum` rows, the last row counts the
    /// rest.
    static func columns(_ names: [String], width: Int, maximum: Int = 10_000) -> String {
        let cell = (names.map(displayWidth).max() ?? 0) + 2
        let across = max(1, width / cell)
        var names = names
        var rest = ""
        if names.count > across * maximum {
            rest = "… \(names.count - across * (maximum - 1)) more\n"
            names = Array(names.prefix(across * (maximum - 1)))
        }
        let rows = (names.count + across - 1) / across
        var text = ""
        for row in 0..<rows {
            let cells = stride(from: row, to: names.count, by: rows).map { names[$0] }
            let line = cells.dropLast().map { padded($0, to: cell) }.joined() + (cells.last ?? "")
            text += cut(line, to: width) + "\n"
        }
        return text + rest
    }
}

func displayWidth(of text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + displayWidth($1.value) }
}

func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - displayWidth(of: text)))
}

/// Returns as much of `text` as fits into `width` columns.
func cut(_ text: String, to width: Int) -> String {
    guard displayWidth(of: text) > width else { return text }
    var room = width - 1
    return String(
        text.prefix { character in
            room -= displayWidth(of: String(character))
            return room >= 0
        }) + "…"
}
