import Engine
import Glibc
import Reactor
import Results
import Script
import Sessions
import VM
import Wire

/// `send T --file PATH`: sends a file while it is read.
struct SendFileInstruction: Instruction {
    let target: Target
    let path: Value<SystemString>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let path = try path.evaluate(in: strand)
        let sessions = try strand.sessions(target, orFail: .connection)
        let file = try openForReading(path)
        // A file is sent as one datagram, so its size is checked before it is read.
        var status = stat()
        if fstat(file.number, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            for session in sessions where session.framing.keepsMessages {
                try session.requireFit(Int(status.st_size))
            }
        }
        for session in sessions {
            world.transcript.statement("send \(session.name) --file \(quotedArgument(path.description))")
        }
        return .wait(
            FileWait(
                path: path, file: file, sessions, limit: world.defaultLimit(for: sessions), world)
        )
    }
}

/// Sends a file in pieces, each when most of the previous one has been accepted: memory stays bounded.
private final class FileWait: Wait, DescriptorWatcher {
    private let sessions: [Session]
    var queues: [WaitQueue] { sessions.map(\.waiters) }
    var limit: Duration?
    var wanted: String { isAwaitingFile ? "more data from \(path)" : "room to send \(path)" }
    private let path: SystemString
    private let file: SharedDescriptor
    private let timeout: Duration
    private var isWatching = false
    private var isAwaitingFile = false
    private var isAtEnd = false
    /// The contents so far, for the sessions that get the file as one message.
    private var message: [UInt8] = []
    private var sent = 0
    private var lastProgress = (sent: 0, waiting: 0)
    /// The time of the last progress.
    private var movedAt: Instant
    private var strand: Strand?
    private unowned let world: World

    private static let pieceSize = 256 * 1024
    private static let highWater = 1 << 20

    init(
        path: SystemString, file: SharedDescriptor, _ sessions: [Session], limit: Duration,
        _ world: World
    ) {
        self.path = path
        self.file = file
        self.sessions = sessions
        self.world = world
        timeout = limit
        movedAt = world.loop.readClock()
        self.limit = limit
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        self.strand = strand
        while !isAtEnd {
            try requireOutput()
            guard largestQueue() <= Self.highWater else { break }
            guard try sendPiece() else { break }
        }
        if isAtEnd {
            cancel()
            return true
        }
        noteProgress()
        if isLate { try requireProgress() }
        return false
    }

    func cancel() {
        if isWatching { world.loop.unwatch(file.number) }
        isWatching = false
    }

    func descriptorIsReadable() {
        world.loop.watch(file.number, read: false, write: false, watcher: self)
        isAwaitingFile = false
        if let strand { strand.wake() }
    }

    func descriptorIsWritable() {}

    private func requireOutput() throws(Failure) {
        for session in sessions { try session.requireWorkingOutput() }
    }

    private func largestQueue() -> Int {
        sessions.map(\.channel.bytesWaiting).max() ?? 0
    }

    /// Reads and sends a piece; returns false if the file has no data at the moment.
    private func sendPiece() throws(Failure) -> Bool {
        var buffer: [UInt8] = []
        var problem: Int32 = 0
        buffer = [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { bytes, count in
            let result = read(file.number, bytes.baseAddress, bytes.count)
            problem = result < 0 ? errno : 0
            count = max(0, result)
        }
        switch problem {
        case 0: break
        case EINTR: return true
        case EAGAIN:
            isAwaitingFile = true
            isWatching = true
            world.loop.watch(file.number, read: true, write: false, watcher: self)
            return false
        default: throw Failure(.connection, "cannot read \(path): \(errorMessage(problem))")
        }
        isAtEnd = buffer.isEmpty
        sent += buffer.count
        for session in sessions where session.framing == .message ? isAtEnd : !isAtEnd {
            try session.transmit(session.framing == .message ? message : buffer, as: .binary)
        }
        if sessions.contains(where: { $0.framing == .message }) { message += buffer }
        return true
    }

    private func noteProgress() {
        let progress = (sent: sent, waiting: sessions.map(\.channel.bytesWaiting).reduce(0, +))
        if progress != lastProgress { movedAt = world.loop.readClock() }
        lastProgress = progress
    }

    /// Throws after the limit without progress. The limit is not for the whole file: it restarts with each progress.
    private func requireProgress() throws(Failure) {
        let stalledTime = world.loop.readClock() - movedAt
        if stalledTime >= timeout, let session = sessions.first {
            throw Failure(
                .connection, "\(session.name): timed out after \(shown(timeout)) sending \(path)",
                details: [
                    isAwaitingFile
                        ? "the file has no more data for now; \(shown(bytes: sent)) sent"
                        : "the peer is not reading: \(shown(bytes: largestQueue())) queued to send, \(shown(bytes: sent)) read from the file"
                ])
        }
        guard let strand else { return }
        strand.scheduler.extend(strand, by: timeout - stalledTime)
    }
}
