import Glibc

/// A directory of the file system (opendir(3)).
package enum Folder {
    /// Returns the names in a directory, in order of their bytes, without `.` and `..`; nil if it cannot be read.
    package static func names(in path: SystemString) -> [SystemString]? {
        guard let stream = path.withCString({ opendir($0) }) else { return nil }
        defer { closedir(stream) }
        var names: [SystemString] = []
        while let entry = readdir(stream) {
            let name = name(of: entry)
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    /// Returns the name in an entry that readdir(3) has returned. Its array has 256 bytes, and the memory after it only
    /// those of the name: it must not be copied.
    package static func name(of entry: UnsafeMutablePointer<dirent>) -> SystemString {
        let start = UnsafeRawPointer(entry) + (MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
        return SystemString(copying: start.assumingMemoryBound(to: CChar.self))
    }
}
