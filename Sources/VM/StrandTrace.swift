import Script

/// Descriptions of a strand's position, for failures.
extension Strand {
    /// A short name of the strand, with its place.
    package var title: String {
        place.map { "\($0.title) (\($0.range.description))" } ?? "the script"
    }

    /// Returns how the current position was reached: calls, included files, strands; innermost first.
    package func trace(from range: SourceRange) -> [String] {
        var lines: [String] = []
        var last = ""
        var repeats = 0
        for frame in callers.reversed() {
            let line = "in \(frame.call.definition.name), called at \(frame.call.range.description)"
            if line == last {
                repeats += 1
            } else {
                if repeats > 0 { lines.append("… \(repeats) more times") }
                repeats = 0
                lines.append(line)
                last = line
            }
        }
        if repeats > 0 { lines.append("… \(repeats) more times") }
        var source = (callers.first?.call.range ?? range).source
        while let place = source.includedAt {
            lines.append("in \(source.name), included at \(place.description)")
            source = place.source
        }
        guard let place else { return lines }
        lines.append("in \(place.title), started at \(place.range.description)")
        return lines + (parent?.trace(from: place.range) ?? [])
    }
}
