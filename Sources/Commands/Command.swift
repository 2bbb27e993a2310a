import Script
import VM

/// A command of the language: its name, its parameters, and the instructions it compiles to.
///
/// To add one, create a type of this protocol in a file in Commands/ and list it in `CommandRegistry.standard`.
protocol Command {
    /// The single source of its checks, help, completion and manual entry.
    static var description: CommandDescription { get }
    /// Adds the instructions of one call.
    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError)
}
