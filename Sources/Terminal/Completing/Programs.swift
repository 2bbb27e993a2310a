import Glibc
import Reactor

/// The programs that can be run by name.
enum Programs {
    /// Returns the names of the programs in PATH that begin with a text, sorted.
    static func names(beginningWith text: String) -> [String] {
        let path = Environment.setting("PATH")?.bytes ?? []
        var names: Set<String> = []
        for folder in path.split(separator: UInt8(ascii: ":")) {
            guard let folder = SystemString(folder) else { continue }
            for name in Folder.names(in: folder) ?? [] where name.bytes.starts(with: text.utf8) {
                // A name that would have to be quoted is not offered.
                guard name.bytes.allSatisfy({ isPlain($0) }) else { continue }
                let path = SystemString(folder.bytes + [UInt8(ascii: "/")] + name.bytes)
                if path?.withCString({ access($0, X_OK) }) == 0 {
                    names.insert(name.description)
                }
            }
        }
        return names.sorted()
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "+-._@[".utf8.contains(byte)
        }
    }
}
