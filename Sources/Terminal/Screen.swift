import Glibc
import Reactor

/// Paints the prompt with the line being typed, and other output above it.
///
/// Painting is deferred: text and changes are collected, and `refresh`, called once before each wait, sends them in one
/// write. A flood of output is drawn in large pieces, and the prompt once after each of them.
final class Screen {
    /// What is painted: the prompt, and the line being typed.
    struct Scene {
        var prompt: [UInt32] = []
        var line: [UInt32] = []
        var cursor = 0
        /// The style of each scalar of the line (ECMA-48 SGR); empty for none.
        var styles: [String?] = []
        /// Shown after the line in grey, as far as its row has room.
        var suggestion: [UInt32] = []
        var isPromptDim = false
        /// The prompt of the rows of the line after its first one; empty for none.
        var rowPrompt: [UInt32] = []
        /// The rows of the line that are marked as wrong, counted from 0.
        var wrongRows: Set<Int> = []
        /// Returns the rows below the line, given how many there is room for.
        var panel: (Int) -> [PanelRow] = { _ in [] }
        /// The beginning of a line that is still arriving, in a row of its own above the prompt; empty for none.
        var live: [UInt32] = []
    }

    /// A row below the line, such as a choice of a completion.
    struct PanelRow: Equatable {
        var text: [UInt32]
        /// The style of each scalar; empty for none.
        var styles: [String?] = []

        /// A row of one style.
        init(_ text: String, style: String? = nil) {
            self.text = text.unicodeScalars.map(\.value)
            styles = [String?](repeating: style, count: self.text.count)
        }

        /// Adds text in a style.
        mutating func append(_ text: String, style: String? = nil) {
            let scalars = text.unicodeScalars.map(\.value)
            self.text += scalars
            styles += [String?](repeating: style, count: scalars.count)
        }
    }

    /// The painted scene: the live row belongs to the prompt; the suggestion, the prompts of further rows and the panel
    /// to the line.
    private struct Painted: Equatable {
        var prompt: [UInt32]
        var line: [UInt32]
        var cursor: Int
        let width: Int
        var styles: [String?] = []
        /// Where the prompt itself begins, after the live row.
        var promptStart = 0
        var promptStyle: String?
        /// The first visible row of the text, when not all rows fit.
        var firstRow = 0
    }

    let stream: OutputStream
    private(set) var width = 80
    private(set) var height = 24
    /// The color of the prompt (ECMA-48 SGR), or nil.
    var promptColor: Int?
    /// Whether to write only text, newlines, carriage returns and backspaces while prompt and line fit into one row:
    /// for screen readers and logs.
    var isPlain = false

    /// Whether others use the terminal: text waits until they have finished.
    var isLent = false {
        didSet { if !isLent { writeAbove() } }
    }

    private var painted: Painted?
    /// The number of rows from the top of the painted area to its cursor and to its last row.
    private var cursorRow = 0
    private var lastRow = 0
    private var above: [UInt8] = []
    private var needsPaint = true
    /// Whether the last text above did not end its row.
    private var isInsideRow = false
    /// Whether it is not known yet what a change of the size has done to the painted area.
    private(set) var isResizing = false
    /// How many rows of the painted area have left the screen at its top.
    private var hiddenRows = 0
    /// Whether the painted area may extend further down than recorded: not every terminal reflows it after a resize.
    private var mayReachFurther = false

    init(_ stream: OutputStream) {
        self.stream = stream
        updateSize()
    }

    /// Adds text above the line. The text ends with a newline or is completed by later text.
    func show(_ text: [UInt8]) {
        above += text
        if painted == nil, !isLent { writeAbove() }
    }

    /// Rereads the terminal's size. Returns whether it matters for the painted area how the terminal has treated its
    /// rows: then nothing is painted until `finishResize`.
    func resize() -> Bool {
        updateSize()
        needsPaint = true
        mayReachFurther = painted != nil
        guard let painted, lastRow > 0 || layout(of: painted).end.row > 0 else { return false }
        isResizing = true
        return true
    }

    /// Takes the place of the cursor after a change of the size, counted from 1; nil if the terminal reports none.
    ///
    /// Some terminals join the rows that they wrapped themselves and wrap them again at the new width; some leave rows as
    /// they are. The column of the cursor shows which, since the wrapped text has another end. A terminal that does not
    /// report its cursor does not rewrap.
    func finishResize(_ cursor: (row: Int, column: Int)?) {
        guard isResizing else { return }
        isResizing = false
        guard let painted else { return }
        let layout = layout(of: painted)
        guard let cursor, cursor.column == min(layout.cursor.column + 1, width) else {
            cursorRow = min(cursorRow, height - 1)
            lastRow = min(lastRow, height - 1)
            return
        }
        // Rows above the screen are left as they are: they would otherwise be there twice.
        hiddenRows = max(0, layout.cursor.row - cursor.row + 1)
        cursorRow = layout.cursor.row - hiddenRows
        lastRow = min(layout.end.row - hiddenRows, height - 1)
    }

