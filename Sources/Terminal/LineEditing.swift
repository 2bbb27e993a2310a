import DequeModule

/// The keys: those of lists below the line, those of blocks, and the characters that libedit receives for the others.
extension LineEditor {
    /// Returns the characters that libedit receives for a key.
    func characters(of key: Key) -> Deque<UInt32> {
        if isHiding, !isForHidden(key) { return [] }
        if historyList != nil { return takeInSearch(key) }
        if menu != nil, takeInMenu(key) { return [] }
        if key.beginsWithEscape, libedit.isSearching, !hasEndedSearch {
            hasEndedSearch = true
            // A lone ESC has done its work; a key that follows it is the first one after the search.
            if key != .character(0x1B) || !reader.keys.isEmpty { reader.putBack(key) }
            return [Libedit.Command.endSearch.rawValue]
        }
        hasEndedSearch = false
        if takeInBlock(key) { return [] }
        if let taken = taken(of: key) {
            _ = libedit.insert(taken.unicodeScalars.map(\.value))
            return []
        }
        if let step = step(of: key), switchTo(step) {
            showHistory(for: talkPrefix())
            return []
        }
        switch key {
        // For libedit NUL quotes the next key.
        case .character(0): return []
        case .character(let value): return [value]
        case .sequence(KeyReader.pageDown), .sequence(KeyReader.backTab): return []
        // Without sessions they move by words.
        case .sequence(KeyReader.altRight): return [0x1B, UInt32(UInt8(ascii: "f"))]
        case .sequence(KeyReader.altLeft): return [0x1B, UInt32(UInt8(ascii: "b"))]
        case .sequence(let sequence): return Deque([0x1B] + sequence.unicodeScalars.map(\.value))
        case .paste(let scalars):
            pasted = scalars
            return [Libedit.Command.paste.rawValue]
        }
    }

    /// Returns what a key takes of the suggestion: all with →, ^F, End or ^E, a word with Alt-→ or Alt-f; nil for
    /// nothing.
    private func taken(of key: Key) -> String? {
        let isAll: Bool
        switch key {
        case .character(0x06), .character(0x05), .sequence("[C"), .sequence("OC"), .sequence("[F"), .sequence("OF"),
            .sequence("[4~"):
            isAll = true
        case .sequence(KeyReader.altRight), .sequence("f"): isAll = false
        default: return nil
        }
        guard !libedit.isVi, let suggestion else { return nil }
        return isAll ? suggestion : Suggestion.word(of: suggestion)
    }

    /// Returns which session a key switches to, or nil.
    private func step(of key: Key) -> Switch? {
        guard !libedit.isVi, !libedit.isSearching, case .sequence(let text) = key else { return nil }
        switch text {
        case KeyReader.altRight: return .next
        case KeyReader.altLeft: return .previous
        default:
            guard text.count == 1, let number = Int(text), number > 0 else { return nil }
            return .number(number)
        }
    }

    func perform(_ command: Libedit.Command) -> Libedit.Outcome {
        switch command {
        case .complete: return complete()
        case .paste:
            defer { pasted = [] }
            return libedit.insert(pasted) ? .changed : .failed
        case .clear: screen.clear()
        case .toEnd: libedit.moveToEnd()
        case .matchBefore: return showMatch(step: -1)
        case .matchAfter: return showMatch(step: 1)
        case .search: beginSearch()
        case .undo: return undo()
        case .edit: return edit()
        case .rowUp: return moveRow(LineRows.above) ? .changed : again(.historyBefore)
        case .rowDown: return moveRow(LineRows.below) ? .changed : again(.historyAfter)
        case .endSearch, .viCommandMode, .historyBefore, .historyAfter: break
        }
        return .changed
    }

    /// Has libedit run another command next.
    private func again(_ command: Libedit.Command) -> Libedit.Outcome {
        pending.prepend(command.rawValue)
        return .unchanged
    }

