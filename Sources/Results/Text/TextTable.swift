/// Rows of text as a table that fits a width.
package struct TextTable {
    private let rows: [[String]]
    private let leastImportant: [Int]
    private let cuttable: Int

    /// - Parameters:
    ///   - rows: the heading first; all rows have the same length.
    ///   - leastImportant: the columns to omit if there is not enough room, starting with the first.
    ///   - cuttable: the column to shorten, at first only to the width of an address with its port.
    package init(_ rows: [[String]], leastImportant: [Int], cuttable: Int) {
        self.rows = rows
        self.leastImportant = leastImportant
        self.cuttable = cuttable
    }

    private static let addressWidth = 22
    private static let shortestCut = 12

    /// Returns the table with aligned columns, separated by two blanks; nil `width` means no limit.
    package func lines(width: Int?) -> [String] {
        var columns = Array((rows.first ?? []).indices)
        var widths = columns.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let room = width ?? .max
        func total() -> Int { columns.reduce(-2) { $0 + widths[$1] + 2 } }
        func shorten(to minimum: Int) {
            guard total() > room else { return }
            widths[cuttable] = min(widths[cuttable], max(minimum, widths[cuttable] - (total() - room)))
        }
        shorten(to: Self.addressWidth)
        for column in leastImportant where total() > room && column != cuttable { columns.removeAll { $0 == column } }
        shorten(to: Self.shortestCut)
        if total() > room, leastImportant.contains(cuttable) { columns.removeAll { $0 == cuttable } }
        return rows.map { row in
            let cells = columns.map { cut(row[$0], to: widths[$0]) }
            var line = ""
            for (place, cell) in cells.enumerated() {
                line += cell
                let padding = widths[columns[place]] - cell.count + 2
                if place < cells.count - 1 { line += String(repeating: " ", count: padding) }
            }
            return cut(line, to: room)
        }
    }

    private func cut(_ text: String, to width: Int) -> String {
        text.count > width ? text.prefix(max(0, width - 1)) + "…" : text
    }
}