    private func layout(of state: Painted) -> LineLayout {
        LineLayout(state.prompt + state.line, cursor: state.prompt.count + state.cursor, width: width)
    }

    /// Paints all changes in one write: the text above, then prompt and line.
    func refresh(_ scene: Scene) {
        guard !isResizing else { return stream.flush() }
        var state = arranged(scene)
        state.firstRow = painted?.firstRow ?? 0
        guard needsPaint || !above.isEmpty || state != painted else { return }
        let start: [UInt8] = painted == nil && isInsideRow ? [0x0D, 0x0A] : []
        isInsideRow = false
        let output = start + (plainUpdate(to: state) ?? update(to: &state))
        above = []
        painted = state
        needsPaint = false
        stream.write(output)
        stream.flush()
    }

    func refresh(prompt: [UInt32], line: [UInt32], cursor: Int) {
        refresh(Scene(prompt: prompt, line: line, cursor: cursor))
    }

    /// Returns a scene as it fits the screen: one row of live text, a suggestion that adds no row, and as many rows of
    /// the panel as there is room for.
    private func arranged(_ scene: Scene) -> Painted {
        let live = isPlain ? [] : fitting(scene.live, width - 1)
        let head = live.isEmpty ? [] : live + [0x0A]
        let prompt = scene.wrongRows.contains(0) ? marked(scene.prompt) : scene.prompt
        var state = Painted(
            prompt: head + prompt, line: [], cursor: scene.cursor, width: width, promptStart: head.count,
            promptStyle: scene.isPromptDim ? Style.dim : promptStyle(isWrong: scene.wrongRows.contains(0)))
        addRows(of: scene, to: &state)
        if !isPlain, !scene.suggestion.isEmpty, scene.cursor == scene.line.count {
            let layout = LineLayout(prompt + state.line, cursor: 0, width: width)
            let rest = fitting(scene.suggestion, layout.endsFull ? 0 : width - layout.end.column - 1)
            state.line += rest
            state.styles += [String?](repeating: Style.suggestion, count: rest.count)
        }
        addPanel(of: scene, to: &state)
        return state
    }

    /// Adds the line with the prompts of its rows.
    private func addRows(of scene: Scene, to state: inout Painted) {
        state.styles = scene.styles + [String?](repeating: nil, count: max(0, scene.line.count - scene.styles.count))
        guard !scene.rowPrompt.isEmpty, scene.line.contains(0x0A) else {
            state.line = scene.line
            return
        }
        let styles = state.styles
        state.styles = []
        var row = 0
        for (index, scalar) in scene.line.enumerated() {
            state.line.append(scalar)
            state.styles.append(styles[index])
            guard scalar == 0x0A else { continue }
            row += 1
            let isWrong = scene.wrongRows.contains(row)
            state.line += isWrong ? marked(scene.rowPrompt) : scene.rowPrompt
            state.styles += [String?](repeating: promptStyle(isWrong: isWrong), count: scene.rowPrompt.count)
            if index < scene.cursor { state.cursor += scene.rowPrompt.count }
        }
    }

    private func addPanel(of scene: Scene, to state: inout Painted) {
        let layout = LineLayout(state.prompt + state.line, cursor: 0, width: width)
        let room = height - layout.end.row - 1
        guard !isPlain, room > 0 else { return }
        let rows = scene.panel(room).prefix(room)
        // After a full row the cursor is already in the next one, which must stay empty.
        if layout.endsFull, !rows.isEmpty {
            guard room > 1 else { return }
            state.line.append(0x0A)
            state.styles.append(nil)
        }
        for row in rows {
            let text = fitting(row.text, width - 1)
            state.line += [0x0A] + text
            let styles = row.styles + [String?](repeating: nil, count: max(0, text.count - row.styles.count))
            state.styles += [nil] + styles.prefix(text.count)
        }
    }

    private func promptStyle(isWrong: Bool) -> String? {
        promptColor.map { isWrong ? Style.wrong : String($0) }
    }

