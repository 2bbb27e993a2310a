import Glibc
import Reactor
import Script

/// The files whose paths begin with a given text.
enum FileNames {
    struct Entry {
        /// The bytes of the path; that of a folder ends in a slash.
        let path: [UInt8]
        /// The last component of the path, escaped for display: a name may contain control sequences for the terminal.
        let shown: String
        let isFolder: Bool
    }

    /// Returns the possible completions of `text`, the beginning of a path, sorted. Hidden files are included only when
    /// its last component begins with a dot.
    static func completions(of text: [UInt8]) -> [Entry] {
        let cut = text.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        let (folder, prefix) = (Array(text[..<cut]), text[cut...])
        guard let path = SystemString(folder.isEmpty ? [UInt8(ascii: ".")] : folder),
            let names = Folder.names(in: path)
        else { return [] }
        var entries: [Entry] = []
        for name in names.map(\.bytes) {
            let isHidden = name.first == UInt8(ascii: ".")
            guard name.starts(with: prefix), !isHidden || prefix.first == UInt8(ascii: ".") else { continue }
            var status = stat()
            let isFolder = stat(cString(folder + name), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            let slash = isFolder ? Array("/".utf8) : []
            entries.append(
                Entry(path: folder + name + slash, shown: Escapes.escaped(name + slash), isFolder: isFolder))
        }
        return entries.sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }

    private static func cString(_ bytes: [UInt8]) -> [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }
}
