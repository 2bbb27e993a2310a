import Glibc
import Reactor

/// Lines of standard input as they arrive. It reads ahead up to a mebibyte, so that a busy script neither spins nor
/// holds up its writer for long.
final class StandardInput: DescriptorWatcher {
    private let loop: EventLoop
    private var buffer: [UInt8] = []
    private var head = 0
    private(set) var isAtEnd = false
    /// Why it could not be read to its end, in words.
    private(set) var problem: String?
    private var isWatching = false

    private static let maximum = 1 << 20

    init(on loop: EventLoop) {
        self.loop = loop
        updateInterest()
    }

    /// The next whole line, or the rest when no more comes; nil when there is none yet.
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

    /// Forgets the lines that nobody has asked for yet.
    func drop() {
        consume(through: buffer.count)
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
        // A line longer than the buffer has to be read whole all the same.
        let hasRoom = buffer.count - head < Self.maximum || !buffer[head...].contains(UInt8(ascii: "\n"))
        let wants = !isAtEnd && hasRoom
        guard wants != isWatching else { return }
        isWatching = wants
        loop.watch(STDIN_FILENO, read: wants, write: false, watcher: self)
    }
}
