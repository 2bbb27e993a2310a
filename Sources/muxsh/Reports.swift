import Results
import Options
import Reactor

/// The reports requested by --report, on standard output and in files.
final class Reports {
    /// The formats of --report.
    enum Format: String, CaseIterable {
        case tap, junit, jsonl, html, hdr

        /// Whether the report shows when each statement ends.
        var showsStatements: Bool { self == .jsonl }
        /// Whether the report is of use only as a whole.
        var isWhole: Bool { [.junit, .html, .hdr].contains(self) }
        /// Whether the report shows what happens between the results.
        var showsEvents: Bool { self == .jsonl || self == .html }
    }

    private var reports: [any Report] = []
    private let requests: [ReportRequest]
    private let now: Instant
    let files: [OutputFile]
    /// Standard output, if a report is written to it.
    private let stream: OutputStream?

    /// Opens the files; `begin` writes the first lines.
    init(_ requests: [ReportRequest], standardOutput: OutputStream, on loop: EventLoop) {
        self.requests = requests
        now = loop.readClock()
        stream = requests.contains { $0.path == nil } ? standardOutput : nil
        files = requests.compactMap { request in
            request.path.map { OutputFile(path: $0, isWhole: request.format.isWhole, on: loop) }
        }
    }

    func begin(_ diagnostics: Diagnostics) {
        var files = self.files[...]
        for request in requests {
            let file = request.path == nil ? nil : files.popFirst()
            reports.append(
                report(request.format, diagnostics) { [stream] bytes in
                    if let file { file.stream?.write(bytes) } else { stream?.write(bytes) }
                })
        }
        flush()
    }

    private func report(
        _ format: Format, _ diagnostics: Diagnostics, write: @escaping ([UInt8]) -> Void
    ) -> any Report {
        switch format {
        case .tap:
            // prove(1) rejects TAP 14, and announces itself in the environment.
            let version = Environment.setting("HARNESS_ACTIVE") == nil ? 14 : 13
            return TapReport(version: version, diagnostics: diagnostics, write: write)
        case .hdr: return HDRReport(now: now, write: write)
        case .junit: return JUnitReport(diagnostics: diagnostics, write: write)
        case .html:
            return HTMLReport(version: version, diagnostics: diagnostics, write: write)
        case .jsonl: return JSONLinesReport(version: version, diagnostics: diagnostics, write: write)
        }
    }

    /// The first problem with a file, as a line, or nil.
    var problem: String? {
        files.lazy.compactMap { file in
            file.problem.map { "muxsh: cannot write \(file.path.shown): \($0)\n" }
        }.first
    }

    func add(_ record: TestResults.Record) {
        for report in reports { report.add(record) }
        flush()
    }

    func add(_ intervals: [Latencies.Interval]) {
        for report in reports { report.add(intervals) }
        flush()
    }

    func addScript(_ name: String) {
        for report in reports { report.addScript(name) }
        flush()
    }

    func add(_ failure: Failure, endsRun: Bool) {
        for report in reports { report.add(failure, endsRun: endsRun) }
        flush()
    }

    private func flush() {
        stream?.flush()
        for file in files { file.stream?.flush() }
    }

    /// Adds an event; it is written before the loop waits, together with those around it.
    func add(_ event: Event) {
        for report in reports { report.add(event) }
    }

    func end(status: Int32, skipReason: String?) {
        for report in reports { report.end(status: status, skipReason: skipReason) }
        flush()
        for file in files { file.finish() }
    }
}
