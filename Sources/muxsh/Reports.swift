import Engine
import Glibc
import Reactor
import Script

/// The reports that --report asks for, on standard output and in files.
final class Reports {
    private var reports: [TapReport] = []
    private var files: [OutputFile] = []
    /// Standard output, when a report goes there.
    private var stream: OutputStream?

    init(_ requests: [ReportRequest], redactor: Redactor, on loop: EventLoop) {
        // prove(1) calls TAP 14 an error, and says in the environment that it is there.
        let version = environmentValue("HARNESS_ACTIVE") == nil ? 14 : 13
        for request in requests {
            if let path = request.path {
                let file = OutputFile(path: path)
                files.append(file)
                reports.append(TapReport(version: version, redactor: redactor) { file.write($0) })
            } else {
                let stream = OutputStream(STDOUT_FILENO, on: loop)
                self.stream = stream
                reports.append(TapReport(version: version, redactor: redactor) { stream.write($0) })
            }
        }
    }

    /// Whether a report has standard output for itself.
    var usesStandardOutput: Bool { stream != nil }
    /// Whether the reader of standard output has taken everything, or is gone.
    var isDrained: Bool { stream?.isDrained ?? true }
    var isBroken: Bool { stream?.isBroken ?? false }
    /// What is wrong with a file, as a line, or nil.
    var problem: String? {
        files.lazy.compactMap { file in file.problem.map { "muxsh: cannot write \(file.path): \($0)\n" } }.first
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
