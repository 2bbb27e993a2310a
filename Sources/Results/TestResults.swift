import Script

/// How the tests of a run ended, in order.
package final class TestResults {
    /// How one test ended.
    package struct Record {
        /// Its name, which carries any bytes.
        package let name: String
        package let range: SourceRange
        package let outcome: Outcome
        package let duration: Duration

        package init(name: String, range: SourceRange, outcome: Outcome, duration: Duration) {
            self.name = name
            self.range = range
            self.outcome = outcome
            self.duration = duration
        }
    }

    package enum Outcome {
        case passed
        case failed(Failure)
        /// With the reason that was given.
        case skipped(String)
    }

    /// Tests whose name does not match are not run; nil runs them all.
    package var filter: Regex?
    /// Told of each test when it has ended.
    package var onRecord: (Record) -> Void = { _ in }
    package private(set) var records: [Record] = []
    /// Tests that the filter left out.
    package private(set) var unselected = 0

    package init() {}

    /// Whether the filter lets a test run; one that it leaves out is counted.
    package func isSelected(_ name: String) -> Bool {
        guard let filter else { return true }
        let outcome = name.losslessBytes.withUnsafeBytes {
            filter.search($0, from: 0, isWhole: true, beginsLine: true)
        }
        if case .match = outcome { return true }
        unselected += 1
        return false
    }

    package func add(_ record: Record) {
        records.append(record)
        onRecord(record)
    }

    /// What the records from `start` on say of a script: the status of the first failure, 77 when all were skipped, 0
    /// when one has passed, nil when there are none.
    package func status(from start: Int) -> Int32? {
        guard start < records.count else { return nil }
        var status = Failure.Status.skipped.rawValue
        for record in records[start...] {
            switch record.outcome {
            case .failed(let failure): return failure.status.rawValue
            case .passed: status = 0
            case .skipped: break
            }
        }
        return status
    }

    /// The counts in a sentence, or nil when there were no tests.
    package func summary(took: Duration) -> String? {
        guard !records.isEmpty || unselected > 0 else { return nil }
        var passed = 0
        var failed = 0
        var skipped = 0
        for record in records {
            switch record.outcome {
            case .passed: passed += 1
            case .failed: failed += 1
            case .skipped: skipped += 1
            }
        }
        var parts = ["\(passed) passed"]
        if failed > 0 { parts.append("\(failed) failed") }
        if skipped > 0 { parts.append("\(skipped) skipped") }
        if unselected > 0 { parts.append("\(unselected) excluded by --filter") }
        let count = counted(records.count, "test")
        return "\(count): \(parts.joined(separator: ", ")) in \(shown(took))"
    }
}
