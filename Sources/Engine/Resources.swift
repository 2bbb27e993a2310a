import Sessions
import VM

/// The end of the block that opened a session may close it.
extension Session: Resource {}
