import Results
import Reactor

/// The reports requested by --report, on standard output and in files.
final class Reports {
    private var reports: [TapReport] = []
    let files: [OutputFile]
    /// Standard output, if a report is written to it.
    private let stream: OutputStream?

    /// Opens the files; `begin` writes the first lines.
    init(_ requests: [ReportRequest], standardOutput: OutputStream, on loop: EventLoop) {
        stream = requests.contains { $0.path == nil } ? standardOutput : nil
        files = requests.compactMap { request in request.path.map { OutputFile(path: $0, on: loop) } }
    }

    func begin(_ diagnostics: Diagnostics) {
        // prove(1) rejects TAP 14, and announces itself in the environment.
        let version = Environment.setting("HARNESS_ACTIVE") == nil ? 14 : 13
        if let stream { reports.append(TapReport(version: version, diagnostics: diagnostics) { stream.write($0) }) }
        for file in files { reports.append(TapReport(version: version, diagnostics: diagnostics) { file.write($0) }) }
        stream?.flush()
    }

    /// The first problem with a file, as a line, or nil.
    var problem: String? {
        files.lazy.compactMap { file in
            file.problem.map { "muxsh: cannot write \(file.path.shown): \($0)\n" }
        }.first
    }

    func add(_ record: TestResults.Record) {
        for report in reports { report.add(record) }
        stream?.flush()
    }

    func addScript(_ name: String) {
        for report in reports { report.addScript(name) }
    }

    func bailOut(_ failure: Failure) {
        for report in reports { report.bailOut(failure) }
        stream?.flush()
    }

    func end(skipReason: String?) {
        for report in reports { report.end(skipReason: skipReason) }
        stream?.flush()
    }
}
