/// The choices of a completion below the line, of which one can be chosen.
struct ChoiceMenu {
    private(set) var completion: Completion
    /// The index of the chosen one; nil if none is.
    private(set) var selected: Int?
    /// The argument as typed, which a choice replaces.
    let typed: [UInt32]

    static let tallest = 16

    init(_ completion: Completion, typed: [UInt32]) {
        self.completion = completion
        self.typed = typed
    }

    /// The chosen text, or what was typed.
    var text: [UInt32] {
        selected.map { completion.choices[$0].text.unicodeScalars.map(\.value) } ?? typed
    }

    /// Chooses the next one in a direction; after the last one comes what was typed.
    mutating func step(by count: Int) {
        let places = completion.choices.count + 1
        let place = ((selected ?? completion.choices.count) + count + places) % places
        selected = place == completion.choices.count ? nil : place
    }

    /// Returns the rows of the menu, as a part around the chosen one when not all fit.
    func rows(room: Int, width: Int, isColored: Bool) -> [Screen.PanelRow] {
        let room = min(room, Self.tallest)
        let choices = completion.choices
        let hasSummaries = choices.contains { !$0.summary.isEmpty }
        let widest = choices.map { displayWidth(of: $0.shown) }.max() ?? 0
        guard hasSummaries, widest + 12 <= width else { return grid(room, width, widest, isColored) }
        let window = window(of: choices.count, around: selected ?? 0, room)
        var rows = window.map { index in
            let choice = choices[index]
            let style = isColored && index == selected ? "7" : nil
            var row = Screen.PanelRow(padded(choice.shown, to: widest), style: style)
            if !choice.summary.isEmpty {
                row.append("  " + choice.summary, style: style ?? (isColored ? "2" : nil))
            }
            return row
        }
        addRest(choices.count - window.upperBound, to: &rows, isColored)
        return rows
    }

    /// Returns the names in columns, read downward.
    private func grid(_ room: Int, _ width: Int, _ widest: Int, _ isColored: Bool) -> [Screen.PanelRow] {
        let choices = completion.choices
        // A single long name does not take the columns from all others.
        let widest = min(widest, max(24, width / 3))
        let across = max(1, (width - 1) / (widest + 2))
        let height = (choices.count + across - 1) / across
        let window = window(of: height, around: (selected ?? 0) % height, room)
        var rows = window.map { line in
            var row = Screen.PanelRow("")
            for index in stride(from: line, to: choices.count, by: height) {
                let isLast = index + height >= choices.count
                let shown = cut(choices[index].shown, to: widest)
                row.append(shown, style: isColored && index == selected ? "7" : nil)
                if !isLast { row.append(String(repeating: " ", count: widest + 2 - displayWidth(of: shown))) }
            }
            return row
        }
        addRest(height - window.upperBound, to: &rows, isColored)
        return rows
    }

    /// Returns which of `count` rows are shown; when not all fit, a row is left for the number of those that follow.
    private func window(of count: Int, around index: Int, _ room: Int) -> Range<Int> {
        guard count > room else { return 0..<count }
        let height = max(1, room - 1)
        let first = max(0, min(index - height + 1, count - height))
        return first..<(first + height)
    }

    private func addRest(_ rest: Int, to rows: inout [Screen.PanelRow], _ isColored: Bool) {
        if rest > 0 { rows.append(Screen.PanelRow("… \(rest) more", style: isColored ? "2" : nil)) }
    }
}
