import Results
import Glibc
import Reactor
import Script

extension SystemString {
    /// The path as shown in a message.
    var shown: String { bytes.isEmpty ? "''" : visible(description) }
}

/// Reads whole files through the event loop: a slow file, such as a pipe or a FIFO without a writer, blocks neither
/// sessions nor signals.
final class FileReader: DescriptorWatcher {
    /// The limit in bytes: an endless file, such as a device, would use up all memory.
    private static let maximum = 64 << 20

    private let loop: EventLoop
    /// Whether to abort reading.
    private let isInterrupted: () -> Bool
    private var isReadable = false
    private var isCancelled = false
    /// The path being read, for the message of an interruption.
    private(set) var waitsFor: SystemString?

    init(on loop: EventLoop, isInterrupted: @escaping () -> Bool) {
        self.loop = loop
        self.isInterrupted = isInterrupted
    }

    /// Reads the bytes of a file.
    func read(_ path: SystemString) -> Result<Parser.LoadedFile, Parser.LoadFailure> {
        let number = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard number >= 0 else { return .failure(Parser.LoadFailure(message: lastErrorMessage())) }
        let owner = SharedDescriptor(Descriptor(owning: number))
        return withExtendedLifetime(owner) { read(number, path) }
    }

    /// Reads the bytes of standard input, up to its end.
    func readInput() -> Result<Parser.LoadedFile, Parser.LoadFailure> {
        read(STDIN_FILENO, "-")
    }

    /// Aborts the current read.
    func cancel() {
        isCancelled = true
    }

    private func read(_ number: Int32, _ path: SystemString) -> Result<Parser.LoadedFile, Parser.LoadFailure> {
        isCancelled = false
        var status = stat()
        let isRegular = fstat(number, &status) == 0 && [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
        return bytes(from: number, isRegular: isRegular, path).map {
            Parser.LoadedFile(bytes: $0, identity: "\(status.st_dev) \(status.st_ino)")
        }
    }

    func descriptorIsReadable() { isReadable = true }
    func descriptorIsWritable() {}

    private func bytes(
        from descriptor: Int32, isRegular: Bool, _ path: SystemString
    ) -> Result<[UInt8], Parser.LoadFailure> {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            if !isRegular, !awaitReadable(descriptor, path) {
                return .failure(Parser.LoadFailure(message: "interrupted"))
            }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return .success(bytes) }
            if count > 0 {
                bytes += buffer.prefix(count)
                if bytes.count > Self.maximum {
                    return .failure(Parser.LoadFailure(message: "longer than 64 MiB, the limit for a script"))
                }
            } else if errno != EINTR && errno != EAGAIN {
                return .failure(Parser.LoadFailure(message: lastErrorMessage()))
            }
        }
    }

    private func awaitReadable(_ descriptor: Int32, _ path: SystemString) -> Bool {
        isReadable = false
        waitsFor = path
        loop.watch(descriptor, read: true, write: false, watcher: self)
        defer {
            loop.unwatch(descriptor)
            waitsFor = nil
        }
        while !isReadable, !isCancelled, !isInterrupted() { loop.turn() }
        return isReadable
    }
}
