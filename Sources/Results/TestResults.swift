import Script

/// The results of the tests of a run, oldest first.
package final class TestResults {
    /// The result of one test.
    package struct Record {
        /// The name, which may contain any bytes.
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
        /// With the given reason.
        case skipped(String)
    }

    /// Only tests whose name matches are run; nil runs all tests.
    package var filter: Regex?
    /// Called with the record of each test when it has ended.
    package var onRecord: (Record) -> Void = { _ in }
    package private(set) var records: [Record] = []
    /// How often each test runs.
    package var rounds = 1
    private var round = 1
    /// Whether the first failed test ends the run.
    package var stopsAtFailure = false
    /// Whether a failed test has ended the run.
    package private(set) var hasStopped = false
    /// The number of tests excluded by the filter.
    package private(set) var unselected = 0

    package init() {}

    /// Whether the filter selects a test; an excluded test is counted.
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

    /// Returns, after a test, whether to run it again.
    package func beginsNextRound() -> Bool {
        round = round < rounds ? round + 1 : 1
        return round > 1
    }

    /// Returns, after a test, whether the run ends here: at the first failed test, if that was requested.
    package func stops() -> Bool {
        guard stopsAtFailure, case .failed = records.last?.outcome else { return false }
        hasStopped = true
        return true
    }

    /// The tests that failed in some rounds and not in others, as text.
    package var flaky: [String] {
        guard rounds > 1 else { return [] }
        var counts: [String: (failed: Int, all: Int)] = [:]
        var order: [String] = []
        for record in records {
            let title = "\"\(Escapes.escaped(record.name.losslessBytes))\" (\(record.range.description))"
            if counts[title] == nil { order.append(title) }
            var count = counts[title] ?? (0, 0)
            if case .failed = record.outcome { count.failed += 1 }
            count.all += 1
            counts[title] = count
        }
        return order.compactMap { title in
            guard let count = counts[title], count.failed > 0, count.failed < count.all else { return nil }
            return "flaky: \(title) failed \(count.failed) of \(count.all) times"
        }
    }

    /// The slowest tests that took at least 100 ms, slowest first, as text.
    package var slowest: [String] {
        let slow = records.filter { $0.duration >= .milliseconds(100) }.sorted { $0.duration > $1.duration }
        return slow.prefix(5).map { record in
            "slow: \(shown(record.duration)) for \"\(Escapes.escaped(record.name.losslessBytes))\" (\(record.range.description))"
        }
    }

    /// Returns the exit status of a script from its records, which begin at `start`: the status of the first failure,
    /// 77 if all tests were skipped, 0 if one has passed, nil if there are no records.
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

    /// Returns the counts as one line, or nil if there were no tests.
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
        if hasStopped { parts.append("the rest not run (--fail-fast)") }
        let count = counted(records.count, "test")
        return "\(count): \(parts.joined(separator: ", ")) in \(shown(took))"
    }
}
