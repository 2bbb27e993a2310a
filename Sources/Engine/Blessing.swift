import Script

/// The expected lines of the scripts of a run, with what arrived for each: --bless rewrites those that differ.
package final class Blessing {
    /// A line of a script that a run would change.
    package struct Edit {
        /// The whole line, and the text after its arrow.
        package let range: SourceRange
        package let textRange: SourceRange
        /// What arrived.
        package let text: [UInt8]
    }

    /// A line that differs and cannot be rewritten, with the reason.
    package struct Leftover {
        package let range: SourceRange
        package let reason: String
    }

    private struct Place: Hashable {
        let source: ObjectIdentifier
        let line: Int
    }

    private struct Line {
        let arrow: ArrowLine
        var arrived: Set<[UInt8]> = []
        var differs = false
    }

    private var lines: [Place: Line] = [:]
    private var order: [Place] = []

    package init() {}

    /// Notes what has arrived for an expected line.
    package func note(_ arrow: ArrowLine, expected: [UInt8], arrived: [UInt8]) {
        let place = Place(source: ObjectIdentifier(arrow.range.source), line: arrow.range.line)
        if lines[place] == nil { order.append(place) }
        var line = lines[place] ?? Line(arrow: arrow)
        line.arrived.insert(arrived)
        line.differs = line.differs || arrived != expected
        lines[place] = line
    }

    /// The changes, in the order of the first runs, and the lines that are left.
    package var result: (edits: [Edit], left: [Leftover]) {
        var edits: [Edit] = []
        var left: [Leftover] = []
        for line in order.compactMap({ lines[$0] }) where line.differs {
            let arrow = line.arrow
            if let reason = Self.obstacle(line) {
                left.append(Leftover(range: arrow.range, reason: reason))
            } else if let text = line.arrived.first {
                edits.append(Edit(range: arrow.range, textRange: arrow.textRange, text: text))
            }
        }
        return (edits, left)
    }

    private static func obstacle(_ line: Line) -> String? {
        if case .line(let template, _) = line.arrow.action, template.literal == nil { return "it contains variables" }
        if line.arrived.count > 1 { return "it ran more than once, with different results" }
        return line.arrow.range.source.includedAt == nil ? nil : "it is in an included file"
    }
}
