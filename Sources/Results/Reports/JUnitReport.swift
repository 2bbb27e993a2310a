import Glibc
import Reactor
import Script

/// Reports test results as JUnit XML: a suite for each file, written at the end of the run.
package final class JUnitReport: Report {
    private let write: ([UInt8]) -> Void
    private let diagnostics: Diagnostics
    private let timestamp: String
    /// The suites by file, in the order of their first case.
    private var suites: [Suite] = []

    private struct Suite {
        let name: String
        var cases: [TestCase] = []
    }

    private struct TestCase {
        let name: String
        let line: Int?
        let duration: Duration
        let outcome: Outcome
    }

    private enum Outcome {
        case passed
        case skipped(String)
        case failed(Failure)
        /// A failure outside of tests.
        case stopped(Failure)
    }

    package init(diagnostics: Diagnostics, write: @escaping ([UInt8]) -> Void) {
        self.diagnostics = diagnostics
        self.write = write
        timestamp = utcTime()
    }

    package func add(_ record: TestResults.Record) {
        let outcome: Outcome =
            switch record.outcome {
            case .passed: .passed
            case .skipped(let why): .skipped(why)
            case .failed(let failure): .failed(failure)
            }
        add(
            TestCase(name: record.name, line: record.range.line, duration: record.duration, outcome: outcome),
            to: record.range.source.name)
    }

    package func addScript(_ name: String) {
        add(TestCase(name: name, line: nil, duration: .zero, outcome: .passed), to: name)
    }

    package func add(_ failure: Failure, endsRun: Bool) {
        let file = failure.range?.source.name ?? "muxsh"
        add(
            TestCase(name: "outside of tests", line: failure.range?.line, duration: .zero, outcome: .stopped(failure)),
            to: file)
    }

    package func end(status: Int32, skipReason reason: String?) {
        if let reason, suites.isEmpty {
            add(TestCase(name: "script", line: nil, duration: .zero, outcome: .skipped(reason)), to: "muxsh")
        }
        let all = suites.flatMap(\.cases)
        let body = suites.map { rendered($0) }.joined()
        let document = """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="muxsh" \(counts(all))>
            \(body)</testsuites>

            """
        write(Array(document.utf8))
    }

    private func add(_ new: TestCase, to file: String) {
        if !suites.contains(where: { $0.name == file }) { suites.append(Suite(name: file)) }
        guard let index = suites.firstIndex(where: { $0.name == file }) else { return }
        suites[index].cases.append(new)
    }

    private func rendered(_ suite: Suite) -> String {
        let cases = suite.cases.map { rendered($0, in: suite.name) }.joined()
        let name = attribute(suite.name)
        return
            "  <testsuite name=\"\(name)\" \(counts(suite.cases)) timestamp=\"\(timestamp)\">\n\(cases)  </testsuite>\n"
    }

    private func counts(_ cases: [TestCase]) -> String {
        func count(_ isOfKind: (Outcome) -> Bool) -> Int { cases.count { isOfKind($0.outcome) } }
        let failures = count { if case .failed = $0 { true } else { false } }
        let errors = count { if case .stopped = $0 { true } else { false } }
        let skipped = count { if case .skipped = $0 { true } else { false } }
        let time = cases.reduce(Duration.zero) { $0 + $1.duration }
        return
            "tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"\(errors)\" skipped=\"\(skipped)\" time=\"\(seconds(time))\""
    }

    private func rendered(_ test: TestCase, in file: String) -> String {
        let place = test.line.map { " line=\"\($0)\"" } ?? ""
        let head =
            "    <testcase name=\"\(attribute(test.name))\" classname=\"\(attribute(file))\" "
            + "time=\"\(seconds(test.duration))\" file=\"\(attribute(file))\"\(place)"
        switch test.outcome {
        case .passed: return head + "/>\n"
        case .skipped(let why):
            return head + ">\n      <skipped message=\"\(attribute(why))\"/>\n    </testcase>\n"
        case .failed(let failure): return head + ">\n" + element("failure", failure) + "    </testcase>\n"
        case .stopped(let failure): return head + ">\n" + element("error", failure) + "    </testcase>\n"
        }
    }

    private func element(_ tag: String, _ failure: Failure) -> String {
        let kind =
            switch failure.status {
            case .connection: "connection"
            case .script: "script"
            default: "expectation"
            }
        let lines = diagnostics.message(of: failure).split(separator: "\n", omittingEmptySubsequences: false)
        let text = lines.map { escapedForMarkup(visible(String($0))) }.joined(separator: "\n")
        return
            "      <\(tag) message=\"\(attribute(failure.firstLine))\" type=\"\(kind)\">\(text)</\(tag)>\n"
    }

    private func seconds(_ duration: Duration) -> String { fixed(duration.inSeconds, digits: 3) }

    /// Returns a text as the value of an attribute, on one line and with its secrets hidden.
    private func attribute(_ text: String) -> String { escapedForMarkup(visible(diagnostics.hidden(text))) }
}

/// Returns the time in the format of XML Schema's dateTime, in UTC.
func utcTime() -> String {
    var seconds = Glibc.time(nil)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
