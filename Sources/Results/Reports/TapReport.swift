/// Tells the results of tests in TAP, version 14 (testanything.org).
package final class TapReport {
    private let write: ([UInt8]) -> Void
    private let diagnostics: Diagnostics
    private var count = 0
    /// Skipped tests before the first that ran: if all are, the plan says so instead.
    private var skipped: [TestResults.Record] = []
    private var hasRun = false
    private var hasBailedOut = false

    /// `version` is 14, but for a harness that reads 13 at most; what follows is valid in both.
    package init(version: Int = 14, diagnostics: Diagnostics, write: @escaping ([UInt8]) -> Void) {
        self.diagnostics = diagnostics
        self.write = write
        line("TAP version \(version)")
    }

    /// A test has ended.
    package func add(_ record: TestResults.Record) {
        if case .skipped = record.outcome, !hasRun {
            skipped.append(record)
            return
        }
        writeSkipped()
        write(record)
    }

    /// A script without tests has passed: it counts as one.
    package func addScript(_ name: String) {
        writeSkipped()
        count += 1
        line("ok \(count) - \(escaped(name))")
    }

    /// A failure outside of a test has stopped the run.
    package func bailOut(_ failure: Failure) {
        writeSkipped()
        hasBailedOut = true
        let place = failure.range.map { $0.description + ": " } ?? ""
        line("Bail out! \(place)\(failure.firstLine)")
    }

    /// The run is over. `reason` is why a script was skipped that has no tests.
    package func end(skipReason reason: String?) {
        guard !hasBailedOut else { return }
        guard hasRun || count > 0 else {
            let reason = reason ?? skipped.first.flatMap(Self.reason)
            return line("1..0 # SKIP" + (reason.map { " " + escaped($0) } ?? ""))
        }
        line("1..\(count)")
    }

    private func writeSkipped() {
        hasRun = true
        let held = skipped
        skipped = []
        for record in held { write(record) }
    }

    private func write(_ record: TestResults.Record) {
        count += 1
        let name = "\(count) - \(escaped(record.name))"
        switch record.outcome {
        case .passed: line("ok \(name)")
        case .skipped(let why): line("ok \(name) # SKIP\(why.isEmpty ? "" : " " + escaped(why))")
        case .failed(let failure):
            line("not ok \(name)")
            diagnose(failure, record)
        }
    }

    /// The YAML block below a test that failed.
    private func diagnose(_ failure: Failure, _ record: TestResults.Record) {
        line("  ---")
        line("  message: \(quoted(failure.firstLine))")
        line("  severity: fail")
        if let range = failure.range {
            line("  at:")
            line("    file: \(quoted(range.source.name))")
            line("    line: \(range.line)")
            line("    column: \(range.characterColumn)")
        }
        line("  duration_ms: \(fixed(Double(record.duration.nanoseconds) / 1e6, digits: 1))")
        line("  text: |")
        for text in diagnostics.message(of: failure).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        {
            line("    \(text)")
        }
        line("  ...")
    }

    private func line(_ text: String) {
        write(Array(visible(diagnostics.hidden(text)).utf8) + [UInt8(ascii: "\n")])
    }

    /// One line in which nothing is a directive.
    private func escaped(_ text: String) -> String {
        diagnostics.hidden(text).map { character in
            switch character {
            case "\\": "\\\\"
            case "#": "\\#"
            case "\n", "\r", "\r\n": " "
            default: String(character)
            }
        }.joined()
    }

    private func quoted(_ text: String) -> String {
        // What is escaped for a person is escaped for YAML too.
        "\"" + visible(diagnostics.hidden(text)).map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
            + "\""
    }

    private static func reason(_ record: TestResults.Record) -> String? {
        if case .skipped(let why) = record.outcome, !why.isEmpty { return why }
        return nil
    }
}
