import Script

/// The answers of several sessions, grouped, and their differences.
package struct Answers {
    /// The answer of one session, in lines.
    package struct Answer {
        package let name: String
        package let lines: [String]

        package init(name: String, lines: [String]) {
            self.name = name
            self.lines = lines
        }
    }

    /// Sessions that gave the same answer.
    private struct Group {
        var names: [String]
        let lines: [String]

        var title: String { "\(names.joined(separator: ",")) (\(names.count))" }
    }

    private let groups: [Group]

    /// The most lines of a difference shown for one group, and the most lines compared.
    private static let shownLines = 20
    private static let comparedLines = 2000

    package init(_ answers: [Answer]) {
        var groups: [Group] = []
        for answer in answers {
            // Bytes are compared: texts that look the same may differ in Unicode composition.
            if let index = groups.firstIndex(where: {
                $0.lines.elementsEqual(answer.lines) { $0.utf8.elementsEqual($1.utf8) }
            }) {
                groups[index].names.append(answer.name)
            } else {
                groups.append(Group(names: [answer.name], lines: answer.lines))
            }
        }
        // The most frequent first; of equally frequent ones, the one opened first.
        self.groups = groups.enumerated().sorted { left, right in
            (right.element.names.count, left.offset) < (left.element.names.count, right.offset)
        }.map(\.element)
    }

    /// How the answers differ, as text for a failure; nil if they are the same.
    package var difference: (message: String, details: [String])? {
        guard groups.count > 1, let majority = groups.first else { return nil }
        let titles = groups.map(\.title).joined(separator: " vs. ")
        let details = groups.dropFirst().flatMap { group in
            ["--- \(majority.names.joined(separator: ","))", "+++ \(group.names.joined(separator: ","))"]
                + Self.changes(from: majority.lines, to: group.lines)
        }
        return ("the answers differ: \(titles)", details)
    }

    /// Returns the lines that only one side has, in sequence, with the common lines next to them.
    private static func changes(from old: [String], to new: [String]) -> [String] {
        let old = Array(old.prefix(comparedLines))
        let new = Array(new.prefix(comparedLines))
        let difference = new.difference(from: old)
        var removed: Set<Int> = []
        var inserted: Set<Int> = []
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): inserted.insert(offset)
            }
        }
        var rows: [(text: String, isChange: Bool)] = []
        var (left, right) = (0, 0)
        while left < old.count || right < new.count {
            if removed.contains(left) {
                rows.append(("-" + old[left], true))
                left += 1
            } else if inserted.contains(right) {
                rows.append(("+" + new[right], true))
                right += 1
            } else if left < old.count {
                rows.append((" " + old[left], false))
                left += 1
                right += 1
            } else {
                right += 1
            }
        }
        return excerpt(rows)
    }

    /// Returns the changes with one common line before and after each.
    private static func excerpt(_ rows: [(text: String, isChange: Bool)]) -> [String] {
        var lines: [String] = []
        var isGap = false
        for index in rows.indices {
            let isNear = rows[max(0, index - 1)...min(rows.count - 1, index + 1)].contains { $0.isChange }
            if isNear {
                if isGap { lines.append(" …") }
                lines.append(rows[index].text)
            }
            isGap = !isNear
            if lines.count == shownLines {
                lines.append(" … more lines differ")
                break
            }
        }
        return lines
    }
}
