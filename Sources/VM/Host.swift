import Results
import Script

/// What the strands of a script need of the world around them.
package protocol Host: AnyObject {
    /// The value of a built-in variable, or nil when there is none of this name.
    func builtIn(_ name: String, _ range: SourceRange) throws(Failure) -> [UInt8]?
    /// A statement begins to run; called only while `isTracing`.
    func trace(_ range: SourceRange)
    var isTracing: Bool { get }
    /// A wait has failed: the failure, with what else in the world may be the reason for it.
    func explained(_ failure: Failure) -> Failure
    /// A failure is taken by a block, or ends its strand: what it says counts as told.
    func told(_ failure: Failure)
    /// The reader of the output is so far behind that no strand runs at the moment.
    var isCongested: Bool { get }
    /// Nothing can arrive at the moment, because the reader of the output is behind: such time does not count.
    var isHolding: Bool { get }
}
