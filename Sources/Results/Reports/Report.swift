/// A report on the tests of a run, in one format. It gets the results as they come and knows no engine.
package protocol Report: AnyObject {
    /// Reports a test that has ended.
    func add(_ record: TestResults.Record)
    /// Reports that a script without tests has passed; it counts as one test.
    func addScript(_ name: String)
    /// Reports a failure outside of tests; `endsRun` is whether it has stopped the run.
    func add(_ failure: Failure, endsRun: Bool)
    /// Reports the run times of the `time` blocks of a script that has ended.
    func add(_ intervals: [Latencies.Interval])
    /// Reports what happens, as it happens.
    func add(_ event: Event)
    /// Ends the report. `reason` is why a script without tests was skipped.
    ///
    /// - Parameter status: the exit status of the run.
    func end(status: Int32, skipReason reason: String?)
}

extension Report {
    package func add(_ event: Event) {}
    package func add(_ intervals: [Latencies.Interval]) {}
}
