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
        /// ^C: the typed text is discarded.
        case interrupted
        /// ^D on an empty line, the terminal is gone, or `close` was called.
        case ended
    }

    private let loop: EventLoop
    private let screen: Screen
    private let history: History
    private let completer: Completer
    private let highlighter: Highlighter
    /// Whether there are colors and suggestions in the line.
    private let usesColor: Bool
    private let turn: () -> Void
    private let libedit: Libedit

    private var reader = KeyReader(settings: TerminalSettings(of: STDIN_FILENO))
    private var holdTimer: Timer?
    /// Returns the prompt, which may change while the line is being typed.
    private var makePrompt: () -> String = { "" }
    /// Whether there is a row for that.
    package var hasLiveRow: Bool { !screen.isPlain }
    /// Returns the beginning of a line that is still arriving; empty for none.
    package var liveRow: () -> [UInt32] = { [] }
    /// Another session to talk to.
    package enum Switch {
        case number(Int)
        case next, previous
    }

    /// Called for Alt-1 to Alt-9, Alt-← and Alt-→; returns whether there is such a session.
    package var switchTo: (Switch) -> Bool = { _ in false }
    /// Whether what is typed is not shown: a password.
    package var hidesTyping: () -> Bool = { false }
    /// Called with a typed line before it takes its place above later output.
    package var willFinish: (String) -> Void = { _ in }
    /// What the sessions that typed lines are sent to put before each line, such as `a> `; empty for commands.
    package var talkPrefix: () -> String = { "" }
    /// The history of the arrow keys: that of the file, and lines that are not kept.
    private var entries: [String]
    /// The history of the arrow keys, as it is typed in the current mode, and that mode.
    private var shownHistory: [String] = []
    private var shownPrefix: String?
    /// Shown instead of prompt and line while text is paged.
    private var pagerPrompt: [UInt32]?
    private var pasted: [UInt32] = []
    private var isInterrupted = false
    /// Whether there can be no more lines: the terminal is gone, or `close` was called.
    package private(set) var isClosed = false
    /// Handles the signal of ^C. Other signal keys go to the process group.
    package var takeSignal: (Int32) -> Void = { _ in }
    /// Whether the terminal is being restored: nothing is shown any more.
    private var isEnding = false
    /// The line up to the cursor, as the last Tab left it.
    private var lastCompleted: String?
    /// Characters of a key that libedit has not read yet.
    private var pending: Deque<UInt32> = []
    /// Whether the search was already ended for the next key: a line may merely look like a search.
    private var hasEndedSearch = false
    /// The search of Esc p and Esc n.
    private var search = HistorySearch()
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
        loop.unwatch(STDIN_FILENO)
        if let holdTimer { loop.cancel(holdTimer) }
        history.end()
        screen.stream.flush()
        if !screen.stream.isDrained {
            screen.stream.dropPending()
            if !screen.isPlain { write("\u{1B}[0m\u{1B}[?25h\r\n") }
        }
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
    package var isCongested: Bool { screen.stream.isCongested }
    package var isDrained: Bool { screen.stream.isDrained }
    package var isBroken: Bool { screen.stream.isBroken }

    /// Shows text above the line being typed; it is painted before the next wait.
    package func show(_ text: [UInt8]) {
        if !isEnding { screen.show(text) }
    }

    /// Paints all changes. Must be called before each wait of the loop.
    package func refresh() {
        if isEnding { return }
        if let pagerPrompt { return screen.refresh(prompt: pagerPrompt, line: [], cursor: 0) }
        guard libedit.isReading else { return screen.stream.flush() }
        screen.refresh(scene)
    }

    /// What is to be seen while a line is typed.
    private var scene: Screen.Scene {
        let line = libedit.line
        if hidesTyping() { return Screen.Scene(prompt: prompt, live: liveRow()) }
        var scene = Screen.Scene(prompt: prompt, line: line, cursor: libedit.cursor)
        scene.live = liveRow()
        guard usesColor, !libedit.isSearching else { return scene }
        scene.styles = highlighter.styles(of: line)
        scene.suggestion = (suggestion ?? "").unicodeScalars.map(\.value)
        return scene
    }

    /// The rest of a history entry that begins with the line, if the cursor is at its end.
    private var suggestion: String? {
        guard usesColor, !libedit.isSearching, !hidesTyping(), libedit.cursor == libedit.count else { return nil }
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
        let line = libedit.readLine()
        if isInterrupted {
            isInterrupted = false
            return .interrupted
        }
        guard let line else {
            screen.finishLine()
            return .ended
        }
        let text = string(of: line)
        let isHidden = hidesTyping()
        willFinish(text)
        screen.refresh(prompt: self.prompt, line: isHidden ? [] : line, cursor: isHidden ? 0 : line.count)
        screen.finishLine()
        return .text(text)
    }

    /// Shows text one screen at a time, when it is longer than one. Space or PgDn shows the next screen, ^D half a
    /// screen, Enter one line; q or ^C skips the rest. So does any other key, which is then the first one of the next
    /// line.
    package func page(_ text: [UInt8]) {
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
    private func showHistory(for prefix: String) {
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
        let line = hidesTyping() ? [] : libedit.line
        screen.refresh(prompt: prompt, line: line, cursor: line.count)
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
        screen.resize()
    }

    /// Stops the process as ^Z does, with the terminal restored. Returns when the process continues.
    package func suspend() {
        if pagerPrompt == nil { screen.finishLine() } else { screen.withdraw() }
        write(pasteMarks(false))
        screen.stream.flush()
        libedit.setRaw(false)
        kill(getpid(), SIGSTOP)
        takeTerminal()
        hasResumed = true
    }

    /// Leaves the terminal to others, with its usual settings, until `takeBack`: keys are not read.
    package func lend() {
        screen.finishLine()
        screen.isLent = true
        write(pasteMarks(false))
        screen.stream.flush()
        libedit.setRaw(false)
        loop.unwatch(STDIN_FILENO)
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
            if isInterrupted { return 0x0A }
            if let character = pending.popFirst() { return character }
            guard let key = reader.next() else {
                refresh()
                turn()
                continue
            }
            guard libedit.count + room(for: key) <= Libedit.longestLine else {
                screen.bell()
                continue
            }
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

    /// Returns the characters that libedit receives for a key.
    private func characters(of key: Key) -> Deque<UInt32> {
        if key.beginsWithEscape, libedit.isSearching, !hasEndedSearch {
            hasEndedSearch = true
            // A lone ESC has done its work; a key that follows it is the first one after the search.
            if key != .character(0x1B) || !reader.keys.isEmpty { reader.putBack(key) }
            return [Libedit.Command.endSearch.rawValue]
        }
        hasEndedSearch = false
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
        case .sequence(KeyReader.pageDown): return []
        // Without sessions they move by words.
        case .sequence(KeyReader.altRight): return [0x1B, UInt32(UInt8(ascii: "f"))]
        case .sequence(KeyReader.altLeft): return [0x1B, UInt32(UInt8(ascii: "b"))]
        case .sequence(let sequence): return Deque([0x1B] + sequence.unicodeScalars.map(\.value))
        case .paste(let scalars):
            pasted = scalars
            return [Libedit.Command.paste.rawValue]
        }
    }

    /// Returns what a key takes of the suggestion: all with →, ^F, End or ^E, a word with Alt-→ or Alt-f; nil for nothing.
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

    private func perform(_ command: Libedit.Command) -> Libedit.Outcome {
        switch command {
        case .complete: return complete()
        case .paste:
            defer { pasted = [] }
            return libedit.insert(pasted) ? .changed : .failed
        case .clear: screen.clear()
        case .toEnd: libedit.moveToEnd()
        case .matchBefore: return showMatch(step: -1)
        case .matchAfter: return showMatch(step: 1)
        case .endSearch, .viCommandMode: break
        }
        return .changed
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

    /// Shows the next history entry, in a direction, that begins with the text of the line before the first such step.
    private func showMatch(step: Int) -> Libedit.Outcome {
        guard let entry = search.next(from: string(of: libedit.line), step: step, in: shownHistory) else {
            screen.bell()
            return .failed
        }
        libedit.moveToEnd()
        libedit.delete(libedit.count)
        return libedit.insert(entry.unicodeScalars.map(\.value)) ? .changed : .failed
    }

    private func complete() -> Libedit.Outcome {
        let (typed, cursor) = (libedit.line, libedit.cursor)
        let line = string(of: typed[..<cursor])
        let completion = completer.complete(line)
        let common = completion.commonPrefix
        guard !completion.candidates.isEmpty else {
            screen.bell()
            return .failed
        }
        let isOnly = completion.candidates.count == 1
        if isOnly || common.unicodeScalars.count > completion.replaced {
            // The typed text may be rewritten: a name with blanks needs an opening quote.
            libedit.delete(completion.replaced)
            let hasBlank = cursor < typed.count && typed[cursor] == 0x20
            let suffix = isOnly && !(hasBlank && completion.suffix == " ") ? completion.suffix : ""
            _ = libedit.insert((common + suffix).unicodeScalars.map(\.value))
            lastCompleted = isOnly ? nil : string(of: typed[..<(cursor - completion.replaced)]) + common
            return .changed
        }
        // The second Tab lists the choices, as in other shells.
        if lastCompleted == line {
            let choices = ChoiceList(completion.choices, width: screen.width, height: screen.height)
            screen.show(Array(choices.text.utf8))
        } else {
            screen.bell()
        }
        lastCompleted = line
        return .unchanged
    }

    private func string(of scalars: some Sequence<UInt32>) -> String {
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
