import Glibc
import Reactor

/// Lines of standard input as they arrive. Reads ahead up to 1 MiB, so that a busy script neither spins nor blocks its
/// writer for long.
final class StandardInput: DescriptorWatcher {
    private let loop: EventLoop
    private var buffer: [UInt8] = []
    private var head = 0
    private(set) var isAtEnd = false
    /// The reason why it could not be read completely, as text.
    private(set) var problem: String?
    private var isWatching = false
    private var isPaused = false

    private static let maximum = 1 << 20

    init(on loop: EventLoop) {
        self.loop = loop
        updateInterest()
    }

    /// Returns the next complete line, or the rest at the end of input; nil when there is none yet.
    func nextLine() -> [UInt8]? {
        let rest = buffer[head...]
        if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            defer { consume(through: end + 1) }
            return Array(rest[..<end])
        }
        guard isAtEnd, !rest.isEmpty else { return nil }
        defer { consume(through: buffer.count) }
        return Array(rest)
    }

    /// Discards the lines that have not been read yet.
    func drop() {
        consume(through: buffer.count)
    }

    /// Stops reading for a while, or continues.
    func pause(_ isPaused: Bool) {
        self.isPaused = isPaused
        updateInterest()
    }

    /// Discards what is still there, as if it had ended.
    func close() {
        drop()
        isAtEnd = true
        updateInterest()
    }

    func end() {
        loop.unwatch(STDIN_FILENO)
    }

    func descriptorIsReadable() {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = read(STDIN_FILENO, &chunk, chunk.count)
        if count > 0 {
            buffer += chunk.prefix(count)
        } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
            isAtEnd = true
            if count < 0 { problem = lastErrorMessage() }
        }
        updateInterest()
    }

    func descriptorIsWritable() {}

    private func consume(through index: Int) {
        head = index
        if head > buffer.count / 2 {
            buffer.removeFirst(head)
            head = 0
        }
        updateInterest()
    }

    private func updateInterest() {
        // A line longer than the buffer must still be read completely.
        let hasRoom = buffer.count - head < Self.maximum || !buffer[head...].contains(UInt8(ascii: "\n"))
        let wants = !isAtEnd && hasRoom && !isPaused
        guard wants != isWatching else { return }
        isWatching = wants
        loop.watch(STDIN_FILENO, read: wants, write: false, watcher: self)
    }
}
