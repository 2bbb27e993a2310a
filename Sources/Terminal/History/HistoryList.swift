/// A search of the history: the entries that contain all typed terms, in any sequence, newest first.
///
/// A term without capital letters also matches capital ones.
struct HistoryList {
    /// The terms as typed.
    private(set) var query: [UInt32] = []
    private(set) var matches: [String]
    /// The index of the chosen match.
    private(set) var selected = 0
    /// All entries, newest first.
    private let entries: [String]

    /// - Parameter entries: the history, oldest first.
    init(_ entries: [String]) {
        var seen: Set<String> = []
        self.entries = entries.reversed().filter { !$0.isEmpty && seen.insert($0).inserted }
        matches = self.entries
    }

    /// The chosen entry, or nil if there is no match.
    var choice: String? { matches.indices.contains(selected) ? matches[selected] : nil }

    /// Adds characters to the terms.
    mutating func type(_ scalars: some Sequence<UInt32>) {
        query += scalars
        // A longer query has fewer matches.
        search(in: matches)
    }

    /// Removes the last character of the terms, or the last term.
    mutating func erase(isTerm: Bool = false) {
        if isTerm {
            while query.last == 0x20 { query.removeLast() }
            while let last = query.last, last != 0x20 { query.removeLast() }
        } else {
            _ = query.popLast()
        }
        search(in: entries)
    }

    /// Removes all terms.
    mutating func eraseAll() {
        query = []
        search(in: entries)
    }

    /// Chooses an older or newer match. Returns false at the ends.
    mutating func step(by count: Int) -> Bool {
        guard matches.indices.contains(selected + count) else { return false }
        selected += count
        return true
    }

    private mutating func search(in candidates: [String]) {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: query.compactMap(Unicode.Scalar.init))
        let terms = String(view).split(separator: " ").map { Term($0) }
        matches = candidates.filter { entry in
            terms.allSatisfy { $0.isContained(in: entry) }
        }
        selected = 0
    }

    private struct Term {
        let bytes: [UInt8]
        let ignoresCase: Bool

        init(_ text: Substring) {
            bytes = Array(text.utf8)
            ignoresCase = !bytes.contains { (0x41...0x5A).contains($0) }
        }

        func isContained(in entry: String) -> Bool {
            let entry = entry.utf8.map { ignoresCase ? lowercase($0) : $0 }
            return entry.range(of: bytes) != nil
        }

        private func lowercase(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
    }

    /// Returns the rows of the list: a part of the matches around the chosen one.
    func rows(room: Int, isColored: Bool) -> [Screen.PanelRow] {
        guard !matches.isEmpty else {
            return [Screen.PanelRow("no entry has all of these", style: isColored ? "2" : nil)]
        }
        let height = min(room, Self.tallest)
        let first = max(0, min(selected - height / 2, matches.count - height))
        return matches.indices.dropFirst(first).prefix(height).map { index in
            let isChosen = index == selected
            return Screen.PanelRow(
                (isChosen ? "> " : "  ") + Self.inOneRow(matches[index]), style: isChosen && isColored ? "7" : nil)
        }
    }

    static let tallest = 10

    /// Returns an entry in one row: its newlines with the blanks after them as a sign.
    private static func inOneRow(_ entry: String) -> String {
        entry.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { index, row in
            index == 0 ? String(row) : String(row.drop { $0 == " " })
        }.joined(separator: " ⏎ ")
    }
}
