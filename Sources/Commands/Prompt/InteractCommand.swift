import Engine
import Glibc
import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// `interact`: hands the terminal to a session.
struct InteractCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "interact", summary: "hand the terminal to a session",
            forms: [Form(.parameter(Parameter("NAME", .session)))],
            options: [
                CommandOption("--end", Parameter("KEY", .checked(endKeyProblem)), "key that takes it back (C-])")
            ],
            text: """
                Every key goes to the session, and what it sends is shown as it is: a shell, an editor or the console \
                of a router. Ctrl-] takes the terminal back. The size of the terminal is passed on to programs on a \
                pseudo-terminal and over telnet. Lines of other sessions are counted meanwhile.
                """,
            examples: ["spawn sh --pty sh -i\ninteract sh", "interact router --end C-a"],
            caveats: [
                "Works only at the prompt.",
                "The session can do to the terminal what a program in it can: use it with sessions that you trust.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            InteractInstruction(
                name: Value(name: try call.required("NAME")),
                end: call.value(ofOption: "--end").map { argument in
                    Value(argument, .checked(endKeyProblem)) { endKey($0) }
                }, range: call.range))
    }
}

/// Returns the byte of a key that sends one; nil for other keys.
private func endKey(_ bytes: [UInt8]) -> UInt8? {
    guard case .bytes(let sent)? = TerminalKey(String(decoding: bytes, as: UTF8.self)), sent.count == 1 else {
        return nil
    }
    return sent[0]
}

private func endKeyProblem(_ bytes: [UInt8]) -> String? {
    endKey(bytes) == nil
        ? "'\(Escapes.visible(bytes))' is not a key of one byte; write one such as C-] or C-a" : nil
}

private struct InteractInstruction: Instruction {
    let name: Value<String>
    let end: Value<UInt8>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try name.evaluate(in: strand)
        guard !strand.isGuest, world.history != nil, world.terminal != nil else {
            let place = strand.isGuest ? "the prompt of the run, not at an attached one" : "the prompt"
            throw Failure(.expectation, "'interact' works only at \(place)", range: range)
        }
        guard let session = world.sessions[name] else {
            throw Failure(.connection, "no session '\(name)' is open", range: range)
        }
        guard session.channel.isOpen, !session.inputHasEnded else {
            throw Failure(.connection, "\(name): \(session.inputState)", range: range)
        }
        return .wait(try InteractWait(session, end: try end?.evaluate(in: strand) ?? 0x1D, world))
    }
}

/// Passes keys to a session and its data to the terminal, until a key or the end of the session.
private final class InteractWait: Wait, DescriptorWatcher {
    var limit: Duration?
    let wanted = "the end of the interaction"
    var queues: [WaitQueue] { [session.waiters, session.feed.waiters] }
    private let session: Session
    private let end: UInt8
    private unowned let world: World
    private let terminal: SharedDescriptor
    private let screen: OutputStream
    /// The settings to return to; nil before the beginning and after the end.
    private var former: TerminalSettings?
    private var strand: Strand?
    private var isOver = false

    /// What a program may have left switched on: the other screen, keys and paste marks, colors, a hidden cursor.
    private static let reset = "\u{1B}[?1049l\u{1B}[?1l\u{1B}>\u{1B}[?2004l\u{1B}[?1000l\u{1B}[0m\u{1B}[?25h\r\n"

    init(_ session: Session, end: UInt8, _ world: World) throws(Failure) {
        self.session = session
        self.end = end
        self.world = world
        let number = open("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard number >= 0 else { throw Failure(.expectation, "there is no terminal") }
        terminal = SharedDescriptor(Descriptor(owning: number))
        screen = OutputStream(number, on: world.loop, highWater: 16 * 1024)
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if self.strand == nil {
            self.strand = strand
            begin()
        }
        if session.inputHasEnded { isOver = true }
        session.channel.hold(screen.isCongested, for: .output)
        screen.flush()
        guard isOver else { return false }
        cancel()
        return true
    }

    private func begin() {
        world.transcript.hint(
            "\(session.name) has the terminal; \(end == 0x1D ? "Ctrl-]" : "the --end key") takes it back")
        world.output.flush()
        world.terminal?.lend()
        world.isInteracting = true
        former = TerminalSettings(of: terminal.number)
        TerminalSettings(rawOf: terminal.number, returnsAtFeed: !session.hasTerminalPeer)?.apply(to: terminal.number)
        session.tap = { [unowned self] in show($0) }
        world.onResize = { [unowned self] in passSize() }
        passSize()
        // What was not shown as a whole line yet, such as a prompt.
        if let rest = session.voice.unfinished { show(rest) }
        world.loop.watch(terminal.number, read: true, write: false, watcher: self)
    }

    func cancel() {
        guard let former else { return }
        self.former = nil
        session.tap = nil
        world.onResize = nil
        world.loop.unwatch(terminal.number)
        session.channel.hold(false, for: .output)
        screen.write(Array(Self.reset.utf8))
        screen.flush()
        former.apply(to: terminal.number)
        _ = world.transcript.takeUnseen(of: session.name)
        world.isInteracting = false
        world.terminal?.takeBack()
    }

    private func show(_ bytes: UnsafeRawBufferPointer) {
        screen.write(Array(bytes))
        screen.flush()
    }

    private func show(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { show($0) }
    }

    private func passSize() {
        var size = winsize()
        guard ioctl(terminal.number, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return }
        session.setTerminalSize(rows: Int(size.ws_row), columns: Int(size.ws_col))
    }

    func descriptorIsReadable() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(terminal.number, &buffer, buffer.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        let keys = buffer.prefix(max(0, count))
        let typed = keys.prefix { $0 != end }
        if !typed.isEmpty { try? session.send(session.typed(Array(typed)), line: nil) }
        if count <= 0 || typed.count < keys.count {
            isOver = true
            strand?.wake()
        }
    }

    func descriptorIsWritable() {}
}
