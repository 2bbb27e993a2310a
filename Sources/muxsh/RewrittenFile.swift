import Glibc
import Reactor
import Script

/// A script with some of its lines rewritten. Everything else stays as it is, byte for byte.
struct RewrittenFile {
    /// The new form of a line, numbered from 1.
    typealias Edit = (line: Int, old: [UInt8], new: [UInt8])

    let path: SystemString
    private(set) var changes: [Edit] = []
    private let bytes: [UInt8]

    /// - Parameters:
    ///   - bytes: the file as it is now.
    ///   - edits: the changes, with the lines as they were when the file was run.
    /// - Returns: nil if the file has changed since it was run.
    init?(_ path: SystemString, _ bytes: [UInt8], _ edits: [Edit]) {
        self.path = path
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        for edit in edits.sorted(by: { $0.line < $1.line }) {
            let index = edit.line - 1
            guard lines.indices.contains(index) else { return nil }
            let hasReturn = lines[index].last == UInt8(ascii: "\r")
            // The first line may begin with a byte order mark.
            let mark: [UInt8] = index == 0 && lines[0].starts(with: [0xEF, 0xBB, 0xBF]) ? [0xEF, 0xBB, 0xBF] : []
            let old = Array((hasReturn ? lines[index].dropLast() : lines[index][...]).dropFirst(mark.count))
            guard old == edit.old else { return nil }
            lines[index] = mark + edit.new + (hasReturn ? [UInt8(ascii: "\r")] : [])
            changes.append(edit)
        }
        self.bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
    }

    /// The changes as lines: each old and new line with its place.
    var difference: [String] {
        changes.flatMap { number, old, new in
            ["\(path.shown):\(number): -\(Escapes.visible(old))", "\(path.shown):\(number): +\(Escapes.visible(new))"]
        }
    }

    /// Writes the file beside the old one, with its mode, and renames it. Returns the problem, or nil.
    func write() -> String? {
        // The target of a symbolic link is replaced, not the link.
        guard let resolved = path.withCString({ realpath($0, nil) }) else { return lastErrorMessage() }
        defer { free(resolved) }
        let target = SystemString(copying: resolved)
        var status = stat()
        guard target.withCString({ stat($0, &status) }) == 0 else { return lastErrorMessage() }
        let beside = SystemString("\(target).muxsh-\(getpid())".losslessBytes) ?? target
        let number = beside.withCString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
        guard number >= 0 else { return lastErrorMessage() }
        let file = Descriptor(owning: number)
        guard write(to: file.number), fchmod(file.number, status.st_mode & 0o7777) == 0, fsync(file.number) == 0,
            target.withCString({ new in beside.withCString { rename($0, new) } }) == 0
        else {
            let problem = lastErrorMessage()
            _ = beside.withCString { unlink($0) }
            return problem
        }
        return nil
    }

    private func write(to file: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return false }
            rest = rest.dropFirst(max(0, count))
        }
        return true
    }
}
