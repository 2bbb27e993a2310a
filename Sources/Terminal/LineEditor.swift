import DequeModule
import Glibc
import Reactor

/// Reads lines from a terminal with libedit's editing and keys, while the event loop continues to serve everything
/// else.
///
/// `Libedit` is the engine, not the painter. It requests each key through a callback, even in the middle of a search or
/// a key sequence; that callback turns the loop until a key is available. So there is a single wait for the keyboard
/// and everything else. `Screen` paints, once before each wait.
package final class LineEditor: DescriptorWatcher {
    /// The result of reading a line.
    package enum Line: Equatable {
        case text(String)
        /// ^X^E: the text is to be edited elsewhere, then `begin(with:)` continues.
        case edit(String)
        /// ^C: the typed text is discarded.
        case interrupted
        /// ^D on an empty line, the terminal is gone, or `close` was called.
        case ended
    }

    private let loop: EventLoop
    let screen: Screen
    private let history: History
    let completer: Completer
    private let highlighter: Highlighter
    /// Whether there are colors and suggestions in the line.
    let usesColor: Bool
    private let turn: () -> Void
    let libedit: Libedit

    var reader = KeyReader(settings: TerminalSettings(of: STDIN_FILENO))
    private var holdTimer: Timer?
    /// Until the terminal has reported its cursor after a change of its size.
    private var resizeTimer: Timer?
    private static let reportTime = Duration.milliseconds(150)
    /// Returns the prompt, which may change while the line is being typed.
    private var makePrompt: () -> String = { "" }
    /// Whether there is a row for that.
    package var hasLiveRow: Bool { !screen.isPlain }
    /// Returns what is waited for while no line is typed; nil for nothing.
    package var waitingRow: () -> String? = { nil }
    /// Returns the beginning of a line that is still arriving; empty for none.
    package var liveRow: () -> [UInt32] = { [] }
    /// Whether a text needs more rows.
    package enum Openness: Equatable {
        case whole
        /// The next row begins with blanks for this many blocks; zero also inside a heredoc.
        case unfinished(depth: Int)
    }

    /// Another session to talk to.
    package enum Switch {
        case number(Int)
        case next, previous
    }

    /// Called for Alt-1 to Alt-9, Alt-← and Alt-→; returns whether there is such a session.
    package var switchTo: (Switch) -> Bool = { _ in false }
    /// Whether what is typed is not shown: a password.
    package var hidesTyping: () -> Bool = { false }
    /// Whether what was typed since was hidden from its beginning or a later moment: it is never shown then.
    private var wasHidden = false
    /// Called with a typed line, which may be hidden, before it takes its place above later output.
    package var willFinish: (_ line: String, _ isHidden: Bool) -> Void = { _, _ in }
    /// Returns how many blocks a text leaves open, or nil if it is whole: then Enter runs it.
    package var openBlocks: (String) -> Openness = { _ in .whole }
    /// Returns the rows of a text that are wrong, counted from 0.
    package var wrongRows: (String) -> Set<Int> = { _ in [] }
    /// What the sessions that typed lines are sent to put before each line, such as `a> `; empty for commands.
    package var talkPrefix: () -> String = { "" }
    /// The history of the arrow keys: that of the file, and lines that are not kept.
    private var entries: [String]
    /// The history of the arrow keys, as it is typed in the current mode, and that mode.
    var shownHistory: [String] = []
    private var shownPrefix: String?
    /// Whether text is paged, and what is shown after it.
    private var isPaging = false
    private var textAfterPages: [UInt8] = []
    /// The most bytes held back until the pages were read: then nothing more is read.
    private static let mostAfterPages = 1 << 20
    /// Shown instead of prompt and line while text is paged.
    private var pagerPrompt: [UInt32]?
    var pasted: [UInt32] = []
    private var isInterrupted = false
    /// The line that is to be edited elsewhere.
    var textToEdit: String?
    /// Whether there can be no more lines: the terminal is gone, or `close` was called.
    package private(set) var isClosed = false
    /// Handles the signal of ^C. Other signal keys go to the process group.
    package var takeSignal: (Int32) -> Void = { _ in }
    /// Whether the terminal is being restored: nothing is shown any more.
    private var isEnding = false
    /// The line up to the cursor, as the last Tab left it, where choices are listed above the line.
    var lastCompleted: String?
    /// The choices below the line, or nil.
    var menu: ChoiceMenu?
    /// The search of ^R, or nil.
    var historyList: HistoryList?
    var undoStack = UndoStack()
    /// The wrong rows that are marked, and the row and text for which that was decided.
    private var markedRows: Set<Int> = []
    private var markedFor: (row: Int, text: [UInt32]) = (0, [])
    /// The text that the next line begins with.
    private var nextText: [UInt32] = []
    /// Characters of a key that libedit has not read yet.
    var pending: Deque<UInt32> = []
    /// How many blanks the row at the cursor was given to begin with.
    var indent = 0
    /// Whether the search was already ended for the next key: a line may merely look like a search.
    var hasEndedSearch = false
    /// The search of Esc p and Esc n.
    var search = HistorySearch()
    /// Whether the terminal was taken over again before SIGCONT was reported.
    private var hasResumed = false

    /// The amount of output, in bytes, that a key may have to wait for: a terminal takes some megabytes a second.
    private static let highWater = 16 * 1024
    private static let historySize = 10_000
    private static let hold = Duration.milliseconds(30)
    /// The longest pause within a paste.
    private static let pasteHold = Duration.milliseconds(500)
    /// How long the terminal may take to accept the final output.
    private static let gracePeriod = Duration.seconds(2)

    /// - Parameters:
    ///   - historyPath: the history file, or nil to keep the history in memory only.
    ///   - turn: turns the loop once; called while waiting for a key.
    ///   - usesColor: whether the prompt is colored.
    ///   - isPlain: avoids escape sequences where possible, so there is no bracketed paste.
    /// - Returns: nil when the terminal cannot be set up.
    package init?(
        on loop: EventLoop, historyPath: SystemString?, completer: Completer, highlighter: Highlighter, usesColor: Bool,
        isPlain: Bool,
        turn: @escaping () -> Void
    ) {
        // libedit changes the terminal's modes as soon as it is created.
        TerminalRescue.arm()
        guard let libedit = Libedit() else {
            TerminalRescue.disarm()
            return nil
        }
        self.loop = loop
        self.turn = turn
        self.completer = completer
        self.libedit = libedit
        screen = Screen(OutputStream(STDOUT_FILENO, on: loop, highWater: Self.highWater))
        screen.promptColor = usesColor ? 1 : nil
        self.usesColor = usesColor && !isPlain
        self.highlighter = highlighter
        screen.isPlain = isPlain
        history = History(path: historyPath)
        entries = history.entries
        libedit.nextCharacter = { [unowned self] in nextCharacter() }
        libedit.perform = { [unowned self] in perform($0) }
        libedit.configure(history: history.entries, size: Self.historySize)
        // Type-ahead is not echoed before the first line either.
        libedit.setRaw(true)
        // In vi's key maps ESC introduces sequences: a lone ESC is delivered as another key.
        if libedit.isVi { reader.loneEscape = Libedit.Command.viCommandMode.rawValue }
        loop.watch(STDIN_FILENO, read: true, write: false, watcher: self)
        write(pasteMarks(true))
    }

    /// Restores the terminal. Output that is still pending is dropped, but the sequences that reset the terminal are
    /// still written, if it accepts them within `gracePeriod`.
    package func end() {
        awaitReport()
        loop.unwatch(STDIN_FILENO)
        if let holdTimer { loop.cancel(holdTimer) }
        history.end()
        screen.stream.flush()
        if !screen.stream.isDrained {
            screen.stream.dropPending()
            if !screen.isPlain { write("\u{1B}[0m\u{1B}[?25h\r\n") }
        }
        screen.withdraw()
        isEnding = true
        write(pasteMarks(false))
        screen.stream.flush()
        var isLate = false
        let timer = loop.schedule(after: Self.gracePeriod) { isLate = true }
        while !screen.stream.isDrained, !isLate { loop.turn() }
        loop.cancel(timer)
        libedit.end()
        TerminalRescue.disarm()
    }

    /// Whether the terminal accepts output so slowly that no more should be shown.
    package var isCongested: Bool { screen.stream.isCongested || textAfterPages.count > Self.mostAfterPages }
    package var isDrained: Bool { screen.stream.isDrained }
    package var isBroken: Bool { screen.stream.isBroken }

    /// Shows text above the line being typed; it is painted before the next wait.
    package func show(_ text: [UInt8]) {
        if isEnding { return }
        if isPaging { textAfterPages += text } else { screen.show(text) }
    }

    /// Paints all changes. Must be called before each wait of the loop.
    package func refresh() {
        if isEnding { return }
        if let pagerPrompt { return screen.refresh(prompt: pagerPrompt, line: [], cursor: 0) }
        if screen.isLent { return screen.stream.flush() }
        if libedit.isReading { return screen.refresh(scene) }
        if let waitingScene { return screen.refresh(waitingScene) }
        screen.withdraw()
        screen.stream.flush()
    }

    /// What is to be seen while a line is typed.
    private var scene: Screen.Scene {
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
    private var waitingScene: Screen.Scene? {
        guard !screen.isPlain, let text = waitingRow() else { return nil }
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
    private func finishedScene(of line: [UInt32], isHidden: Bool) -> Screen.Scene {
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

    private var prompt: [UInt32] { makePrompt().unicodeScalars.map(\.value) }

    /// The problem in ~/.editrc, or nil.
    package var settingsProblem: String? { libedit.settingsProblem }

    /// The width of the screen in columns.
    package var width: Int { screen.width }

    /// Reads a line after `prompt`, which is evaluated before each wait. The loop turns meanwhile.
    package func readLine(prompt: @escaping () -> String) -> Line {
        guard !isClosed else { return .ended }
        makePrompt = prompt
        isInterrupted = false
        showHistory(for: talkPrefix())
        undoStack = UndoStack()
        if !nextText.isEmpty {
            pasted = nextText
            nextText = []
            pending.append(Libedit.Command.paste.rawValue)
        }
        textToEdit = nil
        let line = libedit.readLine()
        if let textToEdit { return .edit(textToEdit) }
        if isInterrupted {
            isInterrupted = false
            return .interrupted
        }
        guard let line else {
            screen.finishLine()
            return .ended
        }
        let text = string(of: line)
        let isHidden = wasHidden || hidesTyping()
        var scene = finishedScene(of: line, isHidden: isHidden)
        willFinish(text, isHidden)
        scene.prompt = self.prompt
        screen.refresh(scene)
        screen.finishLine()
        wasHidden = false
        return .text(text)
    }

    /// Shows text one screen at a time, when it is longer than one. Space or PgDn shows the next screen, ^D half a
    /// screen, Enter one line; q or ^C skips the rest. So does any other key, which is then the first one of the next
    /// line.
    package func page(_ text: [UInt8]) {
        isPaging = true
        defer {
            isPaging = false
            screen.show(textAfterPages)
            textAfterPages = []
        }
        var pager = Pager(text, width: screen.width, height: screen.height)
        screen.show(pager.begin())
        while !pager.isDone {
            let command = awaitPagerCommand()
            if command == .end || command == .leave { return }
            screen.show(pager.next(command))
        }
    }

    private func awaitPagerCommand() -> Pager.Command {
        isInterrupted = false
        pagerPrompt = Array(
            (screen.width < 50 ? "-- more --" : "-- more: Space, Enter, q --").unicodeScalars.map(\.value))
        defer {
            pagerPrompt = nil
            isInterrupted = false
            screen.withdraw()
        }
        while !isClosed, !isInterrupted {
            if let key = reader.next() {
                let command = Pager.command(for: key)
                if command == .leave { reader.putBack(key) }
                return command
            }
            refresh()
            turn()
        }
        return .end
    }

    /// The reason why typed lines are not kept across runs, as text, or nil.
    package var historyProblem: String? { history.problem }

    /// The previously typed lines, oldest first.
    package var historyLines: [String] { history.entries }

    /// Sets how many lines are kept from now on.
    package func setHistorySize(_ size: Int) {
        history.limit(to: size)
        libedit.setHistorySize(size)
    }

    /// Adds a statement to the history of the arrow keys and, unless it `isPrivate`, to that of later runs.
    package func addToHistory(_ line: String, isPrivate: Bool = false) {
        guard isPrivate || history.add(line) else { return }
        entries.append(line)
        let shown = HistoryMode.typed(line, in: shownPrefix ?? "")
        libedit.addToHistory(shown)
        shownHistory.append(shown)
    }

    /// Makes the history what would be typed in a mode: while talking, `a> text` is typed as `text`, and commands begin
    /// with a colon.
    func showHistory(for prefix: String) {
        guard prefix != shownPrefix else { return }
        let isFirst = shownPrefix == nil
        shownPrefix = prefix
        shownHistory = entries.map { HistoryMode.typed($0, in: prefix) }
        if !isFirst || !prefix.isEmpty { libedit.replaceHistory(shownHistory) }
    }

    /// Handles ^C: discards the line being typed.
    package func interrupt() {
        dropTypedAhead()
        if pagerPrompt != nil { isInterrupted = true }
        guard libedit.isReading, !isInterrupted else { return }
        closeLists()
        screen.refresh(finishedScene(of: libedit.line, isHidden: isHiding))
        screen.finishLine(suffix: "^C")
        isInterrupted = true
    }

    /// Discards the keys that have not been read yet.
    package func dropTypedAhead() {
        reader.removeAll()
        pending = []
    }

    /// Ends the current line and all that follow.
    package func close() {
        isClosed = true
    }

    /// Handles a change of the terminal's size (SIGWINCH).
    package func resize() {
        // libedit's own screen is invisible and keeps its size.
        guard screen.resize() else { return }
        guard !screen.isPlain else { return screen.finishResize(nil) }
        write("\u{1B}[6n")
        screen.stream.flush()
        if let resizeTimer { loop.cancel(resizeTimer) }
        resizeTimer = loop.schedule(after: Self.reportTime) { [unowned self] in finishResize(nil) }
    }

    private func finishResize(_ cursor: (row: Int, column: Int)?) {
        if let resizeTimer { loop.cancel(resizeTimer) }
        resizeTimer = nil
        screen.finishResize(cursor)
    }

    /// Waits for a report of the terminal that is due: it would otherwise be input of another program.
    private func awaitReport() {
        while resizeTimer != nil { loop.turn() }
    }

    /// Stops the process as ^Z does, with the terminal restored. Returns when the process continues.
    package func suspend() {
        if pagerPrompt == nil { finishForOthers() } else { screen.withdraw() }
        write(pasteMarks(false))
        screen.stream.flush()
        libedit.setRaw(false)
        kill(getpid(), SIGSTOP)
        takeTerminal()
        hasResumed = true
    }

    /// Leaves the terminal to others, with its usual settings, until `takeBack`: keys are not read.
    package func lend() {
        finishForOthers()
        screen.isLent = true
        write(pasteMarks(false))
        screen.stream.flush()
        libedit.setRaw(false)
        loop.unwatch(STDIN_FILENO)
    }

    /// Leaves the line on the screen, without lists below it.
    private func finishForOthers() {
        awaitReport()
        closeLists()
        guard libedit.isReading else { return screen.withdraw() }
        screen.refresh(finishedScene(of: libedit.line, isHidden: isHiding))
        screen.finishLine()
    }

    /// Begins the next line with a text.
    package func begin(with text: String) {
        nextText = text.unicodeScalars.map(\.value)
    }

    package func takeBack() {
        screen.isLent = false
        takeTerminal()
        if !isClosed { loop.watch(STDIN_FILENO, read: true, write: false, watcher: self) }
    }

    /// Takes over the terminal when the process continues after a stop (SIGCONT).
    package func resume() {
        // The SIGCONT that ended `suspend` arrives after the terminal has been taken over.
        if !hasResumed { takeTerminal() }
        hasResumed = false
    }

    private func takeTerminal() {
        // libedit believes the terminal is still raw: switch it off, then on.
        libedit.setRaw(false)
        libedit.setRaw(true)
        write(pasteMarks(true))
        screen.forget()
        resize()
    }

    package func descriptorIsReadable() {
        var bytes = [UInt8](repeating: 0, count: 65536)
        // ^C flushes the terminal's queue: a read after a readiness event would then block until the next key.
        var available: Int32 = 0
        if ioctl(STDIN_FILENO, UInt(FIONREAD), &available) == 0, available == 0 { return }
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        if count > 0 {
            take(bytes[..<count])
        } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
            // The terminal is gone.
            close()
            loop.unwatch(STDIN_FILENO)
        }
    }

    package func descriptorIsWritable() {}

    private func take(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while let number = reader.feed(&rest) { take(number) }
        if let report = reader.cursorReport {
            reader.cursorReport = nil
            finishResize(report)
        }
        holdPart()
    }

    /// Handles a key that represents a signal. ^C is handled here; the other signals are sent to the whole process
    /// group, as the terminal would do.
    private func take(_ number: Int32) {
        guard number == SIGINT else {
            kill(0, number)
            return
        }
        pending = []
        takeSignal(number)
    }

    /// Returns the next character of a key; nil when there are no more lines.
    private func nextCharacter() -> UInt32? {
        libedit.keepCursorInside()
        while true {
            if isClosed { return nil }
            // A newline ends the line in any state of libedit; the line is then discarded.
            if isInterrupted || textToEdit != nil { return 0x0A }
            if let character = pending.popFirst() { return character }
            guard let key = reader.next() else {
                updateMenu()
                refresh()
                turn()
                continue
            }
            guard libedit.count + room(for: key) <= Libedit.longestLine else {
                screen.bell()
                continue
            }
            undoStack.note(libedit.line, cursor: libedit.cursor)
            pending = characters(of: key)
        }
    }

    /// Returns the number of characters that a key may add to the line.
    private func room(for key: Key) -> Int {
        switch key {
        case .paste(let scalars): scalars.count
        case .character(let value): value < 0x20 || value == 0x7F ? 0 : 1
        case .sequence: 0
        }
    }

    private func holdPart() {
        if let holdTimer { loop.cancel(holdTimer) }
        holdTimer = nil
        if reader.mayBeInterrupted {
            holdTimer = loop.schedule(after: Self.pasteHold) { [unowned self] in
                let typed = reader.giveUpPaste()
                take(SIGINT)
                take(typed[...])
            }
        } else if reader.holdsPart {
            holdTimer = loop.schedule(after: Self.hold) { [unowned self] in reader.flushHeld() }
        }
    }

    func string(of scalars: some Sequence<UInt32>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars.compactMap(Unicode.Scalar.init))
        return String(view)
    }

    /// Returns the sequence that asks the terminal to mark pastes, or to stop doing so.
    private func pasteMarks(_ areWanted: Bool) -> String {
        screen.isPlain ? "" : "\u{1B}[?2004" + (areWanted ? "h" : "l")
    }

    private func write(_ text: String) {
        screen.stream.write(Array(text.utf8))
    }
}
