import Script

/// The expected lines of the scripts of a run, with what arrived for each: --bless rewrites those that differ, and
/// --learn makes patterns of them.
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

    /// The values that the lines of a script give names to; nil for --bless.
    package let learned: [LearnedCapture]?

    /// What arrived for an expected line.
    package struct Arrival {
        package let arrow: ArrowLine
        /// In the order of the runs of the line.
        package let arrived: [[UInt8]]
        /// Whether anything else than the expected text has arrived.
        package let differs: Bool
    }

    private struct Place: Hashable {
        let source: ObjectIdentifier
        let line: Int
    }

    private struct Line {
        let arrow: ArrowLine
        var arrived: [[UInt8]] = []
        var differs = false
    }

    private var lines: [Place: Line] = [:]
    private var order: [Place] = []

    package init(learning captures: [LearnedCapture]? = nil) {
        learned = captures
    }

    /// What arrived for each line of a script, in the order of the first runs.
    package func arrivals(in source: SourceText) -> [Arrival] {
        order.filter { $0.source == ObjectIdentifier(source) }.compactMap { lines[$0] }.map { line in
            Arrival(arrow: line.arrow, arrived: line.arrived, differs: line.differs)
        }
    }

    /// The values to be captured from a line.
    package func captures(of arrow: ArrowLine) -> [LearnedCapture] {
        guard let learned, arrow.range.source.includedAt == nil else { return [] }
        return learned.filter { $0.line == arrow.range.line }
    }

    /// Notes what has arrived for an expected line.
    package func note(_ arrow: ArrowLine, expected: [UInt8], arrived: [UInt8]) {
        let place = Place(source: ObjectIdentifier(arrow.range.source), line: arrow.range.line)
        if lines[place] == nil { order.append(place) }
        var line = lines[place] ?? Line(arrow: arrow)
        if learned != nil || !line.arrived.contains(arrived) { line.arrived.append(arrived) }
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