    /// Returns a prompt that marks a wrong row: `!` in place of `>`, or the color of the prompt.
    private func marked(_ prompt: [UInt32]) -> [UInt32] {
        guard promptColor == nil, let sign = prompt.lastIndex(of: UInt32(UInt8(ascii: ">"))) else { return prompt }
        var prompt = prompt
        prompt[sign] = UInt32(UInt8(ascii: "!"))
        return prompt
    }

    private enum Style {
        static let suggestion = "90"
        static let wrong = "1;31"
        static let dim = "2"
    }

    /// Returns as much of a text as fits into a number of columns, with `…` where it is cut.
    func fitting(_ text: [UInt32], _ columns: Int) -> [UInt32] {
        guard self.columns(text) > columns else { return text }
        var room = columns - 1
        guard room >= 0 else { return [] }
        return text.prefix { scalar in
            room -= displayWidth(scalar)
            return room >= 0
        } + [0x2026]
    }

    private func update(to state: inout Painted) -> [UInt8] {
        var output: [UInt8] = Array("\u{1B}[?25l".utf8)
        if !above.isEmpty {
            erase(&output)
            output += completedAbove
        }
        paint(&state, &output)
        output += "\u{1B}[?25h".utf8
        return output
    }

    /// Returns the same update without escape sequences; nil when that is not possible.
    private func plainUpdate(to state: Painted) -> [UInt8]? {
        guard isPlain, lastRow == 0, isOneRow(state), !mayReachFurther else { return nil }
        var output: [UInt8] = []
        var former = painted.map { columns($0.prompt + $0.line) } ?? 0
        if !above.isEmpty {
            output += blank(former) + completedAbove
            former = 0
        } else if let painted, painted.prompt == state.prompt, painted.cursor == painted.line.count,
            state.cursor == state.line.count, state.line.starts(with: painted.line)
        {
            return state.line.dropFirst(painted.line.count).flatMap { Array(displayed($0).utf8) }
        }
        let text = state.prompt + state.line
        let padding = max(0, former - columns(text))
        output += "\r".utf8
        output += text.flatMap { Array(displayed($0).utf8) } + [UInt8](repeating: 0x20, count: padding)
        let afterCursor = columns(Array(state.line[state.cursor...])) + padding
        cursorRow = 0
        return output + [UInt8](repeating: 0x08, count: afterCursor)
    }

    /// The text above, with an end of line where it has none: the prompt begins a row.
    private var completedAbove: [UInt8] { above.last == 0x0A ? above : above + [0x0D, 0x0A] }

    private func isOneRow(_ state: Painted) -> Bool {
        let text = state.prompt + state.line
        return !text.contains(0x0A) && columns(text) < width
    }

    private func columns(_ text: [UInt32]) -> Int {
        text.reduce(0) { $0 + displayWidth($1) }
    }

    /// Returns the bytes that blank the first `columns` columns of a row.
    private func blank(_ columns: Int) -> [UInt8] {
        columns == 0 ? [] : [0x0D] + [UInt8](repeating: 0x20, count: columns) + [0x0D]
    }

    /// Finishes the line: moves the cursor below it, where later output is written.
    func finishLine(suffix: String = "") {
        guard painted != nil else { return }
        var output: [UInt8] = []
        moveDown(lastRow - cursorRow, &output)
        if !suffix.isEmpty { output += suffix.utf8 }
        output += "\r\n".utf8
        stream.write(output)
        forget()
        writeAbove()
        stream.flush()
    }

    /// Removes the painted prompt and line; later output takes their place.
    func withdraw() {
        guard painted != nil else { return }
        var output: [UInt8] = []
        erase(&output)
        stream.write(output)
        forget()
        writeAbove()
    }

    /// Clears the screen; the line is repainted at its top.
    func clear() {
        stream.write(Array("\u{1B}[H\u{1B}[2J".utf8))
        forget()
    }

    /// Records that nothing painted is on the screen any more.
    func forget() {
        painted = nil
        cursorRow = 0
        lastRow = 0
        hiddenRows = 0
        isResizing = false
        needsPaint = true
    }

    func bell() {
        stream.write([0x07])
    }

    private func writeAbove() {
        guard let last = above.last else { return }
        stream.write(above)
        isInsideRow = last != 0x0A
        above = []
    }

    private func updateSize() {
        guard let size = screenSize(of: STDOUT_FILENO) else { return }
        (width, height) = size
    }

    /// Clears every row of the painted area, from the last one up. Does not use ESC[J: some terminals would scroll the
    /// erased rows into their history.
    private func erase(_ output: inout [UInt8]) {
        guard let painted else { return }
        if isPlain, lastRow == 0, isOneRow(painted) {
            output += blank(columns(painted.prompt + painted.line))
            return
        }
        moveDown(lastRow - cursorRow, &output)
        output += "\r\u{1B}[K".utf8
        for _ in 0..<lastRow { output += "\u{1B}[A\u{1B}[K".utf8 }
        cursorRow = 0
        lastRow = 0
    }

