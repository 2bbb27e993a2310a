import Glibc
import Reactor

/// A file of --transcript or --report. A new file is private to its owner.
///
/// Each line is written as soon as it is known, so nothing is lost when the program is killed. A file that is of use
/// only as a whole is written beside its place and renamed at the end: until then an old file stays.
///
/// An existing file keeps its mode: it may be a device, or belong to another user. A FIFO is written without ever
/// blocking; while it has no reader, it is not open (fifo(7)).
final class OutputFile {
    let path: SystemString
    private(set) var stream: OutputStream?
    private let loop: EventLoop
    private var openingProblem: Int32?
    /// Where a whole file is written, and its place; nil once it is there, and for a file written in its place.
    private var beside: (path: SystemString, place: SystemString)?

    /// The interval at which a FIFO without a reader is tried again: there is no event for a waiting reader.
    private static let pause = Duration.milliseconds(50)

    /// Opens the file and truncates it.
    ///
    /// - Parameter isWhole: whether it is of use only as a whole.
    init(path: SystemString, isWhole: Bool = false, on loop: EventLoop) {
        self.path = path
        self.loop = loop
        if isWhole { openBeside() }
        if beside == nil { open() }
    }

    /// Puts a whole file in its place. Nothing more is written to it.
    func finish() {
        guard let (written, place) = beside else { return }
        beside = nil
        let isComplete = stream?.isDrained == true && stream?.problem == nil
        guard isComplete, place.withCString({ new in written.withCString { rename($0, new) } }) == 0 else {
            if isComplete { openingProblem = errno }
            _ = written.withCString { unlink($0) }
            return
        }
    }

    /// Whether the file is a FIFO that has no reader yet.
    var isAwaitingReader: Bool { stream == nil && openingProblem == nil }

    /// The reason why the file could not be written completely, as text.
    var problem: String? { (openingProblem ?? stream?.problem).map { errorMessage($0) } }

    /// Removes a whole file that was not finished.
    func abandon() {
        guard let beside else { return }
        self.beside = nil
        _ = beside.path.withCString { unlink($0) }
    }

    func write(_ line: [UInt8]) {
        stream?.write(line)
        stream?.flush()
    }

    /// Opens a file beside its place, unless that is a device, or in a folder where nothing can be made.
    private func openBeside() {
        var status = stat()
        let exists = path.withCString { stat($0, &status) } == 0
        guard !exists || status.st_mode & S_IFMT == S_IFREG else { return }
        var place = path
        if exists, let resolved = path.withCString({ realpath($0, nil) }) {
            // The target of a symbolic link is replaced, not the link.
            place = SystemString(copying: resolved)
            free(resolved)
        }
        // A file that may not be written is an error, as it is where it is written in place.
        guard !exists || place.withCString({ access($0, W_OK) }) == 0 else { return }
        guard let written = SystemString("\(place).muxsh-\(getpid())".losslessBytes) else { return }
        let number = written.withCString { Glibc.open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
        guard number >= 0 else { return }
        if exists { fchmod(number, status.st_mode & 0o7777) }
        stream = OutputStream(owning: Descriptor(owning: number), on: loop)
        beside = (written, place)
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
