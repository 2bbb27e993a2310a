import DequeModule

/// The last lines of each session as they were shown, for `show NAME --log` and `find`.
package final class SessionLogs {
    private struct Log {
        var lines: Deque<[UInt8]> = []
        var count = 0
    }

    private var logs: [String: Log] = [:]

    /// The most bytes kept of one session.
    private static let limit = 4 << 20

    /// Adds a line as it was shown.
    func add(_ line: [UInt8], of name: String) {
        var log = logs.removeValue(forKey: name) ?? Log()
        log.lines.append(line)
        log.count += line.count + 1
        while log.count > Self.limit, log.lines.count > 1, let first = log.lines.popFirst() {
            log.count -= first.count + 1
        }
        logs[name] = log
    }

    /// Returns the lines of a session, oldest first.
    package func lines(of name: String) -> [[UInt8]] { Array(logs[name]?.lines ?? []) }

    /// The sessions that have a log, also those that are closed.
    package var names: [String] { logs.keys.sorted() }
}