    private func paint(_ state: inout Painted, _ output: inout [UInt8]) {
        let text = state.prompt + state.line
        let layout = LineLayout(text, cursor: state.prompt.count + state.cursor, width: width)
        let rows = layout.end.row + 1
        hiddenRows = min(hiddenRows, layout.cursor.row)
        if rows - hiddenRows <= height {
            state.firstRow = hiddenRows
        } else {
            // Not all rows fit: show a window of them around the cursor.
            state.firstRow = state.firstRow.clamped(to: max(0, layout.cursor.row - height + 1)...layout.cursor.row)
        }
        let lastShown = min(layout.end.row, state.firstRow + height - 1)
        let former = lastRow
        if cursorRow > 0 { output += "\u{1B}[\(cursorRow)A".utf8 }
        output += "\r".utf8
        paintRows(state, text, layout, through: lastShown, &output)
        lastRow = lastShown - state.firstRow
        if former > lastRow {
            for _ in lastRow..<former { output += "\r\n\u{1B}[K".utf8 }
            if mayReachFurther { output += "\u{1B}[J".utf8 }
            output += "\u{1B}[\(former - lastRow)A".utf8
        } else if mayReachFurther {
            output += "\u{1B}[J".utf8
        }
        mayReachFurther = false
        cursorRow = layout.cursor.row - state.firstRow
        if lastRow > cursorRow { output += "\u{1B}[\(lastRow - cursorRow)A".utf8 }
        output += "\r".utf8
        if layout.cursor.column > 0 { output += "\u{1B}[\(layout.cursor.column)C".utf8 }
    }

    /// Writes the visible rows. The terminal itself wraps between rows, so it can reflow the line when its width
    /// changes.
    private func paintRows(
        _ state: Painted, _ text: [UInt32], _ layout: LineLayout, through lastShown: Int, _ output: inout [UInt8]
    ) {
        for row in state.firstRow...lastShown {
            // The row after a full last row is empty.
            guard row < layout.rowStarts.count else {
                output += " \r\u{1B}[K".utf8
                break
            }
            let start = layout.rowStarts[row]
            let end = row + 1 < layout.rowStarts.count ? layout.rowStarts[row + 1] : text.count
            paintScalars(text, start..<end, state, &output)
            let endsInNewline = end > start && text[end - 1] == 0x0A
            let isLast = row == lastShown
            let columns = text[start..<end].reduce(0) { $0 + ($1 == 0x0A ? 0 : displayWidth($1)) }
            if !isLast, !endsInNewline {
                // A wide character that does not fit is in the next row: the terminal wraps after a full row.
                output += [UInt8](repeating: 0x20, count: max(0, width - columns))
            } else if columns < width {
                output += "\u{1B}[K".utf8
            }
            if !isLast && endsInNewline { output += "\r\n".utf8 }
        }
    }

    private func paintScalars(_ text: [UInt32], _ range: Range<Int>, _ state: Painted, _ output: inout [UInt8]) {
        var current: String?
        for index in range where text[index] != 0x0A {
            let style = style(at: index, state)
            if style != current {
                if current != nil { output += "\u{1B}[0m".utf8 }
                if let style { output += "\u{1B}[\(style)m".utf8 }
                current = style
            }
            output += displayed(text[index]).utf8
        }
        if current != nil { output += "\u{1B}[0m".utf8 }
    }

    /// Returns the style of a scalar of prompt and line, or nil.
    private func style(at index: Int, _ state: Painted) -> String? {
        if index < state.promptStart { return nil }
        if index < state.prompt.count { return state.promptStyle }
        let place = index - state.prompt.count
        return place < state.styles.count ? state.styles[place] : nil
    }

    private func moveDown(_ rows: Int, _ output: inout [UInt8]) {
        if rows > 0 { output += "\u{1B}[\(rows)B".utf8 }
    }
}

/// Returns the size of a terminal in columns and rows (tty_ioctl(4), TIOCGWINSZ); nil for anything else.
private func screenSize(of descriptor: Int32) -> (width: Int, height: Int)? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
    return (Int(size.ws_col), Int(size.ws_row))
}

/// Returns the width of a terminal in columns; nil for anything else.
package func screenWidth(of descriptor: Int32) -> Int? { screenSize(of: descriptor)?.width }
