import Glibc
import Reactor

/// A file of --transcript or --report: for its owner only when it is new, and each line written as soon as it is known, so
/// that nothing is lost when the program is killed.
///
/// A file that is there already keeps its mode: it may be a device, or another's. A FIFO is written without ever blocking;
/// as long as nobody reads from it, it is not open (fifo(7)).
final class OutputFile {
    let path: SystemString
    private(set) var stream: OutputStream?
    private let loop: EventLoop
    private var openingProblem: Int32?

    /// How often a FIFO is looked at that nobody reads from yet: nothing tells of a reader that waits.
    private static let pause = Duration.milliseconds(50)

    /// Opens the file; what it held before is gone then.
    init(path: SystemString, on loop: EventLoop) {
        self.path = path
        self.loop = loop
        open()
    }

    /// Whether it is a FIFO that nobody has opened for reading.
    var isAwaitingReader: Bool { stream == nil && openingProblem == nil }

    /// Why it could not be written to its end, in words.
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
