/// The rows of a line that holds newlines: a block.
enum LineRows {
    /// The depth of one block in blanks.
    static let step = 4

    /// Returns the row of an index, counted from 0.
    static func row(of index: Int, in line: [UInt32]) -> Int {
        line[..<index].count { $0 == 0x0A }
    }

    /// Returns where the row of an index begins.
    static func start(of index: Int, in line: [UInt32]) -> Int {
        line[..<index].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    }

    /// Returns where the row of an index ends.
    static func end(of index: Int, in line: [UInt32]) -> Int {
        line[index...].firstIndex(of: 0x0A) ?? line.count
    }

    /// Returns the index in the row above, in the same column or at its end; nil in the first row.
    static func above(_ index: Int, in line: [UInt32]) -> Int? {
        let start = start(of: index, in: line)
        guard start > 0 else { return nil }
        let former = Self.start(of: start - 1, in: line)
        return min(former + index - start, start - 1)
    }

    /// Returns the index in the row below, in the same column or at its end; nil in the last row.
    static func below(_ index: Int, in line: [UInt32]) -> Int? {
        guard let end = line[index...].firstIndex(of: 0x0A) else { return nil }
        let next = end + 1
        return min(next + index - start(of: index, in: line), Self.end(of: next, in: line))
    }

    /// Returns how many blanks the row of an index begins with, if there is nothing else before the index; else nil.
    static func blanks(before index: Int, in line: [UInt32]) -> Int? {
        let row = line[start(of: index, in: line)..<index]
        return row.allSatisfy { $0 == 0x20 } ? row.count : nil
    }
}
