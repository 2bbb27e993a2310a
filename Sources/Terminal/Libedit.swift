import CEditline
import Glibc
import Reactor

/// libedit (editline(3)): the line being typed, its keys and commands, and the history of the arrow keys.
///
/// libedit's output goes to a sink; `Screen` paints. libedit requests each character through `nextCharacter`, even in
/// the middle of a search or a key sequence.
///
/// Invariant: `el_wgets` is on the stack exactly while `isReading`. Code called from `nextCharacter` must not call it,
/// nor change the line other than through a command.
final class Libedit {
    /// muxsh's own commands and their keys. The C1 control characters among them are private keys that cannot be typed.
    enum Command: UInt32 {
        case viCommandMode = 0x9C
        case paste = 0x9D
        case toEnd = 0x9F
        case endSearch = 0x9E
        case matchBefore = 0x9B
        case matchAfter = 0x9A
        case complete = 0x09
        case search = 0x12
        case undo = 0x1F
        case edit = 0x99
        case rowUp = 0x98
        case rowDown = 0x97
        case historyBefore = 0x96
        case historyAfter = 0x95
        case clear = 0x0C
    }

    /// The result of a command.
    enum Outcome {
        case changed, unchanged, failed
    }

    /// Returns the next typed character; nil at the end of input.
    var nextCharacter: () -> UInt32? = { nil }
    /// Runs one of muxsh's commands.
    var perform: (Command) -> Outcome = { _ in .failed }
    private(set) var isReading = false
    /// The problem in the user's settings, or nil.
    private(set) var settingsProblem: String?

    private let editor: OpaquePointer
    private let history: OpaquePointer
    private let sink: UnsafeMutablePointer<FILE>
    /// The terminal settings before editing.
    private let former = TerminalSettings(of: STDIN_FILENO)
    private let emptyPrompt: UnsafeMutablePointer<wchar_t>
    private var commandNames: [UnsafeMutablePointer<wchar_t>] = []

    /// The maximum length of a line in characters.
    static let longestLine = 2 << 20
    /// The size of libedit's screen, which is invisible and larger than any line. libedit lays lines out on it and
    /// fails on lines that do not fit. A character takes at most nine columns, and a newline counts as a character
    /// (`newline`). Rows that are never written occupy no memory, provided that all of them are allocated once at their
    /// width (so the rows come first). Each key takes time proportional to the width of a row.
    private static let imaginaryScreen = [("li", "300"), ("co", "65536")]
    /// Represents a newline in libedit's lines, where a real one would take up a row of its screen: the scalar that
    /// carries its byte.
    private static let newline = String.standIn(for: 0x0A).value

    /// - Returns: nil when the terminal cannot be set up.
    init?() {
        Self.chooseEncoding()
        guard let sink = fopen("/dev/null", "w"),
            let editor = el_init_fd(
                "muxsh", c_standard_input(), sink, sink, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO),
            let history = history_winit()
        else { return nil }
        self.editor = editor
        self.history = history
        self.sink = sink
        emptyPrompt = .allocate(capacity: 1)
        emptyPrompt.initialize(to: 0)
    }

    /// Sets keys, history and modes; ~/.editrc is applied before muxsh's own keys.
    func configure(history lines: [String], size: Int) {
        _ = c_el_set_client(editor, Unmanaged.passUnretained(self).toOpaque())
        _ = c_el_set_signal(editor, 0)
        setHistorySize(size)
        _ = c_history_set_unique(history, 1)
        _ = c_el_set_history(editor, history)
        for line in lines { addToHistory(line) }
        wide("emacs") { _ = c_el_set_editor(editor, $0) }
        _ = c_el_set_getc(editor) { editor, character in
            _ = c_el_set_input(editor, c_standard_input())
            guard let next = Libedit.of(editor)?.nextCharacter() else { return 0 }
            character?.pointee = wchar_t(bitPattern: next)
            return 1
        }
        _ = c_el_set_prompt(editor) { Libedit.of($0)?.emptyPrompt }
        // ^S would block every write to the terminal. libedit makes the terminal swap CR and LF, but CR LF in a paste
        // is one line ending, not two. ^C and the like arrive as keys, so it is known what was typed before them.
        for mode in ["-ixon", "-icrnl", "-inlcr", "-isig"] { wide(mode) { _ = c_el_set_tty(editor, $0) } }
        source()
        for (name, value) in Self.imaginaryScreen {
            wide(name) { name in wide(value) { _ = c_el_set_capability(editor, name, $0) } }
        }
        addCommands()
    }

