import Glibc

/// The files whose paths begin as a text does (readdir(3)).
enum FileNames {
    struct Entry {
        /// As it is written, a folder with its slash.
        let path: String
        /// Its last part.
        let shown: String
        let isFolder: Bool
    }

    /// What `text`, the beginning of a path, could become, sorted; hidden files only when it begins with a dot.
    static func completions(of text: String) -> [Entry] {
        let cut = text.lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex
        let (folder, prefix) = (String(text[..<cut]), text[cut...])
        guard let stream = opendir(folder.isEmpty ? "." : folder) else { return [] }
        defer { closedir(stream) }
        var entries: [Entry] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasPrefix(prefix), name != ".", name != "..", prefix.hasPrefix(".") || !name.hasPrefix(".")
            else { continue }
            var status = stat()
            let isFolder = stat(folder + name, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            let slash = isFolder ? "/" : ""
            entries.append(Entry(path: folder + name + slash, shown: name + slash, isFolder: isFolder))
        }
        return entries.sorted { $0.path < $1.path }
    }
}