    // MARK: Hidden text

    /// Whether a key is used while a password is typed. What would keep the text elsewhere, to be put back later, is not:
    /// the keys that delete much erase all.
    private func isForHidden(_ key: Key) -> Bool {
        switch key {
        case .paste: return true
        case .character(0x15), .character(0x0B), .character(0x17):
            _ = replaceLine([])
            return false
        case .character(let value): return value >= 0x20 || [0x04, 0x08, 0x0A, 0x0D, 0x0C].contains(value)
        case .sequence: return false
        }
    }

    /// Notes the line before a key that may change it. A long line is not noted for each character: that would take
    /// quadratic time.
    func noteForUndo(_ key: Key) {
        if isHiding {
            undoStack = UndoStack()
        } else if case .character(let value) = key, value > 0x20, value != 0x7F, libedit.count > Self.longestNoted {
            return
        } else {
            undoStack.note(libedit.line, cursor: libedit.cursor)
        }
    }

    private static let longestNoted = 2048

    // MARK: Blocks

    /// Handles a key that inside a block differs from its use in one row: Enter, the vertical arrows, and what changes
    /// the blanks that a row began with. Returns whether it did.
    private func takeInBlock(_ key: Key) -> Bool {
        if case .character(let value) = key, value >= 0x20 {
            guard indent > 0, value == 0x20 || value == UInt32(UInt8(ascii: "}")) else { return false }
            return takeIndent(value)
        }
        guard !libedit.isSearching else { return false }
        switch key {
        case .character(0x0D), .character(0x0A): return addRow()
        case .sequence("[A"), .character(0x10): return moveRow(LineRows.above)
        case .sequence("[B"), .character(0x0E): return moveRow(LineRows.below)
        case .sequence("[H"), .character(0x01): return moveInRow(LineRows.start)
        case .sequence("[F"), .character(0x05): return moveInRow(LineRows.end)
        case .character(0x15): return deleteInRow(from: LineRows.start)
        case .character(0x0B): return deleteInRow(from: { cursor, _ in cursor })
        default: return false
        }
    }

    /// Begins another row if the line needs one; returns false if it is whole.
    private func addRow() -> Bool {
        guard !isHiding, case .unfinished(let depth) = openBlocks(string(of: libedit.line)) else { return false }
        dropIndent()
        // Only at the end is the depth that of the row.
        let blanks = libedit.cursor == libedit.count ? depth * LineRows.step : 0
        let isAdded = libedit.insert([0x0A] + [UInt32](repeating: 0x20, count: blanks))
        indent = isAdded ? blanks : 0
        if !isAdded { screen.bell() }
        return true
    }

    /// Moves to an end of the row; returns false if the cursor is there already, or if there is only one row.
    private func moveInRow(_ place: (Int, [UInt32]) -> Int) -> Bool {
        let (line, cursor) = (libedit.line, libedit.cursor)
        guard line.contains(0x0A), case let index = place(cursor, line), index != cursor else { return false }
        libedit.move(by: index - cursor)
        return true
    }

    /// Deletes the row of the cursor from a place on, but not the rows around it; returns false if there is only one.
    private func deleteInRow(from start: (Int, [UInt32]) -> Int) -> Bool {
        let (line, cursor) = (libedit.line, libedit.cursor)
        guard line.contains(0x0A) else { return false }
        let (start, end) = (start(cursor, line), LineRows.end(of: cursor, in: line))
        libedit.move(by: end - cursor)
        libedit.delete(end - start)
        return true
    }

    private func moveRow(_ move: (Int, [UInt32]) -> Int?) -> Bool {
        guard let index = move(libedit.cursor, libedit.line) else { return false }
        libedit.move(by: index - libedit.cursor)
        return true
    }