    /// Reads the user's settings (editrc(5)). An empty EDITRC counts as not set.
    ///
    /// libedit's own function (el_source) crashes on an unterminated quote.
    private func source() {
        let home = Environment.setting("HOME").map { $0 + "/.editrc" }
        guard let path = Environment.setting("EDITRC") ?? home, let tokenizer = tok_init(nil) else { return }
        defer { tok_end(tokenizer) }
        for (index, line) in Self.lines(of: path).enumerated() {
            let text = line.drop { $0 == 0x20 || $0 == 0x09 }
            guard let text = SystemString(text), let first = text.bytes.first, first != UInt8(ascii: "#") else {
                continue
            }
            var count: Int32 = 0
            var arguments: UnsafeMutablePointer<UnsafePointer<CChar>?>?
            tok_reset(tokenizer)
            let isWhole = text.withCString { tok_str(tokenizer, $0, &count, &arguments) } == 0
            guard isWhole, let arguments, count > 0 else {
                settingsProblem = settingsProblem ?? "\(path):\(index + 1): unterminated quote"
                continue
            }
            _ = el_parse(editor, count, arguments)
        }
    }

    /// Returns the lines of a file; none when it does not exist or is not a regular file.
    private static func lines(of path: SystemString) -> [ArraySlice<UInt8>] {
        let number = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard number >= 0 else { return [] }
        defer { close(number) }
        var status = stat()
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return [] }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count < longestSettings, case let count = read(number, &buffer, buffer.count), count > 0 {
            bytes += buffer.prefix(count)
        }
        return bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    }

    private static let longestSettings = 1 << 20

    /// Restores the terminal without waiting for output that it has not shown yet: libedit itself would wait.
    func end() {
        _ = c_el_set_editing(editor, 0)
        former?.apply(to: STDIN_FILENO)
        el_end(editor)
        history_wend(history)
        fclose(sink)
        emptyPrompt.deallocate()
        for name in commandNames { name.deallocate() }
    }

    // MARK: The line

    /// The line being typed; during a search it is followed by a line with the search text.
    var line: [UInt32] {
        guard let info = el_wline(editor)?.pointee, let buffer = info.buffer, let last = info.lastchar else {
            return []
        }
        return Self.scalars(buffer, last - buffer)
    }

    /// Returns characters of a libedit line as scalars, with their newlines.
    private static func scalars(_ start: UnsafePointer<wchar_t>, _ count: Int) -> [UInt32] {
        UnsafeBufferPointer(start: start, count: count).map {
            UInt32(bitPattern: $0) == newline ? 0x0A : UInt32(bitPattern: $0)
        }
    }

    /// The length of the line in characters.
    var count: Int {
        guard let info = el_wline(editor)?.pointee, let buffer = info.buffer, let last = info.lastchar else { return 0 }
        return last - buffer
    }

    /// Moves the cursor back into the line: some vi commands leave it before the start of an empty one.
    func keepCursorInside() {
        guard let info = el_wline(editor)?.pointee, let buffer = info.buffer, let cursor = info.cursor,
            let last = info.lastchar
        else { return }
        if cursor < buffer { el_cursor(editor, Int32(clamping: buffer - cursor)) }
        if cursor > last { el_cursor(editor, Int32(clamping: last - cursor)) }
    }

    /// Moves the cursor to the end of the line.
    func moveToEnd() { move(by: count - cursor) }

    /// Moves the cursor by a number of characters.
    func move(by count: Int) {
        if count != 0 { el_cursor(editor, Int32(clamping: count)) }
    }

    /// The index of the character under the cursor.
    var cursor: Int {
        guard let info = el_wline(editor)?.pointee, let buffer = info.buffer, let cursor = info.cursor else { return 0 }
        return cursor - buffer
    }

    /// Whether an incremental search is active: the last line of `line` then begins with a mark such as `bck:`, or
    /// `bck?` when nothing is found.
    var isSearching: Bool {
        guard isReading, let info = el_wline(editor)?.pointee, let buffer = info.buffer, let last = info.lastchar else {
            return false
        }
        // Its text has at most 1024 characters (EL_BUFSIZ); a long line is not looked at as a whole for each key.
        let count = min(last - buffer, Self.longestSearch)
        let line = Self.scalars(last - count, count)
        guard let start = line.lastIndex(of: 0x0A), line.count > start + 4 else { return false }
        let mark = line[(start + 1)...(start + 4)].map { UInt8(truncatingIfNeeded: $0) }
        return ["bck:", "bck?", "fwd:", "fwd?"].contains { mark.elementsEqual($0.utf8) }
    }

    private static let longestSearch = 1100

    /// Reads a line and returns it without its newline; nil at the end of input.
    func readLine() -> [UInt32]? {
        isReading = true
        // At the beginning of a line libedit asks its input for the size of the screen: the terminal must not answer.
        _ = c_el_set_input(editor, sink)
        var count: Int32 = 0
        let text = el_wgets(editor, &count)
        _ = c_el_set_input(editor, c_standard_input())
        isReading = false
        // The terminal stays raw between lines, so type-ahead is not echoed.
        setRaw(true)
        guard let text, count > 0 else { return nil }
        let line = Self.scalars(text, Int(count))
        return line.last == 0x0A ? Array(line.dropLast()) : line
    }

    /// Inserts at the cursor. Returns false when there is no room.
    func insert(_ scalars: some Sequence<UInt32>) -> Bool {
        let text = scalars.filter { $0 != 0 }.map { wchar_t(bitPattern: $0 == 0x0A ? Self.newline : $0) }
        return el_winsertstr(editor, text + [0]) == 0
    }

    /// Deletes `count` characters before the cursor.
    func delete(_ count: Int) {
        el_deletestr(editor, Int32(count))
    }

    // MARK: The terminal

    func setRaw(_ isRaw: Bool) {
        _ = c_el_prepare_terminal(editor, isRaw ? 1 : 0)
    }

    // MARK: History and keys

    func addToHistory(_ line: String) {
        wide(line.inOneLine) { _ = c_history_enter(history, $0) }
    }

    /// Replaces all lines of the history.
    func replaceHistory(_ lines: [String]) {
        _ = c_history_clear(history)
        for line in lines { addToHistory(line) }
    }

    func setHistorySize(_ size: Int) {
        _ = c_history_set_size(history, Int32(clamping: max(1, size)))
    }

    /// Whether the vi key bindings are active.
    var isVi: Bool {
        c_el_editor(editor).map { $0[0] == wchar_t(UInt8(ascii: "v")) } ?? false
    }

    private func addCommands() {
        add("muxsh-complete") { editor, _ in Libedit.run(.complete, editor) }
        add("muxsh-paste") { editor, _ in Libedit.run(.paste, editor) }
        add("muxsh-clear") { editor, _ in Libedit.run(.clear, editor) }
        // Any key with a command ends a search and is then executed. After ESC, libedit would treat the following keys
        // as text.
        add("muxsh-end-search") { editor, _ in Libedit.run(.endSearch, editor) }
        bind(.complete, "muxsh-complete")
        bind(.paste, "muxsh-paste")
        bind(.clear, "muxsh-clear")
        bind(.endSearch, "muxsh-end-search")
        // libedit's own search treats the typed text as a regex and compiles it for each entry.
        add("muxsh-match-before") { editor, _ in Libedit.run(.matchBefore, editor) }
        add("muxsh-match-after") { editor, _ in Libedit.run(.matchAfter, editor) }
        for key in ["\u{1B}p", "\u{1B}P"] { bind(key, "muxsh-match-before") }
        for key in ["\u{1B}n", "\u{1B}N"] { bind(key, "muxsh-match-after") }
        add("muxsh-search") { editor, _ in Libedit.run(.search, editor) }
        for key in ["^R", "^S"] { bind(key, "muxsh-search") }
        add("muxsh-undo") { editor, _ in Libedit.run(.undo, editor) }
        bind(.undo, "muxsh-undo")
        add("muxsh-edit") { editor, _ in Libedit.run(.edit, editor) }
        bind("^X^E", "muxsh-edit")
        add("muxsh-end") { editor, _ in Libedit.run(.toEnd, editor) }
        bind(.toEnd, "muxsh-end")
        // The default command would swallow the next key.
        bind("^@", "ed-unassigned")
        // In vi's key maps ESC introduces sequences, so libedit would wait for more: a lone ESC is delivered as a
        // private key. libedit's own command line crashes on an unterminated quote.
        for key in ["\u{1B}x", "\u{1B}X"] { bind(key, "ed-unassigned") }
        if isVi {
            bindInCommandMode(":", "ed-unassigned")
            bind(.viCommandMode, "vi-command-mode", alternative: "ed-unassigned")
            // libedit's own 'v' waits for the editor, which would block every session.
            bindInCommandMode("K", "muxsh-match-before")
            bindInCommandMode("J", "muxsh-match-after")
            bindInCommandMode("v", "muxsh-edit")
            add("muxsh-row-up") { editor, _ in Libedit.run(.rowUp, editor) }
            add("muxsh-row-down") { editor, _ in Libedit.run(.rowDown, editor) }
            bindInCommandMode("k", "muxsh-row-up")
            bindInCommandMode("j", "muxsh-row-down")
            bind(.historyBefore, "ed-prev-history")
            bind(.historyAfter, "ed-next-history")
        }
        bind("\u{1B}[H", "ed-move-to-beg")
        bind("\u{1B}[F", "muxsh-end")
        bind("\u{1B}[3~", "ed-delete-next-char")
        bind("\u{07}", "ed-start-over")
    }

    private func add(_ name: String, _ command: @escaping @convention(c) (OpaquePointer?, wint_t) -> UInt8) {
        // libedit keeps the pointer and does not copy the text.
        let scalars = name.unicodeScalars.map { wchar_t(bitPattern: $0.value) } + [0]
        let kept = UnsafeMutablePointer<wchar_t>.allocate(capacity: scalars.count)
        kept.initialize(from: scalars, count: scalars.count)
        commandNames.append(kept)
        _ = c_el_add_function(editor, kept, kept, command)
    }

    private func bind(_ command: Command, _ name: String, alternative: String? = nil) {
        bind(String(Unicode.Scalar(UInt8(command.rawValue))), name, alternative: alternative)
    }

    private func bind(_ key: String, _ command: String, alternative: String? = nil) {
        wide(key) { key in
            wide(command) { _ = c_el_bind(editor, key, $0) }
            wide(alternative ?? command) { _ = c_el_bind_alternative(editor, key, $0) }
        }
    }

    /// Binds a key in vi's command mode.
    private func bindInCommandMode(_ key: String, _ command: String) {
        wide(key) { key in wide(command) { _ = c_el_bind_alternative(editor, key, $0) } }
    }

    private static func run(_ command: Command, _ editor: OpaquePointer?) -> UInt8 {
        switch of(editor)?.perform(command) {
        case .changed: UInt8(CC_REFRESH)
        case .unchanged: UInt8(CC_NORM)
        case .failed, nil: UInt8(CC_ERROR)
        }
    }

    private static func of(_ editor: OpaquePointer?) -> Libedit? {
        guard let editor, let client = c_el_client(editor) else { return nil }
        return Unmanaged<Libedit>.fromOpaque(client).takeUnretainedValue()
    }

    /// Selects UTF-8 whatever the environment specifies: libedit drops characters that the locale cannot decode.
    private static func chooseEncoding() {
        setlocale(LC_CTYPE, "")
        if String(cString: nl_langinfo(nl_item(CODESET))) != "UTF-8" { setlocale(LC_CTYPE, "C.UTF-8") }
    }
}

/// Calls `body` with `text` as a C wide string.
private func wide(_ text: String, _ body: (UnsafePointer<wchar_t>) -> Void) {
    let scalars = text.unicodeScalars.map { wchar_t(bitPattern: $0.value) } + [0]
    scalars.withUnsafeBufferPointer { buffer in
        if let base = buffer.baseAddress { body(base) }
    }
}
