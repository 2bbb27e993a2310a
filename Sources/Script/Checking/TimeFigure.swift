/// A variable `NAME.FIGURE`: a figure of the runs of `time NAME`.
package struct TimeFigure {
    /// The figure.
    package enum Figure: String, CaseIterable {
        case count, rate, min, mean, p50, p90, p99, p999, max
    }

    package let name: String
    package let figure: Figure

    /// Nil for any other name.
    package init?(_ text: String) {
        guard let dot = text.lastIndex(of: "."), dot > text.startIndex,
            let figure = Figure(rawValue: String(text[text.index(after: dot)...]))
        else { return nil }
        name = String(text[..<dot])
        self.figure = figure
    }
}
