import Glibc
import Reactor

/// The previously typed lines, kept in a file across runs and shared by all prompts.
///
/// The file has libedit's format: a header, then a line for each entry, in which every byte up to the blank, DEL and
/// `\` is written as `\ooo`. Each entry is appended under a lock with one write as soon as it is made. So nothing is
/// lost when a prompt is killed, and several prompts can run simultaneously. A lock held by another process is not
/// waited for: the entry is written with the next one, or at the end, then without a lock.
final class History {
    private let path: SystemString?
    /// The reason why the entries are not kept across runs, as text; nil when they are kept, or are not wanted.
    private(set) var problem: String?
    /// The entries, oldest first.
    private(set) var entries: [String] = []

    private static let header = "_HiStOrY_V2_\n"
    /// The maximum number of entries kept.
    private var maximum = 10_000
    /// The number of entries in the file, as far as is known.
    private var written = 0
    /// Whether the last opened file is locked.
    private var isLocked = false
    /// Entries that have not been written yet.
    private var pending: [String] = []

    /// Reads the file at `path`; without a path, keeps the history in memory only.
    init(path: SystemString?) {
        self.path = path
        guard let path else { return }
        makeDirectories(above: path)
        load(path)
    }

    /// Adds a line, unless it begins with a blank or repeats the previous one. Returns whether it was added.
    func add(_ line: String) -> Bool {
        guard !line.isEmpty, line.first != " ", line.first != "\t", !line.utf8.elementsEqual((entries.last ?? "").utf8)
        else { return false }
        entries.append(line)
        pending.append(line)
        appendPending()
        limit(to: maximum)
        return true
    }

    /// Keeps the newest `size` entries. The file is rewritten when it contains more than twice as many.
    func limit(to size: Int) {
        maximum = max(1, size)
        if entries.count > maximum { entries.removeFirst(entries.count - maximum) }
        if written > 2 * maximum { compact() }
    }

    /// Writes the entries that have not been written yet.
    func end() {
        appendPending(isLast: true)
    }

    private func load(_ path: SystemString) {
        guard let file = openLocked(path) else { return }
        let lines = Self.lines(of: file.number)
        written = lines.count
        entries = lines.suffix(maximum).map { Self.decode(Array($0)) }
        if written > 2 * maximum { compact() }
    }

    /// Returns the encoded entries of a file, without the header.
    private static func lines(of descriptor: Int32) -> [ArraySlice<UInt8>] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        return Array(bytes.split(separator: 0x0A).dropFirst())
    }

    /// Reduces the file to its newest entries, including those of other prompts, by replacing it with a new file.
    private func compact() {
        guard let path, let file = openLocked(path), isLocked, let real = Self.realPath(path) else { return }
        let kept = Self.lines(of: file.number).suffix(maximum)
        // If this fails, it is not retried immediately.
        written = kept.count
        let temporary = real + ".new"
        let number = temporary.withCString { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600) }
        guard number >= 0 else { return }
        let new = SharedDescriptor(Descriptor(owning: number))
        let bytes = Array(Self.header.utf8) + kept.flatMap { $0 + [0x0A] }
        let isWritten = Glibc.write(new.number, bytes, bytes.count) == bytes.count && fsync(new.number) == 0
        let isDone = isWritten && temporary.withCString { from in real.withCString { rename(from, $0) } } == 0
        guard isDone else {
            _ = temporary.withCString { unlink($0) }
            return
        }
    }

    private func appendPending(isLast: Bool = false) {
        guard !pending.isEmpty, let path, let file = openLocked(path), isLocked || isLast else { return }
        var status = stat()
        let size = fstat(file.number, &status) == 0 ? status.st_size : 0
        var bytes = size == 0 ? Array(Self.header.utf8) : []
        // The file was truncated in the middle of a line: begin another one.
        var last: UInt8 = 0x0A
        if size > 0, pread(file.number, &last, 1, size - 1) == 1, last != 0x0A { bytes.append(0x0A) }
        bytes += pending.flatMap(Self.encode)
        written += pending.count
        pending = []
        if Glibc.write(file.number, bytes, bytes.count) < 0 { _ = fail(lastErrorMessage()) }
    }

    /// Opens the file for reading and appending, and locks it while it is open. If another prompt has replaced the file
    /// in the meantime, it is opened again: entries appended to the old one would be lost. Symbolic links are followed.
    ///
    /// While another process holds the lock, the file is not locked and `isLocked` is false.
    private func openLocked(_ path: SystemString) -> SharedDescriptor? {
        for _ in 0..<10 {
            let flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
            let number = path.withCString { open($0, flags, 0o600) }
            guard number >= 0 else { return fail(lastErrorMessage()) }
            let file = SharedDescriptor(Descriptor(owning: number))
            isLocked = flock(number, LOCK_EX | LOCK_NB) == 0
            var (opened, present) = (stat(), stat())
            guard fstat(number, &opened) == 0 else { return fail(lastErrorMessage()) }
            guard opened.st_mode & S_IFMT == S_IFREG else {
                // A path that leads to /dev/null means that no history is wanted.
                var null = stat()
                let isNull = stat("/dev/null", &null) == 0 && opened.st_rdev == null.st_rdev && opened.st_rdev != 0
                return isNull ? nil : fail("it is not a regular file")
            }
            // Typed lines are private to their owner.
            if opened.st_uid == geteuid(), opened.st_mode & 0o077 != 0 { fchmod(number, 0o600) }
            if path.withCString({ stat($0, &present) }) == 0, opened.st_ino == present.st_ino {
                return file
            }
        }
        return nil
    }

    private func fail(_ message: String) -> SharedDescriptor? {
        if problem == nil { problem = "\(path?.description ?? ""): \(message)" }
        return nil
    }

    /// Returns the path with all symbolic links resolved (realpath(3)).
    private static func realPath(_ path: SystemString) -> SystemString? {
        guard let real = path.withCString({ realpath($0, nil) }) else { return nil }
        defer { free(real) }
        return SystemString(copying: real)
    }

    private func makeDirectories(above path: SystemString) {
        for (index, byte) in path.bytes.enumerated() where byte == UInt8(ascii: "/") && index > 0 {
            _ = SystemString(path.bytes.prefix(index))?.withCString { mkdir($0, 0o700) }
        }
    }

    /// Returns an entry as a line of the file, with its newline.
    static func encode(_ line: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for byte in line.losslessBytes {
            if byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "\\") {
                let digits = [byte >> 6, byte >> 3 & 7, byte & 7].map { UInt8(ascii: "0") + $0 }
                bytes += [UInt8(ascii: "\\")] + digits
            } else {
                bytes.append(byte)
            }
        }
        return bytes + [0x0A]
    }

    /// Returns the entry encoded by a line of the file. Both `\ooo` and libedit's `\^X` are decoded.
    static func decode(_ line: [UInt8]) -> String {
        var bytes: [UInt8] = []
        var index = 0
        while index < line.count {
            let rest = line[index...]
            if rest.first == UInt8(ascii: "\\"), rest.count >= 4,
                rest.dropFirst().prefix(3).allSatisfy({ (48...55).contains($0) })
            {
                let value = rest.dropFirst().prefix(3).reduce(0) { $0 << 3 | Int($1 - 48) }
                bytes.append(UInt8(truncatingIfNeeded: value))
                index += 4
            } else if rest.first == UInt8(ascii: "\\"), rest.count >= 3, line[index + 1] == UInt8(ascii: "^") {
                bytes.append(line[index + 2] ^ 0x40)
                index += 3
            } else {
                bytes.append(line[index])
                index += 1
            }
        }
        return String(lossless: bytes)
    }
}
