import DequeModule
import Glibc
import Reactor

/// Reads lines from a terminal with libedit's editing and keys, while the loop goes on serving everything else.
///
/// `Libedit` is the engine, not the painter. It asks for each key by a callback, also in the middle of a search or a key
/// sequence; that callback turns the loop until a key is there. So there is one wait for the keyboard and everything
/// else. `Screen` paints, once before each wait.
package final class LineEditor: DescriptorWatcher {
    /// How a line ended.
    package enum Line: Equatable {
        case text(String)
        /// ^C: what was typed is dropped.
        case interrupted
        /// ^D on an empty line, or the terminal is gone, or `close` was called.
        case ended
    }

    private let loop: EventLoop
    private let screen: Screen
    private let history: History
    private let completer: Completer
    private let turn: () -> Void
    private let libedit: Libedit

    private var reader = KeyReader(settings: TerminalSettings(of: STDIN_FILENO))
    private var holdTimer: Timer?
    /// What stands before the line; it may change while the line is typed.
    private var makePrompt: () -> String = { "" }
    /// What stands in place of prompt and line while text is shown a screen at a time.
    private var pagerPrompt: [UInt32]?
    private var pasted: [UInt32] = []
    private var isInterrupted = false
    /// Whether no more lines can come: the terminal is gone, or `close` was called.
    package private(set) var isClosed = false
    /// Takes a signal that a key stands for: ^C, ^Z, ^\.
    package var takeSignal: (Int32) -> Void = { _ in }
    /// It gives the terminal back: nothing is shown any more.
    private var isEnding = false
    /// The line before the cursor as the last Tab has left it.
    private var lastCompleted: String?
    /// Characters of a key that libedit has not taken yet.
    private var pending: Deque<UInt32> = []
    /// Whether the search was ended for the next key: a line may also only look like a search.
    private var hasEndedSearch = false
    /// Esc p and Esc n.
    private var search = HistorySearch()
    /// Whether the terminal was taken again before the signal that says so.
    private var hasResumed = false

    /// What a key has to wait behind: a terminal takes some megabytes a second.
    private static let highWater = 16 * 1024
    private static let historySize = 10_000
    private static let hold = Duration.milliseconds(30)
    /// The longest pause within a paste.
    private static let pasteHold = Duration.milliseconds(500)
    /// How long the terminal may take to hear our farewell.
    private static let gracePeriod = Duration.seconds(2)

    /// - Parameters:
    ///   - historyPath: where the history is kept, or nil for memory only.
    ///   - turn: lets the loop go round once; called whenever a key is waited for.
    ///   - usesColor: whether the prompt is coloured.
    ///   - isPlain: no escape sequences where it can do without; so no bracketed paste.
    /// - Returns: nil when the terminal cannot be set up.
    package init?(
        on loop: EventLoop, historyPath: SystemString?, completer: Completer, usesColor: Bool, isPlain: Bool,
        turn: @escaping () -> Void
    ) {
        // libedit sets the terminal's modes from its very beginning.
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
        screen.isPlain = isPlain
        history = History(path: historyPath)
        libedit.nextCharacter = { [unowned self] in nextCharacter() }
        libedit.perform = { [unowned self] in perform($0) }
        libedit.configure(history: history.entries, size: Self.historySize)
        // Before the first line too what is typed ahead is not echoed.
        libedit.setRaw(true)
        // In vi's maps ESC leads sequences in: an ESC alone is handed over as another key.
        if libedit.isVi { reader.loneEscape = Libedit.Command.viCommandMode.rawValue }
        loop.watch(STDIN_FILENO, read: true, write: false, watcher: self)
        write(pasteMarks(true))
    }

    /// Gives the terminal back as it was. In a flood what waits to be shown is dropped, and what sets the terminal back is
    /// written all the same, as long as it takes anything.
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

    /// Whether the terminal takes so little that no more should be shown.
    package var isCongested: Bool { screen.stream.isCongested }
    package var isDrained: Bool { screen.stream.isDrained }
    package var isBroken: Bool { screen.stream.isBroken }

    /// Shows text above the line being typed; it is painted before the next wait.
    package func show(_ text: [UInt8]) {
        if !isEnding { screen.show(text) }
    }

    /// Paints what has changed. To be called before each wait of the loop.
    package func refresh() {
        if isEnding { return }
        if let pagerPrompt { return screen.refresh(prompt: pagerPrompt, line: [], cursor: 0) }
        guard libedit.isReading else { return screen.stream.flush() }
        screen.refresh(prompt: prompt, line: libedit.line, cursor: libedit.cursor)
    }

    private var prompt: [UInt32] { makePrompt().unicodeScalars.map(\.value) }

    /// What is wrong in ~/.editrc, or nil.
    package var settingsProblem: String? { libedit.settingsProblem }

    /// The columns of the screen.
    package var width: Int { screen.width }

    /// Reads a line behind `prompt`, which is asked for before each wait; the loop goes round meanwhile.
    package func readLine(prompt: @escaping () -> String) -> Line {
        guard !isClosed else { return .ended }
        makePrompt = prompt
        isInterrupted = false
        let line = libedit.readLine()
        if isInterrupted {
            isInterrupted = false
            return .interrupted
        }
        guard let line else {
            screen.finishLine()
            return .ended
        }
        screen.refresh(prompt: self.prompt, line: line, cursor: line.count)
        screen.finishLine()
        return .text(string(of: line))
    }

    /// Shows text a screen at a time, when it is longer than one: Space or PgDn shows the next screen, ^D half of one,
    /// Enter a line, q or ^C leaves out the rest; any other key does too, and is the first one of the next line.
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

    /// Why typed lines are not kept across runs, in words, or nil.
    package var historyProblem: String? { history.problem }

    /// The lines typed before, oldest first.
    package var historyLines: [String] { history.entries }

    /// How many lines are kept from now on.
    package func setHistorySize(_ size: Int) {
        history.limit(to: size)
        libedit.setHistorySize(size)
    }

    /// Keeps a line for the arrow keys and, unless it `isPrivate`, for the next runs.
    package func addToHistory(_ line: String, isPrivate: Bool = false) {
        guard isPrivate || history.add(line) else { return }
        libedit.addToHistory(line)
    }

    /// ^C: drops the line being typed.
    package func interrupt() {
        dropTypedAhead()
        if pagerPrompt != nil { isInterrupted = true }
        guard libedit.isReading, !isInterrupted else { return }
        let line = libedit.line
        screen.refresh(prompt: prompt, line: line, cursor: line.count)
        screen.finishLine(suffix: "^C")
        isInterrupted = true
    }

    /// Forgets the keys that nobody has asked for yet.
    package func dropTypedAhead() {
        reader.removeAll()
        pending = []
    }

    /// Ends the present line and all that follow.
    package func close() {
        isClosed = true
    }

    /// The terminal has another size (SIGWINCH).
    package func resize() {
        // Libedit's own screen stays what it is: nobody sees it.
        screen.resize()
    }

    /// Stops the process as ^Z does, with the terminal as it was; returns when it goes on.
    package func suspend() {
        if pagerPrompt == nil { screen.finishLine() } else { screen.withdraw() }
        write(pasteMarks(false))
        screen.stream.flush()
        libedit.setRaw(false)
        kill(getpid(), SIGSTOP)
        takeTerminal()
        hasResumed = true
    }

    /// The process goes on after it was stopped: the terminal is ours again (SIGCONT).
    package func resume() {
        // The one that ended our own stop comes when the terminal is long taken.
        if !hasResumed { takeTerminal() }
        hasResumed = false
    }

    private func takeTerminal() {
        // libedit believes the terminal is still raw: off, then on.
        libedit.setRaw(false)
        libedit.setRaw(true)
        write(pasteMarks(true))
        screen.forget()
        resize()
    }

    package func descriptorIsReadable() {
        var bytes = [UInt8](repeating: 0, count: 65536)
        // ^C empties the terminal's queue: a read that was promised something would then wait for the next key.
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

    /// A key that stands for a signal. ^C is for us; of the others the whole of our group hears, as of the terminal's.
    private func take(_ number: Int32) {
        guard number == SIGINT else {
            kill(0, number)
            return
        }
        pending = []
        takeSignal(number)
    }

    /// The next character of a key; nil when there are no more lines.
    private func nextCharacter() -> UInt32? {
        libedit.keepCursorInside()
        while true {
            if isClosed { return nil }
            // The line ends by a newline wherever libedit is; it is then dropped.
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

    /// How many characters a key may add to the line.
    private func room(for key: Key) -> Int {
        switch key {
        case .paste(let scalars): scalars.count
        case .character(let value): value < 0x20 || value == 0x7F ? 0 : 1
        case .sequence: 0
        }
    }

    /// What libedit gets for a key.
    private func characters(of key: Key) -> Deque<UInt32> {
        if key.beginsWithEscape, libedit.isSearching, !hasEndedSearch {
            hasEndedSearch = true
            // An ESC alone has done its work; what follows one is the first key behind the search.
            if key != .character(0x1B) || !reader.keys.isEmpty { reader.putBack(key) }
            return [Libedit.Command.endSearch.rawValue]
        }
        hasEndedSearch = false
        switch key {
        case .character(let value): return [value]
        case .sequence(KeyReader.pageDown): return []
        case .sequence(let sequence): return Deque([0x1B] + sequence.unicodeScalars.map(\.value))
        case .paste(let scalars):
            pasted = scalars
            return [Libedit.Command.paste.rawValue]
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

    /// Shows the next entry of the history, in a direction, that begins as the line did before the first such step.
    private func showMatch(step: Int) -> Libedit.Outcome {
        guard let entry = search.next(from: string(of: libedit.line), step: step, in: history.entries) else {
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
            // What was typed may be written anew: a quote comes before a name with blanks.
            libedit.delete(completion.replaced)
            let hasBlank = cursor < typed.count && typed[cursor] == 0x20
            let suffix = isOnly && !(hasBlank && completion.suffix == " ") ? completion.suffix : ""
            _ = libedit.insert((common + suffix).unicodeScalars.map(\.value))
            lastCompleted = isOnly ? nil : string(of: typed[..<(cursor - completion.replaced)]) + common
            return .changed
        }
        // The choices are listed at the second Tab, as other shells do.
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

    /// Asks the terminal to mark what is pasted, or not to.
    private func pasteMarks(_ areWanted: Bool) -> String {
        screen.isPlain ? "" : "\u{1B}[?2004" + (areWanted ? "h" : "l")
    }

    private func write(_ text: String) {
        screen.stream.write(Array(text.utf8))
    }
}
