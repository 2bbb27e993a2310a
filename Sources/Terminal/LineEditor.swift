import CEditline
import DequeModule
import Glibc
import Reactor

/// Reads lines from a terminal with libedit's editing and keys, while the loop goes on serving everything else.
///
/// libedit is the engine, not the painter: its output goes to a sink, and `Screen` paints. libedit asks for each key
/// by a callback (EL_GETCFN), also in the middle of a search or a key sequence; that callback turns the loop until a
/// key is there. So there is one wait for the keyboard and everything else.
///
/// Invariant: `el_wgets` is on the stack exactly while `isReading`; nothing called from the loop may call it, or
/// change the line other than by a key.
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
    private let sink: UnsafeMutablePointer<FILE>
    private let editor: OpaquePointer
    private let libeditHistory: OpaquePointer
    private let emptyPrompt: UnsafeMutablePointer<wchar_t>
    private var commandNames: [UnsafeMutablePointer<wchar_t>] = []

    private var reader = KeyReader()
    private var escapeTimer: Timer?
    /// What stands before the line; it may change while the line is typed.
    private var makePrompt: () -> String = { "" }
    /// What stands in place of prompt and line while text is shown a screen at a time.
    private var pagerPrompt: [UInt32]?
    private var pasted: [UInt32] = []
    private var isReading = false
    private var isInterrupted = false
    /// Whether no more lines can come: the terminal is gone, or `close` was called.
    package private(set) var isClosed = false
    /// The line before the cursor as the last Tab has left it.
    private var lastCompleted: String?
    /// Characters of a key that libedit has not taken yet.
    private var pending: Deque<UInt32> = []
    /// Whether the terminal was taken again before the signal that says so.
    private var hasResumed = false

    /// Keys of our own, which cannot be typed (C1 control characters), for commands of our own.
    private static let pasteKey: Int32 = 0x9D
    private static let escapeKey: UInt32 = 0x9C
    private static let endSearchKey: UInt32 = 0x9E
    /// What a key has to wait behind: a terminal takes some megabytes a second.
    private static let highWater = 16 * 1024
    private static let escapeHold = Duration.milliseconds(30)

    /// - Parameters:
    ///   - historyPath: where the history is kept, or nil for memory only.
    ///   - turn: lets the loop go round once; called whenever a key is waited for.
    ///   - usesColor: whether the prompt is coloured.
    ///   - isPlain: no escape sequences where it can do without; so no bracketed paste.
    /// - Returns: nil when the terminal cannot be set up.
    package init?(
        on loop: EventLoop, historyPath: String?, completer: Completer, usesColor: Bool, isPlain: Bool,
        turn: @escaping () -> Void
    ) {
        Self.chooseEncoding()
        guard let sink = fopen("/dev/null", "w"),
            let editor = el_init_fd(
                "muxsh", c_standard_input(), sink, sink, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO),
            let libeditHistory = history_winit()
        else { return nil }
        self.loop = loop
        self.turn = turn
        self.completer = completer
        self.sink = sink
        self.editor = editor
        self.libeditHistory = libeditHistory
        screen = Screen(OutputStream(STDOUT_FILENO, on: loop, highWater: Self.highWater))
        screen.promptColor = usesColor ? 1 : nil
        screen.isPlain = isPlain
        history = History(path: historyPath)
        TerminalRescue.arm()
        emptyPrompt = .allocate(capacity: 1)
        emptyPrompt.initialize(to: 0)
        configure()
        loop.watch(STDIN_FILENO, read: true, write: false, watcher: self)
        write(pasteMarks(true))
    }

    /// Gives the terminal back as it was.
    package func end() {
        loop.unwatch(STDIN_FILENO)
        if let escapeTimer { loop.cancel(escapeTimer) }
        write(pasteMarks(false))
        screen.stream.flush()
        el_end(editor)
        TerminalRescue.disarm()
        history_wend(libeditHistory)
        fclose(sink)
        emptyPrompt.deallocate()
        for name in commandNames { name.deallocate() }
    }

    /// Whether the terminal takes so little that no more should be shown.
    package var isCongested: Bool { screen.stream.isCongested }
    package var isDrained: Bool { screen.stream.isDrained }
    package var isBroken: Bool { screen.stream.isBroken }

    /// Shows text above the line being typed; it is painted before the next wait.
    package func show(_ text: [UInt8]) {
        screen.show(text)
    }

    /// Paints what has changed. To be called before each wait of the loop.
    package func refresh() {
        if let pagerPrompt { return screen.refresh(prompt: pagerPrompt, line: [], cursor: 0) }
        guard isReading else { return screen.stream.flush() }
        guard let info = el_wline(editor)?.pointee, let buffer = info.buffer, let cursor = info.cursor else { return }
        screen.refresh(prompt: prompt, line: typedScalars, cursor: cursor - buffer)
    }

    /// The line being typed; during a search what is looked for stands below it.
    private var typedScalars: [UInt32] {
        guard let info = el_wline(editor)?.pointee, let buffer = info.buffer, let last = info.lastchar else {
            return []
        }
        return UnsafeBufferPointer(start: buffer, count: last - buffer).map { UInt32(bitPattern: $0) }
    }

    /// Whether libedit is in an incremental search: it shows that as a last line `bck:` or `fwd:`, with `?` in place of
    /// the colon when nothing is found.
    private var isSearching: Bool {
        guard isReading else { return false }
        let line = typedScalars
        guard let start = line.lastIndex(of: 0x0A), line.count > start + 4 else { return false }
        let mark = String(
            decoding: line[(start + 1)...(start + 4)].map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
        return ["bck:", "bck?", "fwd:", "fwd?"].contains(mark)
    }

    private var prompt: [UInt32] { makePrompt().unicodeScalars.map(\.value) }

    /// The columns of the screen.
    package var width: Int { screen.width }

    /// Reads a line behind `prompt`, which is asked for before each wait; the loop goes round meanwhile.
    package func readLine(prompt: @escaping () -> String) -> Line {
        guard !isClosed else { return .ended }
        makePrompt = prompt
        isInterrupted = false
        isReading = true
        var count: Int32 = 0
        let text = el_wgets(editor, &count)
        isReading = false
        // Between lines the terminal stays raw: what is typed ahead is not echoed.
        _ = c_el_prepare_terminal(editor, 1)
        if isInterrupted {
            isInterrupted = false
            return .interrupted
        }
        guard let text, count > 0 else {
            screen.finishLine()
            return .ended
        }
        return .text(accepted(text, Int(count)))
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

    /// The lines typed before, oldest first.
    package var historyLines: [String] { history.entries }

    /// How many lines are kept from now on.
    package func setHistorySize(_ size: Int) {
        history.limit(to: size)
        _ = c_history_set_size(libeditHistory, Int32(clamping: max(1, size)))
    }

    /// Keeps a line for the next runs and the arrow keys.
    package func addToHistory(_ line: String) {
        guard history.add(line) else { return }
        enter(line)
    }

    /// ^C: drops the line being typed.
    package func interrupt() {
        dropTypedAhead()
        if pagerPrompt != nil { isInterrupted = true }
        guard isReading, !isInterrupted else { return }
        let line = typedScalars
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
        screen.resize()
        el_resize(editor)
    }

    /// Stops the process as ^Z does, with the terminal as it was; returns when it goes on.
    package func suspend() {
        if pagerPrompt == nil { screen.finishLine() } else { screen.withdraw() }
        write(pasteMarks(false))
        screen.stream.flush()
        _ = c_el_prepare_terminal(editor, 0)
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
        _ = c_el_prepare_terminal(editor, 0)
        _ = c_el_prepare_terminal(editor, 1)
        write(pasteMarks(true))
        screen.forget()
        resize()
    }

    package func descriptorIsReadable() {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        if count > 0 {
            reader.feed(bytes.prefix(count))
            holdEscape()
        } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
            // The terminal is gone.
            close()
            loop.unwatch(STDIN_FILENO)
        }
    }

    package func descriptorIsWritable() {}

    private func configure() {
        _ = c_el_set_client(editor, Unmanaged.passUnretained(self).toOpaque())
        _ = c_el_set_signal(editor, 0)
        c_history_setup()
        wide("emacs") { _ = c_el_set_editor(editor, $0) }
        _ = c_el_set_getc(editor) { editor, character in
            LineEditor.of(editor)?.nextCharacter(character) ?? -1
        }
        _ = c_el_set_prompt(editor) { LineEditor.of($0)?.emptyPrompt }
        // ^S would make every write to the terminal block. libedit lets the terminal swap CR and LF; but CR LF in a
        // paste is one line's end, not two.
        for mode in ["-ixon", "-icrnl", "-inlcr"] { wide(mode) { _ = c_el_set_tty(editor, $0) } }
        el_source(editor, nil)
        addCommands()
    }

    private func c_history_setup() {
        _ = c_history_set_size(libeditHistory, 10_000)
        _ = c_history_set_unique(libeditHistory, 1)
        _ = c_el_set_history(editor, libeditHistory)
        for line in history.entries { enter(line) }
    }

    private func addCommands() {
        add("muxsh-complete") { editor, _ in LineEditor.of(editor)?.complete() ?? UInt8(CC_ERROR) }
        add("muxsh-paste") { editor, _ in LineEditor.of(editor)?.insertPaste() ?? UInt8(CC_ERROR) }
        // A search ends by any key with a command and then runs it; by ESC it would take what follows for text.
        add("muxsh-end-search") { _, _ in UInt8(CC_REFRESH) }
        add("muxsh-clear") { editor, _ in
            LineEditor.of(editor)?.screen.clear()
            return UInt8(CC_REFRESH)
        }
        bind("\t", "muxsh-complete")
        bind(String(UnicodeScalar(UInt8(Self.pasteKey))), "muxsh-paste")
        bind(String(UnicodeScalar(UInt8(Self.endSearchKey))), "muxsh-end-search")
        bind("\u{0C}", "muxsh-clear")
        // In vi's maps ESC leads sequences in, so that libedit would wait for what follows: an ESC alone is a key of ours.
        if let name = c_el_editor(editor), name[0] == wchar_t(UInt8(ascii: "v")) {
            reader.loneEscape = Self.escapeKey
            let key = String(UnicodeScalar(UInt8(Self.escapeKey)))
            bind(key, "vi-command-mode", alternative: "ed-unassigned")
        }
        bind("\u{1B}[H", "ed-move-to-beg")
        bind("\u{1B}[F", "ed-move-to-end")
        bind("\u{1B}[3~", "ed-delete-next-char")
        bind("\u{07}", "ed-start-over")
    }

    private func add(_ name: String, _ command: @escaping @convention(c) (OpaquePointer?, wint_t) -> UInt8) {
        // libedit keeps the pointer, not the text.
        let scalars = name.unicodeScalars.map { wchar_t(bitPattern: $0.value) } + [0]
        let kept = UnsafeMutablePointer<wchar_t>.allocate(capacity: scalars.count)
        kept.initialize(from: scalars, count: scalars.count)
        commandNames.append(kept)
        _ = c_el_add_function(editor, kept, kept, command)
    }

    private func bind(_ key: String, _ command: String, alternative: String? = nil) {
        wide(key) { key in
            wide(command) { _ = c_el_bind(editor, key, $0) }
            wide(alternative ?? command) { _ = c_el_bind_alternative(editor, key, $0) }
        }
    }

    private static func of(_ editor: OpaquePointer?) -> LineEditor? {
        guard let editor, let client = c_el_client(editor) else { return nil }
        return Unmanaged<LineEditor>.fromOpaque(client).takeUnretainedValue()
    }

    /// libedit's read callback: 1 with a character, 0 for the end of input.
    private func nextCharacter(_ character: UnsafeMutablePointer<wchar_t>?) -> Int32 {
        while true {
            if isClosed { return 0 }
            // The line ends by a newline wherever libedit is; it is then dropped.
            if isInterrupted {
                character?.pointee = 0x0A
                return 1
            }
            if let value = pending.popFirst() {
                character?.pointee = wchar_t(bitPattern: value)
                return 1
            }
            switch reader.next() {
            case .character(0x1B) where isSearching:
                // An ESC alone has done its work; what follows one is the first key behind the search.
                if !reader.keys.isEmpty { reader.putBack(.character(0x1B)) }
                pending = [Self.endSearchKey]
            case .sequence(let sequence) where isSearching:
                reader.putBack(.sequence(sequence))
                pending = [Self.endSearchKey]
            case .character(let value): pending = [value]
            case .sequence(KeyReader.pageDown): break
            case .sequence(let sequence): pending = Deque([0x1B] + sequence.unicodeScalars.map(\.value))
            case .paste(let scalars):
                pasted = scalars
                character?.pointee = Self.pasteKey
                return 1
            case nil:
                refresh()
                turn()
            }
        }
    }

    private func holdEscape() {
        if let escapeTimer { loop.cancel(escapeTimer) }
        escapeTimer = nil
        guard reader.holdsEscape else { return }
        escapeTimer = loop.schedule(after: Self.escapeHold) { [unowned self] in reader.flushEscape() }
    }

    private func accepted(_ text: UnsafePointer<wchar_t>, _ count: Int) -> String {
        let scalars = UnsafeBufferPointer(start: text, count: count).map { UInt32(bitPattern: $0) }
        let line = scalars.last == 0x0A ? Array(scalars.dropLast()) : scalars
        screen.refresh(prompt: prompt, line: line, cursor: line.count)
        screen.finishLine()
        return string(of: line)
    }

    private func enter(_ line: String) {
        wide(line) { _ = c_history_enter(libeditHistory, $0) }
    }

    private func insertPaste() -> UInt8 {
        let text = pasted.map { wchar_t(bitPattern: $0) }.filter { $0 != 0 } + [0]
        pasted = []
        return el_winsertstr(editor, text) == 0 ? UInt8(CC_REFRESH) : UInt8(CC_ERROR)
    }

    private func complete() -> UInt8 {
        guard let info = el_wline(editor)?.pointee, let buffer = info.buffer, let cursor = info.cursor else {
            return UInt8(CC_ERROR)
        }
        let typed = typedScalars
        let place = cursor - buffer
        let line = string(of: typed[..<place])
        let completion = completer.complete(line)
        let common = completion.commonPrefix
        guard !completion.candidates.isEmpty else {
            screen.bell()
            return UInt8(CC_ERROR)
        }
        let isOnly = completion.candidates.count == 1
        if isOnly || common.count > completion.replaced {
            // What was typed may be written anew: a quote comes before a name with blanks.
            el_deletestr(editor, Int32(completion.replaced))
            let hasBlank = place < typed.count && typed[place] == 0x20
            let suffix = isOnly && !(hasBlank && completion.suffix == " ") ? completion.suffix : ""
            wide(common + suffix) { _ = el_winsertstr(editor, $0) }
            lastCompleted = isOnly ? nil : line.dropLast(completion.replaced) + common
            return UInt8(CC_REFRESH)
        }
        // The choices are listed at the second Tab, as other shells do.
        if lastCompleted == line {
            let choices = ChoiceList(completion.choices, width: screen.width, height: screen.height)
            screen.show(Array(choices.text.utf8))
        } else {
            screen.bell()
        }
        lastCompleted = line
        return UInt8(CC_NORM)
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

    /// libedit drops what the locale cannot decode: text is UTF-8 whatever the environment says.
    private static func chooseEncoding() {
        setlocale(LC_CTYPE, "")
        if String(cString: nl_langinfo(nl_item(CODESET))) != "UTF-8" { setlocale(LC_CTYPE, "C.UTF-8") }
    }
}

/// Calls `body` with `text` as C's wide string.
private func wide(_ text: String, _ body: (UnsafePointer<wchar_t>) -> Void) {
    let scalars = text.unicodeScalars.map { wchar_t(bitPattern: $0.value) } + [0]
    scalars.withUnsafeBufferPointer { buffer in
        if let base = buffer.baseAddress { body(base) }
    }
}
