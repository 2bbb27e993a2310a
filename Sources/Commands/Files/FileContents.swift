import Engine
import Functions
import Glibc
import Reactor
import Results
import Script
import VM

/// Reads a whole file through the event loop, then calls `done` with its bytes: a pipe blocks nothing.
final class FileReadWait: Wait, DescriptorWatcher {
    var limit: Duration?
    var wanted: String { "the end of \(visible(path.description))" }
    private let path: SystemString
    private let file: SharedDescriptor
    private let done: (Strand, [UInt8]) throws(Failure) -> Void
    private unowned let loop: EventLoop
    private var bytes: [UInt8] = []
    private var isWatching = false
    private var strand: Strand?

    /// The largest file, in bytes: a longer value could not be kept.
    static let maximum = 64 << 20

    init(
        _ path: SystemString, limit: Duration, on loop: EventLoop,
        done: @escaping (Strand, [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        self.path = path
        self.limit = limit
        self.loop = loop
        self.done = done
        file = try openForReading(path)
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        self.strand = strand
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(file.number, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer.prefix(count)
                guard bytes.count <= Self.maximum else {
                    throw Failure(.connection, "cannot read \(path): longer than 64 MiB")
                }
            } else if count == 0 {
                cancel()
                try done(strand, bytes)
                return true
            } else if errno == EAGAIN {
                guard !isLate else {
                    throw Failure(.connection, "timed out after \(shown(limit ?? .zero)) waiting for \(wanted)")
                }
                loop.watch(file.number, read: true, write: false, watcher: self)
                isWatching = true
                return false
            } else if errno != EINTR {
                throw Failure(.connection, "cannot read \(path): \(lastErrorMessage())")
            }
        }
    }

    func cancel() {
        if isWatching { loop.unwatch(file.number) }
        isWatching = false
    }

    func descriptorIsReadable() {
        cancel()
        strand?.wake()
    }

    func descriptorIsWritable() {}
}

/// Opens a file without blocking.
func openForReading(_ path: SystemString) throws(Failure) -> SharedDescriptor {
    let number = path.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
    guard number >= 0 else { throw Failure(.connection, "cannot read \(path): \(lastErrorMessage())") }
    return SharedDescriptor(Descriptor(owning: number))
}

/// The rows of `for … in --lines` and `--file`: the lines of a text or a file, without their endings.
final class LineRows: RowSource {
    private let name: String
    /// The bytes of the text or file that have not been returned, from `index` on.
    private var bytes: [UInt8]
    private var index = 0
    /// The file, or nil for a text or at the end of the file.
    private var file: SharedDescriptor?
    private let path: SystemString?
    private static let blockSize = 65536
    private static let longest = 64 << 20

    init(_ name: String, text: [UInt8]) {
        self.name = name
        bytes = text
        path = nil
    }

    /// Only a regular file: its blocks are read when they are needed, without waiting.
    init(_ name: String, file path: SystemString) throws(Failure) {
        self.name = name
        self.path = path
        bytes = []
        let file = try openForReading(path)
        var status = stat()
        guard fstat(file.number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.connection, "cannot read \(path): not a regular file")
        }
        self.file = file
    }

    func next() throws(Failure) -> [(name: String, value: [UInt8])]? {
        var searched = index
        while true {
            if let end = bytes[searched...].firstIndex(of: 0x0A) {
                defer { index = end + 1 }
                let hasReturn = end > index && bytes[end - 1] == 0x0D
                return [(name, Array(bytes[index..<(hasReturn ? end - 1 : end)]))]
            }
            let rest = bytes.count - index
            guard try readBlock() else {
                guard index < bytes.count else { return nil }
                defer { index = bytes.count }
                return [(name, Array(bytes[index...]))]
            }
            // Reading has moved the rest of the line to the front.
            searched = rest
        }
    }

    /// Moves the rest to the front and adds a block; returns false at the end.
    private func readBlock() throws(Failure) -> Bool {
        guard let file, let path else { return false }
        bytes.removeFirst(index)
        index = 0
        guard bytes.count <= Self.longest else {
            throw Failure(.connection, "cannot read \(path): a line is longer than 64 MiB")
        }
        var buffer = [UInt8](repeating: 0, count: Self.blockSize)
        var count = read(file.number, &buffer, buffer.count)
        while count < 0, errno == EINTR { count = read(file.number, &buffer, buffer.count) }
        guard count >= 0 else { throw Failure(.connection, "cannot read \(path): \(lastErrorMessage())") }
        if count == 0 { self.file = nil }
        bytes += buffer.prefix(count)
        return count > 0
    }
}

/// The rows of `for … in --csv`: `${row.city}` by the names in the first row, and `${row.1}` by number.
final class CSVRows: RowSource {
    private let name: String
    private let path: SystemString
    private var rows: CSV
    private var columns: [String] = []
    /// The variable of each column, or nil if its name is not unique.
    private var names: [String?] = []

    init(_ name: String, file path: SystemString) throws(Failure) {
        self.name = name
        self.path = path
        let lines = try LineRows(name, file: path)
        rows = CSV(try lines.rest())
        columns =
            try row()?.map { column in
                String(decoding: column.map { isNameByte($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
            } ?? []
        // A name that stands for several columns stands for none.
        let counts = Dictionary(columns.map { ($0, 1) }, uniquingKeysWith: +)
        names = columns.map { $0.isEmpty || counts[$0] != 1 ? nil : "\(name).\($0)" }
    }

    func next() throws(Failure) -> [(name: String, value: [UInt8])]? {
        var line = rows.line
        guard var row = try row() else { return nil }
        // A blank line is no row, unless the rows have only one field.
        while row == [[]], columns.count > 1 {
            line = rows.line
            guard let next = try self.row() else { return nil }
            row = next
        }
        guard row.count == columns.count else {
            throw Failure(
                .expectation,
                "\(path), line \(line): the row has \(counted(row.count, "field")), but the first row has \(columns.count)"
            )
        }
        var values = row.enumerated().map { ("\(name).\($0 + 1)", $1) }
        for case (let name?, let value) in zip(names, row) { values.append((name, value)) }
        return values
    }

    private func row() throws(Failure) -> [[UInt8]]? {
        let line = rows.line
        do throws(CSV.Failure) {
            return try rows.next()
        } catch {
            throw Failure(.expectation, "\(path), line \(line): the row \(error.message)")
        }
    }
}

extension LineRows {
    /// Returns everything that has not been returned.
    func rest() throws(Failure) -> [UInt8] {
        while try readBlock() {}
        defer { index = bytes.count }
        return Array(bytes[index...])
    }
}
