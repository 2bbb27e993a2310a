/// A report on the tests of a run, in one format. It gets the results as they come and knows no engine.
package protocol Report: AnyObject {
    /// Reports a test that has ended.
    func add(_ record: TestResults.Record)
    /// Reports that a script without tests has passed; it counts as one test.
    func addScript(_ name: String)
    /// Reports a failure outside a test, which has stopped the run.
    func bailOut(_ failure: Failure)
    /// Reports the run times of the `time` blocks of a script that has ended.
    func add(_ intervals: [Latencies.Interval])
    /// Ends the report. `reason` is why a script without tests was skipped.
    func end(skipReason reason: String?)
}

extension Report {
    package func add(_ intervals: [Latencies.Interval]) {}
}
