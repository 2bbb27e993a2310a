import Sessions
import VM

/// A session may be closed by the end of the block that opened it.
extension Session: Resource {}
