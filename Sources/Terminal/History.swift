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

    /// Keeps so many entries, the newest; the file is cut when there are twice as many.
    func limit(to size: Int) {
        most = size
        if entries.count > size { entries.removeFirst(entries.count - size) }
    }

    private func load(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        flock(descriptor, LOCK_SH)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        let lines = bytes.split(separator: 0x0A).dropFirst()
        entries = lines.suffix(most).map { Self.decode(Array($0)) }
        if lines.count > 2 * most { rewrite(path) }
    }

    /// Keeps the newest entries only: a new file takes the old one's place.
    private func rewrite(_ path: String) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        let bytes = Array(Self.header.utf8) + entries.flatMap { Self.encode($0) }
        let isWritten = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        if isWritten { rename(temporary, path) } else { unlink(temporary) }
    }

    private func append(_ line: String) {
        guard let path else { return }
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        flock(descriptor, LOCK_EX)
        var status = stat()
        let isNew = fstat(descriptor, &status) == 0 && status.st_size == 0
        let bytes = (isNew ? Array(Self.header.utf8) : []) + Self.encode(line)
        _ = write(descriptor, bytes, bytes.count)
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
