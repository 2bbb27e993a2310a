import Results
import Script

/// The services that the strands of a script need from the rest of the program.
package protocol Host: AnyObject {
    /// Returns the value of a built-in variable, or nil if there is none of this name.
    func builtIn(_ name: String, _ range: SourceRange) throws(Failure) -> [UInt8]?
    /// The largest size of data that a function may decompress, in bytes.
    var outputLimit: Int { get }
    /// Called when `value` was computed from `source`. A value computed from a secret is a secret named `title`.
    func derive(_ value: [UInt8], from source: [UInt8], title: String)
    /// Reports the failure of a block of `defer` that ran because of another failure.
    func report(_ failure: Failure)
    /// Called when a statement begins to run, only while `isTracing`.
    func trace(_ range: SourceRange)
    var isTracing: Bool { get }
    /// Called when a statement of the script itself begins, if the compiler was told to mark them.
    ///
    /// - Parameter captures: those that the statement before it has left.
    func beginStatement(_ range: SourceRange, captures: [[UInt8]?])
    /// Returns the failure of a wait, extended by other events that may have caused it.
    func explained(_ failure: Failure) -> Failure
    /// Called when a block handles a failure or the failure ends its strand: the events it reports count as reported.
    func didReport(_ failure: Failure)
    /// Whether the reader of the output lags so far that no strand runs at the moment.
    var isCongested: Bool { get }
    /// Whether nothing can arrive at the moment because the reader of the output lags. Such time does not count.
    var isHolding: Bool { get }
}
