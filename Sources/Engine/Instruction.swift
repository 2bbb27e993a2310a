import Reactor
import Script

/// One step of a compiled script.
protocol Instruction {
    /// Where it stands in the script, for failures.
    var range: SourceRange { get }
    /// Does what can be done now; what has to be waited for is returned as a wait.
    func execute(in strand: Strand) throws(Failure) -> Step
}

/// What an instruction answers.
enum Step {
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
