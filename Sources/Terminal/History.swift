import Glibc

/// The lines typed before, kept in a file across runs and shared by all prompts.
///
/// The file has libedit's format: a header, then a line for each entry, in which every byte up to the blank, DEL and
/// `\` is written as `\ooo`. Each entry is appended under a lock with one write as soon as it is made, so that nothing
/// is lost when a prompt is killed, and several can run at once.
final class History {
    private let path: String?
    /// The entries, oldest first.
    private(set) var entries: [String] = []

    private static let header = "_HiStOrY_V2_\n"
    /// How many entries are kept.
    private var most = 10_000
    /// How many the file holds, as far as is known.
    private var written = 0

    /// Reads the file at `path`, or keeps the history in memory when there is none.
    init(path: String?) {
        self.path = path
        guard let path else { return }
        makeDirectories(above: path)
        load(path)
    }

    /// Adds a line, unless it begins with a blank or repeats the one before; true if it was added.
    func add(_ line: String) -> Bool {
        guard !line.isEmpty, line.first != " ", line.first != "\t", line != entries.last else { return false }
        entries.append(line)
        append(line)
        limit(to: most)
        return true
    }

    /// Keeps so many entries, the newest; the file is cut when there are twice as many in it.
    func limit(to size: Int) {
        most = max(1, size)
        if entries.count > most { entries.removeFirst(entries.count - most) }
        if written > 2 * most { compact() }
    }

    private func load(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        flock(descriptor, LOCK_SH)
        let lines = Self.lines(of: descriptor)
        written = lines.count
        entries = lines.suffix(most).map { Self.decode(Array($0)) }
        // The lock is given back first: cutting the file wants it alone.
        flock(descriptor, LOCK_UN)
        if written > 2 * most { compact() }
    }

    /// The entries of a file as they are written, without the header.
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

    /// Keeps the newest entries of the file only, those of other prompts too: a new file takes the old one's place.
    private func compact() {
        guard let path, let descriptor = openLocked(path) else { return }
        defer { close(descriptor) }
        let kept = Self.lines(of: descriptor).suffix(most)
        let temporary = path + ".new"
        let new = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard new >= 0 else { return }
        let bytes = Array(Self.header.utf8) + kept.flatMap { $0 + [0x0A] }
        let isWritten = Glibc.write(new, bytes, bytes.count) == bytes.count && fsync(new) == 0
        close(new)
        guard isWritten, rename(temporary, path) == 0 else {
            unlink(temporary)
            return
        }
        written = kept.count
    }

    private func append(_ line: String) {
        guard let path, let descriptor = openLocked(path) else { return }
        defer { close(descriptor) }
        var status = stat()
        let isNew = fstat(descriptor, &status) == 0 && status.st_size == 0
        let bytes = (isNew ? Array(Self.header.utf8) : []) + Self.encode(line)
        _ = Glibc.write(descriptor, bytes, bytes.count)
        written += 1
    }

    /// Opens the file for reading and appending, locked. One that another prompt has replaced meanwhile is opened again:
    /// what was appended to the old one would be lost.
    private func openLocked(_ path: String) -> Int32? {
        for _ in 0..<10 {
            let descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else { return nil }
            flock(descriptor, LOCK_EX)
            var (opened, present) = (stat(), stat())
            if fstat(descriptor, &opened) == 0, lstat(path, &present) == 0, opened.st_ino == present.st_ino {
                return descriptor
            }
            close(descriptor)
        }
        return nil
    }

    private func makeDirectories(above path: String) {
        for (index, character) in path.enumerated() where character == "/" && index > 0 {
            mkdir(String(path.prefix(index)), 0o700)
        }
    }

    /// An entry as a line of the file, with its newline.
    static func encode(_ line: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for byte in line.utf8 {
            if byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "\\") {
                let digits = [byte >> 6, byte >> 3 & 7, byte & 7].map { UInt8(ascii: "0") + $0 }
                bytes += [UInt8(ascii: "\\")] + digits
            } else {
                bytes.append(byte)
            }
        }
        return bytes + [0x0A]
    }

    /// The entry that a line of the file stands for; `\ooo` and libedit's `\^X` are read.
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
        return String(decoding: bytes, as: UTF8.self)
    }
}