    /// A typed indentation takes the place of ours, and `}` stands one step to the left.
    private func takeIndent(_ value: UInt32) -> Bool {
        guard indent > 0, LineRows.blanks(before: libedit.cursor, in: libedit.line) == indent,
            libedit.cursor == libedit.count
        else {
            indent = 0
            return false
        }
        libedit.delete(value == 0x20 ? indent : min(indent, LineRows.step))
        indent = 0
        return false
    }

    /// Removes the blanks of a row in which nothing was typed.
    private func dropIndent() {
        if indent > 0, LineRows.blanks(before: libedit.cursor, in: libedit.line) == indent { libedit.delete(indent) }
        indent = 0
    }

    // MARK: Changes of the whole line

    private func replaceLine(_ line: [UInt32]) -> Bool {
        libedit.moveToEnd()
        libedit.delete(libedit.count)
        return libedit.insert(line)
    }

    private func undo() -> Libedit.Outcome {
        guard let state = undoStack.undo(), replaceLine(state.line) else {
            screen.bell()
            return .failed
        }
        libedit.move(by: state.cursor - libedit.cursor)
        return .changed
    }

    /// Ends the line, which is then edited elsewhere.
    private func edit() -> Libedit.Outcome {
        guard !isHiding else { return .failed }
        closeLists()
        textToEdit = string(of: libedit.line)
        screen.withdraw()
        return .unchanged
    }

    // MARK: The history

    /// Shows the next history entry, in a direction, that begins with the text of the line before the first such step.
    private func showMatch(step: Int) -> Libedit.Outcome {
        guard let entry = search.next(from: string(of: libedit.line), step: step, in: shownHistory) else {
            screen.bell()
            return .failed
        }
        return replaceLine(entry.unicodeScalars.map(\.value)) ? .changed : .failed
    }

    private func beginSearch() {
        guard !isHiding else { return screen.bell() }
        closeLists()
        historyList = HistoryList(shownHistory)
    }

    /// Handles a key of the search; returns the characters that libedit receives after its end.
    private func takeInSearch(_ key: Key) -> Deque<UInt32> {
        switch key {
        case .character(0x12), .sequence("[A"), .character(0x10): stepInSearch(1)
        case .character(0x13), .sequence("[B"), .character(0x0E): stepInSearch(-1)
        case .character(0x07): historyList = nil
        case .character(0x0C): screen.clear()
        case .character(0x08), .character(0x7F): historyList?.erase()
        case .character(0x17): historyList?.erase(isTerm: true)
        case .character(0x15): historyList?.eraseAll()
        case .character(0x0D), .character(0x0A):
            if takeFound() { reader.putBack(key) }
        case .character(0x09): _ = takeFound()
        case .character(let value) where value >= 0x20: historyList?.type([value])
        case .paste(let scalars): historyList?.type(scalars.prefix { $0 != 0x0A })
        case .character(0x1B), .character(Libedit.Command.viCommandMode.rawValue): _ = takeFound()
        default:
            // Any other key does what it does elsewhere, in the line that was found.
            if takeFound() { reader.putBack(key) }
        }
        return []
    }

    private func stepInSearch(_ count: Int) {
        if historyList?.step(by: count) != true { screen.bell() }
    }

    /// Ends the search with the chosen entry as the line; returns false if there is none.
    private func takeFound() -> Bool {
        guard let choice = historyList?.choice else {
            screen.bell()
            return false
        }
        historyList = nil
        return replaceLine(choice.unicodeScalars.map(\.value))
    }

    // MARK: Completion

    /// Closes the lists below the line.
    func closeLists() {
        menu = nil
        historyList = nil
    }

