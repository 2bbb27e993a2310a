/// Goes through the entries of a history that begin as the typed line does.
struct HistorySearch {
    /// What the entries have to begin with.
    private var begin = ""
    /// Where it stands, and what it has shown there; nil before the first step.
    private var place: (index: Int, shown: String)?

    /// The next entry in a direction (-1 is back), or nil when there is none. A `line` that is not what was shown last
    /// begins another search.
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
