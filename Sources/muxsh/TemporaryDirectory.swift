import Glibc

/// The private directory behind `${tmp}`: made when it is first asked for, removed with what is in it at the end.
final class TemporaryDirectory {
    private var madePath: String?

    /// Its path, or nil when it cannot be made.
    var path: String? {
        if let madePath { return madePath }
        var template = Array("\(environmentValue("TMPDIR") ?? "/tmp")/muxsh.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        madePath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return madePath
    }

    func remove() {
        if let madePath { Self.remove(madePath) }
        madePath = nil
    }

    private static func remove(_ path: String) {
        // A link is removed itself; only a real directory is entered.
        guard unlink(path) != 0, let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { remove(path + "/" + name) }
        }
        closedir(directory)
        rmdir(path)
    }
}
