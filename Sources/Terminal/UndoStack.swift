/// The former states of a line, for undo. Characters typed one after the other are undone a word at a time.
struct UndoStack {
    struct State: Equatable {
        var line: [UInt32] = []
        var cursor = 0
    }

    private var former: [State] = []
    private var current = State()
    /// Whether the last change inserted one character.
    private var isTyping = false
    /// The number of scalars in `former`.
    private var size = 0

    /// The most scalars kept.
    private static let limit = 4 << 20

    /// Notes the line before a key changes it.
    mutating func note(_ line: [UInt32], cursor: Int) {
        defer { current = State(line: line, cursor: cursor) }
        guard line != current.line else { return }
        let isInsertion =
            line.count == current.line.count + 1 && cursor == current.cursor + 1 && cursor > 0
            && line[..<(cursor - 1)] == current.line[..<(cursor - 1)]
        let beginsWord = isInsertion && (cursor < 2 || line[cursor - 2] == 0x20) && line[cursor - 1] != 0x20
        if !(isInsertion && isTyping && !beginsWord) { push(current) }
        isTyping = isInsertion
    }

    private mutating func push(_ state: State) {
        former.append(state)
        size += state.line.count
        while size > Self.limit, former.count > 1 { size -= former.removeFirst().line.count }
    }

    /// Returns the last former state, which becomes the current one; nil if there is none.
    mutating func undo() -> State? {
        guard let state = former.popLast() else { return nil }
        size -= state.line.count
        current = state
        isTyping = false
        return state
    }
}
