import Reactor

/// Something a strand waits for. It is checked when one of its queues wakes the strand, and ended at its deadline.
protocol Wait: AnyObject {
    /// The queues of what may change.
    var queues: [WaitQueue] { get }
    /// Whether it reads there: no two strands may at the same time.
    var isReading: Bool { get }
    /// How long it may take, or nil for ever.
    var limit: Duration? { get set }
    /// Whether the end of the time is what is waited for, and no failure.
    var succeedsLate: Bool { get }
    /// What is waited for, in the script's notation.
    var wanted: String { get }
    /// Whether it is over; throws when it can no longer succeed. `isLate` at the deadline, for the last time.
    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool
    /// The instruction to go on with, or nil for the next one; asked when it is over.
    var destination: Int? { get }
    /// The strand goes away before it is over.
    func cancel()
}

extension Wait {
    var queues: [WaitQueue] { [] }
    var isReading: Bool { false }
    var succeedsLate: Bool { false }
    var destination: Int? { nil }
    func cancel() {}
}
