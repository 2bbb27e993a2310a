/// What is to be seen in each state of the line.
extension LineEditor {
    /// What is to be seen while a line is typed.
    var scene: Screen.Scene {
        if let historyList { return scene(of: historyList) }
        var scene = finishedScene(of: libedit.line, isHidden: isHiding)
        scene.live = liveRow()
        guard !isHiding else { return scene }
        scene.cursor = libedit.cursor
        if let menu {
            scene.panel = { [usesColor, screen] room in
                menu.rows(room: room, width: screen.width, isColored: usesColor)
            }
        } else if usesColor, !libedit.isSearching, libedit.cursor == scene.line.count {
            let (row, isFirst) = rowBeforeCursor
            scene.suggestion = (suggestion ?? completer.hint(row, isFirstRow: isFirst)).unicodeScalars.map(\.value)
        }
        return scene
    }

    /// What is to be seen while no line is typed: what is waited for, and what was typed ahead.
    var waitingScene: Screen.Scene? {
        guard !screen.isPlain, let text = waitingRow(screen.width) else { return nil }
        var scene = Screen.Scene(prompt: screen.fitting(text.unicodeScalars.map(\.value), screen.width - 1))
        scene.live = liveRow()
        scene.isPromptDim = true
        let typed = isHiding ? [] : typedAhead
        if !typed.isEmpty { scene.line = [0x0A] + typed }
        scene.cursor = scene.line.count
        return scene
    }

    /// The keys that wait for the next line, as text; Enter is a sign.
    private var typedAhead: [UInt32] {
        var text: [UInt32] = []
        for key in reader.keys {
            switch key {
            case .character(0x0D), .character(0x0A): text.append(0x23CE)
            case .character(0x7F), .character(0x08): _ = text.popLast()
            case .character(let value) where value >= 0x20: text.append(value)
            case .paste(let scalars): text += scalars.map { $0 == 0x0A ? 0x23CE : $0 }
            default: break
            }
        }
        return Array(text.prefix(4096))
    }

    /// The row of the cursor as far as the cursor, and whether it is the first one.
    var rowBeforeCursor: (text: String, isFirst: Bool) {
        let (line, cursor) = (libedit.line, libedit.cursor)
        let start = LineRows.start(of: cursor, in: line)
        return (string(of: line[start..<cursor]), start == 0)
    }

    /// The line without what only helps to type it, as it stays on the screen.
    func finishedScene(of line: [UInt32], isHidden: Bool) -> Screen.Scene {
        if isHidden { return Screen.Scene(prompt: prompt) }
        var scene = Screen.Scene(prompt: prompt, line: line, cursor: line.count)
        scene.rowPrompt = rowPrompt(in: line)
        scene.wrongRows = marks(in: line)
        if usesColor, !libedit.isSearching { scene.styles = highlighter.styles(ofRows: line) }
        return scene
    }

    /// The prompt of further rows of a block; lines that are sent have none.
    private func rowPrompt(in line: [UInt32]) -> [UInt32] {
        let isSent = !talkPrefix().isEmpty && line.first != UInt32(UInt8(ascii: ":"))
        return isSent || libedit.isSearching ? [] : ".....> ".unicodeScalars.map(\.value)
    }

    /// Returns the rows to mark: a row is marked when the cursor leaves it, and unmarked as soon as it is right.
    private func marks(in line: [UInt32]) -> Set<Int> {
        guard line.contains(0x0A), line.count < Self.longestChecked else { return [] }
        let row = LineRows.row(of: libedit.cursor, in: line)
        if markedFor.row == row, markedFor.text == line { return markedRows }
        var wrong = wrongRows(string(of: line))
        if !markedRows.contains(row) || markedFor.row != row && !wrong.contains(row) { wrong.remove(row) }
        markedRows = wrong
        markedFor = (row, line)
        return wrong
    }

    /// The longest block, in characters, that is checked while it is typed.
    private static let longestChecked = 65536

    private func scene(of list: HistoryList) -> Screen.Scene {
        guard !screen.isPlain else {
            let line = list.choice.map { $0.unicodeScalars.map(\.value) } ?? []
            let prompt = "search '\(string(of: list.query))': ".unicodeScalars.map(\.value)
            return Screen.Scene(prompt: prompt, line: line, cursor: line.count)
        }
        var scene = Screen.Scene(
            prompt: "search: ".unicodeScalars.map(\.value), line: list.query, cursor: list.query.count)
        scene.live = liveRow()
        if usesColor, list.query.isEmpty {
            scene.suggestion = "words in any sequence; ^R older, Enter runs, Tab takes, ^G back".unicodeScalars.map(
                \.value)
        }
        scene.panel = { [usesColor] in list.rows(room: $0, isColored: usesColor) }
        return scene
    }

    /// Whether what is typed is not shown now.
    var isHiding: Bool {
        if hidesTyping() {
            wasHidden = true
        } else if wasHidden, (libedit.isReading ? libedit.count : 0) == 0, reader.keys.isEmpty {
            wasHidden = false
        }
        return wasHidden
    }

    /// The rest of a history entry that begins with the line, if the cursor is at its end.
    var suggestion: String? {
        guard usesColor, !libedit.isSearching, !isHiding, libedit.cursor == libedit.count else { return nil }
        return Suggestion.rest(of: string(of: libedit.line), in: shownHistory)
    }

    var prompt: [UInt32] { makePrompt().unicodeScalars.map(\.value) }
}
