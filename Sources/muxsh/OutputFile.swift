import Glibc
import Reactor

/// A file of --transcript or --report. A new file is private to its owner. Each line is written as soon as it is known,
/// so nothing is lost when the program is killed.
///
/// An existing file keeps its mode: it may be a device, or belong to another user. A FIFO is written without ever
/// blocking; while it has no reader, it is not open (fifo(7)).
final class OutputFile {
    let path: SystemString
    private(set) var stream: OutputStream?
    private let loop: EventLoop
    private var openingProblem: Int32?

    /// The interval at which a FIFO without a reader is tried again: there is no event for a waiting reader.
    private static let pause = Duration.milliseconds(50)

    /// Opens the file and truncates it.
    init(path: SystemString, on loop: EventLoop) {
        self.path = path
        self.loop = loop
        open()
    }

    /// Whether the file is a FIFO that has no reader yet.
    var isAwaitingReader: Bool { stream == nil && openingProblem == nil }

    /// The reason why the file could not be written completely, as text.
    var problem: String? { (openingProblem ?? stream?.problem).map { errorMessage($0) } }

    func write(_ line: [UInt8]) {
        stream?.write(line)
        stream?.flush()
    }

    private func open() {
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        let number = path.withCString { Glibc.open($0, flags, 0o600) }
        if number >= 0 {
            stream = OutputStream(owning: Descriptor(owning: number), on: loop)
        } else if errno == ENXIO, isFIFO {
            _ = loop.schedule(after: Self.pause) { [weak self] in self?.open() }
        } else {
            openingProblem = errno
        }
    }

    private var isFIFO: Bool {
        let number = errno
        var status = stat()
        defer { errno = number }
        return path.withCString { stat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFIFO
    }
}
