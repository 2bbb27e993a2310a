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

    let loop: EventLoop
    let screen: Screen
    private let history: History
    let completer: Completer
    let highlighter: Highlighter
    /// Whether there are colors and suggestions in the line.
    let usesColor: Bool
    private let turn: () -> Void
    let libedit: Libedit

    var reader = KeyReader(settings: TerminalSettings(of: STDIN_FILENO))
    private var holdTimer: Timer?
    /// Until the terminal has reported its cursor after a change of its size.
    var resizeTimer: Timer?
    static let reportTime = Duration.milliseconds(150)
    /// Returns the prompt, which may change while the line is being typed.
    var makePrompt: () -> String = { "" }
    /// Whether there is a row for that.
    package var hasLiveRow: Bool { !screen.isPlain }
    /// Returns what is waited for while no line is typed, in a number of columns; nil for nothing.
    package var waitingRow: (_ width: Int) -> String? = { _ in nil }
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

        /// Returns the place of the session among `count`, from that of the current one; nil if there is none.
        package func index(from current: Int?, of count: Int) -> Int? {
            guard count > 0 else { return nil }
            switch self {
            case .number(let number): return number <= count ? number - 1 : nil
            case .next: return current.map { ($0 + 1) % count } ?? 0
            case .previous: return current.map { ($0 + count - 1) % count } ?? count - 1
            }
        }
    }

    /// Called for Alt-1 to Alt-9, Alt-← and Alt-→; returns whether there is such a session.
    package var switchTo: (Switch) -> Bool = { _ in false }
    /// Whether what is typed is not shown: a password.
    package var hidesTyping: () -> Bool = { false }
    /// Whether what was typed since was hidden from its beginning or a later moment: it is never shown then.
    var wasHidden = false
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
    var pagerPrompt: [UInt32]?
    var pasted: [UInt32] = []
    private var isInterrupted = false
    /// The line that is to be edited elsewhere.
    var textToEdit: String?
    /// Whether there can be no more lines: the terminal is gone, or `close` was called.
    package private(set) var isClosed = false
    /// Handles the signal of ^C. Other signal keys go to the process group.
    package var takeSignal: (Int32) -> Void = { _ in }
    /// Whether the terminal is being restored: nothing is shown any more.
    var isEnding = false
    /// The line up to the cursor, as the last Tab left it, where choices are listed above the line.
    var lastCompleted: String?
    /// The choices below the line, or nil.
    var menu: ChoiceMenu?
    /// The search of ^R, or nil.
    var historyList: HistoryList?
    var undoStack = UndoStack()
    /// The wrong rows that are marked, and the row and text for which that was decided.
    var markedRows: Set<Int> = []
    var markedFor: (row: Int, text: [UInt32]) = (0, [])
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
    var hasResumed = false

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

    /// Begins the next line with a text.
    package func begin(with text: String) {
        nextText = text.unicodeScalars.map(\.value)
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
            // A prompt that cannot be shown ends.
            if screen.stream.isBroken { isClosed = true }
            if isClosed { return nil }
            // A newline ends the line in any state of libedit; the line is then discarded.
            if isInterrupted || textToEdit != nil { return 0x0A }
            if let character = pending.popFirst() { return character }
            guard let key = reader.next() else {
                updateMenu()
                refresh()
                if !screen.stream.isBroken { turn() }
                continue
            }
            guard libedit.count + room(for: key) <= Libedit.longestLine else {
                screen.bell()
                continue
            }
            noteForUndo(key)
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
    func pasteMarks(_ areWanted: Bool) -> String {
        screen.isPlain ? "" : "\u{1B}[?2004" + (areWanted ? "h" : "l")
    }

    func write(_ text: String) {
        screen.stream.write(Array(text.utf8))
    }
}
