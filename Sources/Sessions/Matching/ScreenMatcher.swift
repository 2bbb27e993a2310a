import Results
import Script

/// Looks for a text or a regex on the screen of a program; consumes nothing.
package final class ScreenMatcher: Matcher {
    /// What is looked for.
    package enum Wanted {
        case text([UInt8])
        case regex(Regex)
    }

    private let wanted: Wanted
    private let row: Int?
    private let column: Int?

    /// - Parameters:
    ///   - row: the row to look at, counted from 1; nil for all.
    ///   - column: where the text has to begin, counted from 1; nil for anywhere.
    package init(_ wanted: Wanted, row: Int? = nil, column: Int? = nil) {
        self.wanted = wanted
        self.row = row
        self.column = column
    }

    package let showsScreen = true
    /// The older half of a full inbox: the screen has seen it.
    package func neededFrom(_ feed: Feed) -> Int { max(feed.inbox.front + 1, feed.inbox.end - feed.inbox.limit / 2) }

    package func look(at feed: Feed, isWhole: Bool) -> Finding {
        guard let screen = feed.session.screen else {
            return .impossible(feed.session.screenProblem)
        }
        if let row, row > screen.rows {
            return .impossible("the screen has \(counted(screen.rows, "row")), and no row \(row)")
        }
        if let column, column > screen.columns {
            return .impossible("the screen has \(counted(screen.columns, "column")), and no column \(column)")
        }
        feed.session.dropsOldest()
        let rows = row.map { $0...$0 } ?? 1...screen.rows
        for row in rows {
            if let captures = captures(in: screen.text(row: row, column: column ?? 1)) {
                return .found(
                    Match(start: feed.inbox.front, end: feed.inbox.front, captures: captures.0, groups: captures.1))
            }
        }
        return .pending(from: feed.inbox.end)
    }

    private func captures(in text: [UInt8]) -> ([[UInt8]?], [(name: String, number: Int)])? {
        switch wanted {
        case .text(let wanted):
            let isThere = column == nil ? text.range(of: wanted) != nil : text.starts(with: wanted)
            return isThere ? ([wanted], []) : nil
        case .regex(let regex):
            // For `$` a row ends where its text ends; a pattern may also name the blanks after it.
            let end = (text.lastIndex { $0 != UInt8(ascii: " ") } ?? -1) + 1
            return captures(of: regex, in: Array(text[..<end])) ?? captures(of: regex, in: text)
        }
    }

    private func captures(of regex: Regex, in text: [UInt8]) -> ([[UInt8]?], [(name: String, number: Int)])? {
        let outcome = text.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
        guard case .match(let ranges) = outcome, column == nil || ranges.first??.lowerBound == 0 else { return nil }
        return (ranges.map { $0.map { Array(text[$0]) } }, regex.groups)
    }
}