    private func complete() -> Libedit.Outcome {
        let (typed, cursor) = (libedit.line, libedit.cursor)
        let line = string(of: typed[..<cursor])
        let (row, isFirst) = rowBeforeCursor
        let completion = completer.complete(row, isFirstRow: isFirst)
        guard !completion.candidates.isEmpty else {
            screen.bell()
            return .failed
        }
        let isOnly = completion.candidates.count == 1
        let common = completion.commonPrefix
        let start = cursor - completion.replaced
        if isOnly {
            accept(common, suffix: completion.suffix, replacing: completion.replaced)
            lastCompleted = nil
            return .changed
        }
        // The typed text may be rewritten: a name with blanks needs an opening quote.
        let isLonger = !completion.isFuzzy && common.unicodeScalars.count > completion.replaced
        if isLonger {
            libedit.delete(completion.replaced)
            _ = libedit.insert(common.unicodeScalars.map(\.value))
        }
        guard screen.isPlain else {
            menu = ChoiceMenu(completion, typed: Array(libedit.line[start..<libedit.cursor]))
            return .changed
        }
        listAbove(completion, line, isLonger ? string(of: typed[..<start]) + common : nil)
        return .changed
    }

    /// Lists the choices above the line, at the second Tab, where the terminal has no rows below it.
    private func listAbove(_ completion: Completion, _ line: String, _ longer: String?) {
        if let longer {
            lastCompleted = longer
        } else if lastCompleted == line {
            let choices = ChoiceList(completion.choices, width: screen.width, height: screen.height)
            screen.show(Array(choices.text.utf8))
        } else {
            screen.bell()
            lastCompleted = line
        }
    }

    /// Puts a completed argument in the place of the typed one.
    private func accept(_ text: String, suffix: String, replacing count: Int) {
        libedit.delete(count)
        let (line, cursor) = (libedit.line, libedit.cursor)
        let hasBlank = cursor < line.count && line[cursor] == 0x20
        let suffix = hasBlank && suffix == " " ? "" : suffix
        _ = libedit.insert((text + suffix).unicodeScalars.map(\.value))
    }

    /// Handles a key while choices are shown; returns whether it was one of theirs.
    private func takeInMenu(_ key: Key) -> Bool {
        updateMenu()
        guard let menu else { return false }
        switch key {
        case .character(0x09) where menu.completion.choices.count == 1:
            let completion = menu.completion
            accept(completion.commonPrefix, suffix: completion.suffix, replacing: menu.text.count)
            self.menu = nil
        case .character(0x09), .sequence("[B"), .character(0x0E): stepInMenu(1)
        case .sequence(KeyReader.backTab), .sequence("[A"), .character(0x10): stepInMenu(-1)
        case .character(0x07), .character(0x1B), .character(Libedit.Command.viCommandMode.rawValue):
            replaceChoice(of: menu, with: menu.typed)
            self.menu = nil
        case .character(0x0D), .character(0x0A):
            guard menu.selected != nil else { return closeMenu() }
            accept(string(of: menu.text), suffix: menu.completion.suffix, replacing: menu.text.count)
            self.menu = nil
        case .character(let value) where menu.selected == nil && (value > 0x20 || value == 0x08): return false
        default: return closeMenu()
        }
        return true
    }

    private func closeMenu() -> Bool {
        menu = nil
        return false
    }

    private func stepInMenu(_ count: Int) {
        guard var menu else { return }
        let former = menu
        menu.step(by: count)
        replaceChoice(of: former, with: menu.text)
        self.menu = menu
    }

    private func replaceChoice(of menu: ChoiceMenu, with text: [UInt32]) {
        libedit.delete(menu.text.count)
        _ = libedit.insert(text)
    }

    /// Narrows the choices to what was typed since, while none is chosen.
    func updateMenu() {
        guard let menu, menu.selected == nil else { return }
        let before = libedit.line[..<libedit.cursor]
        let (row, isFirst) = rowBeforeCursor
        let completion = completer.complete(row, isFirstRow: isFirst)
        if completion.choices.isEmpty || completion.replaced > before.count {
            self.menu = nil
        } else if completion != menu.completion {
            self.menu = ChoiceMenu(completion, typed: Array(before.suffix(completion.replaced)))
        }
    }
}
