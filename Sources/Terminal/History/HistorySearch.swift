/// Steps through the history entries that begin with the typed line.
struct HistorySearch {
    /// The text that entries have to begin with.
    private var begin = ""
    /// The index and text of the entry shown last; nil before the first step.
    private var place: (index: Int, shown: String)?

    /// Returns the next entry in a direction (-1 is back), or nil when there is none. A `line` other than the entry
    /// shown last begins a new search.
    mutating func next(from line: String, step: Int, in entries: [String]) -> String? {
        if place?.shown != line {
            begin = line
            place = nil
        }
        var index = (place?.index ?? entries.count) + step
        while entries.indices.contains(index), !entries[index].utf8.starts(with: begin.utf8) || entries[index] == line {
            index += step
        }
        guard entries.indices.contains(index) else { return nil }
        place = (index, entries[index])
        return entries[index]
    }
}
