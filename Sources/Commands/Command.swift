import Script
import VM

/// A command of the language: what it is called and takes, and what it becomes.
///
/// To add one: a file in Commands/ with a type of this protocol, and its name in `CommandRegistry.standard`.
protocol Command {
    /// The one source of its checks, help, completion and manual entry.
    static var description: CommandDescription { get }
    /// Adds the instructions of one call.
    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError)
}
