/// The last lines of each session as they were shown, for `show NAME --log` and `find`.
package final class SessionLogs {
    /// Lines in one buffer: an array for each would take several times as much memory.
    private struct Log {
        private var text: [UInt8] = []
        private var start = 0

        mutating func add(_ line: [UInt8]) {
            text += line
            text.append(UInt8(ascii: "\n"))
            guard text.count - start > SessionLogs.limit else { return }
            let excess = text.count - SessionLogs.limit
            start = text[excess...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? text.count
            guard start > SessionLogs.limit / 2 else { return }
            text.removeFirst(start)
            start = 0
        }

        /// Returns the last lines, the newest first.
        func newest(_ count: Int) -> [[UInt8]] {
            var lines: [[UInt8]] = []
            var end = text.count - 1
            while lines.count < count, end > start {
                let begin = text[start..<end].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? start
                lines.append(Array(text[begin..<end]))
                end = begin - 1
            }
            return lines
        }

        var lines: [[UInt8]] {
            text[start...].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast().map {
                Array($0)
            }
        }
    }

    private var logs: [String: Log] = [:]

    /// The most bytes kept of one session.
    private static let limit = 4 << 20

    /// Adds a line as it was shown.
    func add(_ line: [UInt8], of name: String) {
        logs[name, default: Log()].add(line)
    }

    /// Returns the lines of a session, oldest first.
    package func lines(of name: String) -> [[UInt8]] { logs[name]?.lines ?? [] }

    /// Returns the last lines of a session, the newest first, without a look at the others.
    package func newestLines(of name: String, _ count: Int) -> [[UInt8]] { logs[name]?.newest(count) ?? [] }

    /// The sessions that have a log, also those that are closed.
    package var names: [String] { logs.keys.sorted() }
}
