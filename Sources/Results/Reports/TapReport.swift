/// Reports test results in TAP, version 14 (testanything.org).
package final class TapReport: Report {
    private let write: ([UInt8]) -> Void
    private let diagnostics: Diagnostics
    private var count = 0
    /// Skipped tests before the first test that ran; if all tests are skipped, only the plan reports it.
    private var skipped: [TestResults.Record] = []
    private var hasRun = false
    private var hasBailedOut = false

    /// `version` is 14, or 13 for a harness that does not support 14; the rest of the report is valid in both.
    package init(version: Int = 14, diagnostics: Diagnostics, write: @escaping ([UInt8]) -> Void) {
        self.diagnostics = diagnostics
        self.write = write
        line("TAP version \(version)")
    }

    /// Reports a test that has ended.
    package func add(_ record: TestResults.Record) {
        if case .skipped = record.outcome, !hasRun {
            skipped.append(record)
            return
        }
        writeSkipped()
        write(record)
    }

    /// Reports that a script without tests has passed; it counts as one test.
    package func addScript(_ name: String) {
        writeSkipped()
        count += 1
        line("ok \(count) - \(escaped(name))")
    }

    package func add(_ failure: Failure, endsRun: Bool) {
        writeSkipped()
        guard endsRun else {
            count += 1
            line("not ok \(count) - outside of tests")
            return diagnose(failure, duration: .zero)
        }
        hasBailedOut = true
        let place = failure.range.map { $0.description + ": " } ?? ""
        line("Bail out! \(place)\(failure.firstLine)")
    }

    /// Ends the report. `reason` is why a script without tests was skipped.
    package func end(status: Int32, skipReason reason: String?) {
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
            diagnose(failure, duration: record.duration)
        }
    }

    /// Writes the YAML block below a failed test.
    private func diagnose(_ failure: Failure, duration: Duration) {
        line("  ---")
        line("  message: \(quoted(failure.firstLine))")
        line("  severity: fail")
        if let range = failure.range {
            line("  at:")
            line("    file: \(quoted(range.source.name))")
            line("    line: \(range.line)")
            line("    column: \(range.characterColumn)")
        }
        line("  duration_ms: \(fixed(Double(duration.nanoseconds) / 1e6, digits: 1))")
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

    /// Returns `text` as one line that contains no directive.
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
        // `visible` also escapes the control characters for YAML.
        "\"" + visible(diagnostics.hidden(text)).map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
            + "\""
    }

    private static func reason(_ record: TestResults.Record) -> String? {
        if case .skipped(let why) = record.outcome, !why.isEmpty { return why }
        return nil
    }
}
