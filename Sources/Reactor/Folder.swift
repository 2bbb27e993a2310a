import Glibc

/// A directory of the file system (opendir(3)).
package enum Folder {
    /// Returns the names in a directory, in order of their bytes, without `.` and `..`; nil if it cannot be read.
    package static func names(in path: SystemString) -> [SystemString]? {
        guard let stream = path.withCString({ opendir($0) }) else { return nil }
        defer { closedir(stream) }
        var names: [SystemString] = []
        while let entry = readdir(stream) {
            let bytes = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard bytes != Array(".".utf8), bytes != Array("..".utf8) else { continue }
            if let name = SystemString(bytes) { names.append(name) }
        }
        return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }
}
