import Script

/// Colors a line while it is typed: commands, sessions, strings, regexes, expansions and comments (ECMA-48 SGR).
package struct Highlighter {
    private let table: CommandTable
    private let sources: CompletionSources

    package init(table: CommandTable, sources: CompletionSources) {
        self.table = table
        self.sources = sources
    }

    private enum Color {
        static let known = "1"
        static let unknown = "31"
        static let string = "32"
        static let regex = "35"
        static let expansion = "36"
        static let comment = "2"
    }

    /// Returns a style for each scalar of an entry of several rows, or nil where it has none. The text of a heredoc has
    /// none.
    func styles(ofRows text: [UInt32]) -> [String?] {
        var styles: [String?] = []
        var mark: [UInt32]?
        for (row, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let line = Array(line)
            if row > 0 { styles.append(nil) }
            if let end = mark {
                styles += [String?](repeating: nil, count: line.count)
                if line == end { mark = nil }
            } else if row > 0, sources.isTalking(), text.first != Self.colon {
                styles += [String?](repeating: nil, count: line.count)
            } else {
                styles += self.styles(of: line, isFirstRow: row == 0)
                mark = heredocMark(in: line)
            }
        }
        return styles
    }

    /// Returns the line that ends a heredoc which a line begins, or nil.
    private func heredocMark(in line: [UInt32]) -> [UInt32]? {
        guard let last = line.split(separator: 0x20).last, last.starts(with: [0x3C, 0x3C]) else { return nil }
        let mark = last.dropFirst(2).filter { $0 != 0x27 }
        return mark.isEmpty ? nil : Array(mark)
    }

    /// Returns a style for each scalar of a row, or nil where it has none. In talk mode only commands are colored.
    func styles(of line: [UInt32], isFirstRow: Bool = true) -> [String?] {
        var styles = [String?](repeating: nil, count: line.count)
        var start = line.prefix { $0 == 0x20 || $0 == 0x09 }.count
        if isFirstRow, sources.isTalking() {
            guard line.first == Self.colon, line.count > 1, line[1] != Self.colon else { return styles }
            start = 1
        }
        guard start < line.count else { return styles }
        let rest = line[start...]
        if rest.first == UInt32(UInt8(ascii: "#")) {
            for index in start..<line.count { styles[index] = Color.comment }
            return styles
        }
        let word = rest.prefix { $0 != 0x20 && $0 != 0x09 }
        if let arrow = arrowLine(word) {
            let color = sources.color(text(word[..<arrow]))
            for index in start..<arrow { styles[index] = color ?? Color.unknown }
            colorExpansions(line, from: arrow, &styles)
            return styles
        }
        let name = text(word)
        let isKnown = table[name] != nil || sources.definitions().contains(name) || name == "}"
        let isBegun = !isKnown && word.endIndex == line.count && begins(name)
        let isSession = sources.color(name)
        if !isBegun, !name.isEmpty {
            for index in start..<word.endIndex { styles[index] = isKnown ? Color.known : isSession ?? Color.unknown }
        }
        colorArguments(line, from: word.endIndex, &styles)
        return styles
    }

    private static let colon = UInt32(UInt8(ascii: ":"))

    /// Whether a name is the beginning of a command, or of the name of a session.
    private func begins(_ name: String) -> Bool {
        (table.names + sources.definitions() + sources.sessions().map(\.name)).contains { $0.hasPrefix(name) }
    }

    /// Returns where the arrow begins in the first word of an arrow line; nil for other words.
    private func arrowLine(_ word: ArraySlice<UInt32>) -> Int? {
        guard let arrow = word.firstIndex(where: { $0 == 0x3C || $0 == 0x3E }), arrow > word.startIndex else {
            return nil
        }
        return word[..<arrow].allSatisfy { $0 < 0x80 && $0 != 0x22 && $0 != 0x27 && $0 != 0x2F } ? arrow : nil
    }

    private func colorArguments(_ line: [UInt32], from start: Int, _ styles: inout [String?]) {
        var index = start
        while index < line.count {
            let scalar = line[index]
            let isFirst = index == 0 || line[index - 1] == 0x20
            if scalar == 0x22 || scalar == 0x27 || scalar == 0x2F && isFirst {
                let end = quoteEnd(line, from: index, scalar)
                for place in index..<end { styles[place] = scalar == 0x2F ? Color.regex : Color.string }
                if scalar != 0x27 { colorExpansions(line, from: index, to: end, &styles) }
                index = end
            } else if scalar == 0x23, isFirst {
                for place in index..<line.count { styles[place] = Color.comment }
                index = line.count
            } else {
                index += 1
            }
        }
        colorExpansions(line, from: start, &styles, where: { styles in styles == nil })
    }

    /// Returns where a quoted text or a regex ends, after its last character.
    private func quoteEnd(_ line: [UInt32], from start: Int, _ quote: UInt32) -> Int {
        var index = start + 1
        while index < line.count {
            if line[index] == 0x5C, quote != 0x27 { index += 1 } else if line[index] == quote { return index + 1 }
            index += 1
        }
        return line.count
    }

    private func colorExpansions(
        _ line: [UInt32], from start: Int, to end: Int? = nil, _ styles: inout [String?],
        where isFree: (String?) -> Bool = { _ in true }
    ) {
        var index = start
        let end = end ?? line.count
        while index + 1 < end {
            if line[index] == 0x24, line[index + 1] == 0x7B, index == 0 || line[index - 1] != 0x5C {
                let close = line[index..<end].firstIndex(of: 0x7D).map { $0 + 1 } ?? end
                for place in index..<close where isFree(styles[place]) { styles[place] = Color.expansion }
                index = close
            } else {
                index += 1
            }
        }
    }

    private func text(_ scalars: ArraySlice<UInt32>) -> String {
        String(String.UnicodeScalarView(scalars.compactMap(Unicode.Scalar.init)))
    }
}
