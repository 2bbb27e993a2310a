import Engine
import Glibc
import Reactor
import Results
import Wire

/// Edits a text in the user's editor, which gets the terminal, while the loop turns.
///
/// The editor runs on a terminal of its own, so it ends with us, and its keys are not ours: they are passed on as bytes.
final class TextEditor: ChannelDelegate, DescriptorWatcher {
    private unowned let world: World
    private let path: SystemString
    private let terminal: SharedDescriptor
    private let screen: OutputStream
    private var starting: ChildStarting?
    private var child: ChildProcess?
    private var channel: Channel?
    private var problem: String?
    private var isOver = false

    /// - Parameter folder: a private directory, for the file.
    init(_ world: World, in folder: SystemString) throws(Failure) {
        self.world = world
        // Editors know the kind of a file by its name.
        path = folder + "/entry.mux"
        let number = open("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard number >= 0 else { throw Failure(.expectation, "there is no terminal") }
        terminal = SharedDescriptor(Descriptor(owning: number))
        screen = OutputStream(number, on: world.loop, highWater: 16 * 1024)
    }

    /// Returns the edited text. Throws if the editor cannot be run or fails.
    ///
    /// - Parameter turn: turns the loop once.
    func edit(_ text: String, turn: () -> Void) throws(Failure) -> String {
        try write(text)
        defer { _ = path.withCString { unlink($0) } }
        let former = TerminalSettings(of: terminal.number)
        world.output.flush()
        world.terminal?.lend()
        world.isInteracting = true
        TerminalSettings(rawOf: terminal.number, returnsAtFeed: false)?.apply(to: terminal.number)
        world.onResize = { [unowned self] in passSize() }
        start()
        while !isOver { turn() }
        world.onResize = nil
        world.loop.unwatch(terminal.number)
        channel?.close()
        if let child { world.children.release(child) }
        screen.write(Array("\u{1B}[0m\u{1B}[?25h".utf8))
        screen.flush()
        former?.apply(to: terminal.number)
        world.isInteracting = false
        world.terminal?.takeBack()
        if let problem { throw Failure(.expectation, "\(problem); the text is as it was") }
        return try read()
    }

    /// The user's choice (environ(7)), which a shell divides into arguments.
    private var request: ChildRequest {
        let editor = Environment.setting("VISUAL") ?? Environment.setting("EDITOR") ?? "vi"
        var request = ChildRequest(
            program: "/bin/sh",
            arguments: ["-c", SystemString("exec ") + editor + " \"$1\"", "sh", path])
        request.hasTerminal = true
        if let terminal = Environment.setting("TERM") { request.environment = [SystemString("TERM=") + terminal] }
        if let size { request.terminalSize = size }
        return request
    }

    private var size: (rows: Int, columns: Int)? {
        var size = winsize()
        guard ioctl(terminal.number, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return (Int(size.ws_row), Int(size.ws_col))
    }

    private func passSize() {
        if let size { channel?.setTerminalSize(rows: size.rows, columns: size.columns) }
    }

    private func start() {
        do throws(WireFailure) {
            starting = try world.children.start(request) { [unowned self] outcome in
                starting = nil
                switch outcome {
                case .failure(let failure): end("cannot run an editor: \(failure.message)")
                case .success(let started): began(started)
                }
            }
        } catch {
            end("cannot run an editor: \(error.message)")
        }
    }

    private func began(_ started: StartedChild) {
        child = started.process
        started.process.onExit = { [unowned self] in endIfDone() }
        let channel = Channel(transport: started.transport, peer: "", inboxLimit: 1 << 20, on: world.loop)
        channel.delegate = self
        self.channel = channel
        world.loop.watch(terminal.number, read: true, write: false, watcher: self)
    }

    /// Ends when the editor has ended and everything it wrote is on the screen.
    private func endIfDone() {
        guard let ending = child?.ending, channel?.input != .open else { return }
        end(ending.status == 0 ? nil : "the editor \(ending.description)")
    }

    private func end(_ problem: String?) {
        self.problem = problem
        isOver = true
    }

    // MARK: The file

    private func write(_ text: String) throws(Failure) {
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW
        let number = path.withCString { open($0, flags, 0o600) }
        guard number >= 0 else { throw Failure(.connection, "cannot write \(path): \(lastErrorMessage())") }
        let file = SharedDescriptor(Descriptor(owning: number))
        let bytes = text.losslessBytes + [UInt8(ascii: "\n")]
        guard Glibc.write(file.number, bytes, bytes.count) == bytes.count else {
            throw Failure(.connection, "cannot write \(path): \(lastErrorMessage())")
        }
    }

    private func read() throws(Failure) -> String {
        let number = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard number >= 0 else { throw Failure(.connection, "cannot read \(path): \(lastErrorMessage())") }
        let file = SharedDescriptor(Descriptor(owning: number))
        var state = stat()
        guard fstat(number, &state) == 0, state.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.connection, "cannot read \(path): it is not a regular file any more")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= Self.longest, case let count = Glibc.read(file.number, &buffer, buffer.count), count > 0 {
            bytes += buffer.prefix(count)
        }
        guard bytes.count <= Self.longest else {
            throw Failure(.expectation, "the text is longer than 1 MiB (limit of an entry); it is as it was")
        }
        while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return String(lossless: bytes)
    }

    private static let longest = 1 << 20

    // MARK: Keys and screen

    func descriptorIsReadable() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(terminal.number, &buffer, buffer.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else {
            world.loop.unwatch(terminal.number)
            return end("the terminal is gone")
        }
        buffer.prefix(count).withUnsafeBytes { channel?.send($0) }
    }

    func descriptorIsWritable() {}

    func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer) {}

    func channelInboxGrew(_ channel: Channel) {
        screen.write(Array(channel.inbox.bytes))
        channel.inbox.consume(through: channel.inbox.front + channel.inbox.count)
        channel.inboxShrank()
        screen.flush()
    }

    func channelInputEnded(_ channel: Channel) { endIfDone() }
    func channelOutputAdvanced(_ channel: Channel) {}
    func channelOutputFailed(_ channel: Channel) {}
    func channelWasRefused(_ channel: Channel) {}
    func channel(_ channel: Channel, mustDrop count: Int) {}
}
