import Glibc

/// The settings of a terminal (termios(3)).
///
/// They lie in memory of their own: C writes the whole of its structure, and a variable of the imported type can be a few
/// bytes shorter than that.
package final class TerminalSettings {
    private let pointer: UnsafeMutablePointer<termios>

    /// What `descriptor` has now (tcgetattr(3)); nil when it is no terminal.
    package init?(of descriptor: Int32) {
        pointer = .allocate(capacity: 2)
        pointer.initialize(repeating: termios(), count: 2)
        guard tcgetattr(descriptor, pointer) == 0 else { return nil }
    }

    deinit {
        pointer.deallocate()
    }

    /// Gives them to `descriptor` at once, without waiting for output (tcsetattr(3), TCSANOW). Safe in a signal handler.
    package func apply(to descriptor: Int32) {
        tcsetattr(descriptor, TCSANOW, pointer)
    }

    /// Whether lines are edited in the kernel, and handed over whole.
    package var isCanonical: Bool { pointer.pointee.c_lflag & tcflag_t(ICANON) != 0 }

    /// Whether what is typed is sent back.
    package var hasEcho: Bool {
        get { pointer.pointee.c_lflag & tcflag_t(ECHO) != 0 }
        set {
            if newValue {
                pointer.pointee.c_lflag |= tcflag_t(ECHO)
            } else {
                pointer.pointee.c_lflag &= ~tcflag_t(ECHO)
            }
        }
    }

    /// The character for a function such as VEOF.
    package func character(_ index: Int32) -> UInt8 {
        withUnsafeBytes(of: pointer.pointee.c_cc) { $0[Int(index)] }
    }
}
