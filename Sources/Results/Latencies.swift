import Histogram
import Reactor
import Script

/// The run times of `time` blocks, by name.
package final class Latencies {
    /// Those that have not been reported.
    private var measurements: [(name: String, measurement: Measurement)] = []
    /// The last ones that were reported, by name.
    private var reported: [String: Measurement] = [:]

    /// All runs of one name.
    private struct Measurement {
        /// In nanoseconds, with three significant digits.
        var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        var began: Instant
        var ended: Instant
    }

    /// The run times of one name as data.
    package struct Interval {
        package let name: String
        /// In nanoseconds, with three significant digits.
        package let histogram: Histogram<UInt64>
        /// The beginning of the first run, and the time from there to the end of the last one.
        package let began: Instant
        package let length: Duration
    }

    /// The run times of each name since the last report.
    package var intervals: [Interval] {
        measurements.map { name, measurement in
            Interval(
                name: name, histogram: measurement.histogram, began: measurement.began,
                length: measurement.ended - measurement.began)
        }
    }

    /// The maximum number of histogram rows up to the 99th percentile, and the maximum width of the bars in columns.
    private static let rows = 8
    private static let width = 40

    package init() {}

    /// Records that a block ran from `began` to `ended`.
    package func add(_ name: String, from began: Instant, to ended: Instant) {
        if !measurements.contains(where: { $0.name == name }) {
            measurements.append((name, Measurement(began: began, ended: ended)))
        }
        guard let index = measurements.firstIndex(where: { $0.name == name }) else { return }
        measurements[index].measurement.began = min(began, measurements[index].measurement.began)
        measurements[index].measurement.ended = ended
        // The histogram grows to hold any 63-bit value.
        _ = measurements[index].measurement.histogram.record(UInt64(max(1, (ended - began).nanoseconds)))
    }

    /// Returns the measurements since the last call as lines and clears them: figures and a small histogram for each
    /// name.
    package func takeReport() -> [String] {
        defer {
            for (name, measurement) in measurements { reported[name] = measurement }
            measurements = []
        }
        return measurements.flatMap { lines(for: $0.name, $0.measurement) }
    }

    /// The names of all blocks that have run.
    package var names: [String] { reported.keys.sorted() + measurements.map(\.name).filter { reported[$0] == nil } }

    /// Returns a figure as text: a number, or a duration such as `5.01ms`; nil if no block of that name has ended.
    package func value(of figure: TimeFigure) -> String? {
        guard
            let measurement = measurements.first(where: { $0.name == figure.name })?.measurement
                ?? reported[figure.name]
        else { return nil }
        let histogram = measurement.histogram
        switch figure.figure {
        case .count: return String(histogram.totalCount)
        case .rate:
            let time = max((measurement.ended - measurement.began).inSeconds, 1e-9)
            return fixed(Double(histogram.totalCount) / time, digits: 1)
        case .min: return duration(histogram.min)
        case .mean: return duration(UInt64(histogram.mean))
        case .p50: return duration(histogram.valueAtPercentile(50))
        case .p90: return duration(histogram.valueAtPercentile(90))
        case .p99: return duration(histogram.valueAtPercentile(99))
        case .p999: return duration(histogram.valueAtPercentile(99.9))
        case .max: return duration(histogram.max)
        }
    }

    private func duration(_ nanoseconds: UInt64) -> String { String(rounded(nanoseconds).filter { $0 != " " }) }

    private func lines(for name: String, _ measurement: Measurement) -> [String] {
        let histogram = measurement.histogram
        let time = max((measurement.ended - measurement.began).inSeconds, 1e-9)
        let count = histogram.totalCount
        let figures = [
            ("min", histogram.min), ("p50", histogram.valueAtPercentile(50)), ("p90", histogram.valueAtPercentile(90)),
            ("p99", histogram.valueAtPercentile(99)), ("max", histogram.max),
        ].map { "\($0) \(rounded($1))" }
        let heading = "\(name): \(counted(Int(count), "run")), \(fixed(Double(count) / time, digits: 1))/s, "
        return [heading + figures.joined(separator: ", ")] + bars(of: histogram)
    }

    /// Returns a row for each of several equal spans from the minimum to the 99th percentile, and one for values above.
    private func bars(of histogram: Histogram<UInt64>) -> [String] {
        let (minimum, maximum) = (histogram.min, histogram.max)
        guard histogram.totalCount > 1, maximum > minimum else { return [] }
        let top = max(histogram.valueAtPercentile(99), minimum + 1)
        let step = max(1, (top - minimum) / UInt64(Self.rows) + 1)
        var counts = [UInt64](repeating: 0, count: Self.rows + 1)
        for bucket in histogram.recordedValues() {
            let row = Int((max(bucket.value, minimum) - minimum) / step)
            counts[min(row, Self.rows)] += bucket.count
        }
        var spans = (0..<Self.rows).map { row in
            (low: minimum + UInt64(row) * step, high: minimum + UInt64(row + 1) * step - 1)
        }
        spans.append((spans[Self.rows - 1].high + 1, maximum))
        let rows = spans.indices.filter { counts[$0] > 0 || spans[$0].low <= top }
        let largest = counts.map { Double($0) }.max() ?? 1
        let labels = rows.map { row in "\(rounded(spans[row].low)) to \(rounded(spans[row].high))" }
        let width = labels.map(\.count).max() ?? 0
        return zip(labels, rows.map { counts[$0] }).map { label, count in
            let bar = String(repeating: "#", count: Int((Double(count) / largest * Double(Self.width)).rounded(.up)))
            let padding = String(repeating: " ", count: width - label.count)
            return "  \(padding)\(label)  \(bar)\(bar.isEmpty ? "" : " ")\(count)"
        }
    }

    /// Returns nanoseconds in a readable unit: microseconds below a millisecond.
    private func rounded(_ nanoseconds: UInt64) -> String {
        nanoseconds < 1_000_000
            ? "\(fixed(Double(nanoseconds) / 1000, digits: 1)) us"
            : nanoseconds < 1_000_000_000
                ? "\(fixed(Double(nanoseconds) / 1e6, digits: 2)) ms"
                : "\(fixed(Double(nanoseconds) / 1e9, digits: 2)) s"
    }
}
