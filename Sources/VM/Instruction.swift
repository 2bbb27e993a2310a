import Reactor
import Results
import Script

/// One step of a compiled script.
package protocol Instruction {
    /// Its position in the script, for failures.
    var range: SourceRange { get }
    /// Does what can be done now, without blocking; returns a wait if it has to wait for something.
    func execute(in strand: Strand) throws(Failure) -> Step
}

/// The result of an instruction.
package enum Step {
    /// Continue with the next instruction.
    case next
    /// Continue with the instruction at this index.
    case jump(Int)
    /// Continue after this wait has ended.
    case wait(any Wait)
    /// Run a defined command, then continue with the next instruction.
    case call(Call)
    /// End the run with this status, or with the script's own if nil.
    case exit(Int32?)
}

/// Something a strand waits for. It is checked when one of its queues wakes the strand, and ends at its deadline.
package protocol Wait: AnyObject {
    /// The queues of the objects whose changes may end the wait.
    var queues: [WaitQueue] { get }
    /// Whether it reads from them: two strands must not read simultaneously.
    var isReading: Bool { get }
    /// The time limit, or nil for no limit.
    var limit: Duration? { get set }
    /// Whether reaching the limit is the expected result and not a failure.
    var succeedsLate: Bool { get }
    /// A description of the expected event, in the script's notation.
    var wanted: String { get }
    /// Whether the wait has ended; throws if it can no longer succeed. `isLate` marks the last check, at the deadline.
    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool
    /// The instruction to continue with, or nil for the next one; read when the wait has ended.
    var destination: Int? { get }
    /// Called when the strand leaves the wait before it has ended.
    func cancel()
}

extension Wait {
    package var queues: [WaitQueue] { [] }
    package var isReading: Bool { false }
    package var succeedsLate: Bool { false }
    package var destination: Int? { nil }
    package func cancel() {}
}
