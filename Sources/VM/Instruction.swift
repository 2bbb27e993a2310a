import Reactor
import Results
import Script

/// One step of a compiled script.
package protocol Instruction {
    /// Where it stands in the script, for failures.
    var range: SourceRange { get }
    /// Does what can be done now; what has to be waited for is returned as a wait.
    func execute(in strand: Strand) throws(Failure) -> Step
}

/// What an instruction answers.
package enum Step {
    /// Go on with the next instruction.
    case next
    /// Go on with the instruction at this index.
    case jump(Int)
    /// Go on once this is over.
    case wait(any Wait)
    /// Run a defined command, then go on with the next instruction.
    case call(Call)
    /// End the run with this status, or with the script's own when nil.
    case exit(Int32?)
}

/// Something a strand waits for. It is checked when one of its queues wakes the strand, and ended at its deadline.
package protocol Wait: AnyObject {
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
    package var queues: [WaitQueue] { [] }
    package var isReading: Bool { false }
    package var succeedsLate: Bool { false }
    package var destination: Int? { nil }
    package func cancel() {}
}
