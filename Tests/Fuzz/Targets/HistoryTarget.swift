import Glibc
import Reactor
import Script

@testable import Terminal

/// A history file of any content is read; what is added is there afterwards, in its sequence, also after a second read.
enum HistoryTarget: FuzzTarget {
    private static let path: SystemString = SystemString("/tmp/muxsh-fuzz-\(getpid())/history".utf8) ?? ""

    static func run(_ input: [UInt8]) {
        let parts = input.split(separator: 0, maxSplits: 8, omittingEmptySubsequences: false)
        _ = path.withCString { mkdir(String(cString: $0).replacingLast, 0o700) }
        guard let file = path.withCString({ fopen($0, "w") }) else { return }
        let begin = parts[0].first.map { $0 & 1 == 0 } == true ? Array("_HiStOrY_V2_\n".utf8) : []
        let content = begin + parts[0]
        fwrite(content, 1, content.count, file)
        fclose(file)
        let history = History(path: path)
        let old = history.entries
        var added: [String] = []
        for part in parts.dropFirst() {
            let line = String(lossless: part)
            if history.add(line) { added.append(line) }
        }
        history.end()
        require(history.entries.suffix(added.count) == added[...], "an entry is missing")
        let again = History(path: path)
        require(again.problem == nil, "the file cannot be read: \(again.problem ?? "")")
        require(again.entries == old + added, "the file has other entries: \(again.entries), \(old + added)")
        again.end()
        _ = path.withCString { unlink($0) }
    }
}

extension String {
    /// The folder of a path.
    fileprivate var replacingLast: String { String(self[..<(lastIndex(of: "/") ?? endIndex)]) }
}
