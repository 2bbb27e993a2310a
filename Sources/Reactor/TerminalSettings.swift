import Glibc

/// The settings of a terminal (termios(3)).
///
/// They are allocated separately: C writes its whole structure, and a variable of the imported type can be a few bytes
/// shorter.
package final class TerminalSettings {
    private let pointer: UnsafeMutablePointer<termios>

    /// Reads the current settings of `descriptor` (tcgetattr(3)); nil if it is not a terminal.
    package init?(of descriptor: Int32) {
        pointer = .allocate(capacity: 2)
        pointer.initialize(repeating: termios(), count: 2)
        guard tcgetattr(descriptor, pointer) == 0 else { return nil }
    }

    deinit {
        pointer.deallocate()
    }

    /// Makes it raw (cfmakeraw(3)) with a speed in both directions; `adjust` then sets control and input flags.
    package func makeRaw(speed: speed_t, _ adjust: (inout tcflag_t, inout tcflag_t) -> Void) {
        cfmakeraw(pointer)
        cfsetspeed(pointer, speed)
        pointer.pointee.c_cflag |= tcflag_t(CLOCAL | CREAD)
        adjust(&pointer.pointee.c_cflag, &pointer.pointee.c_iflag)
    }

    /// Reads the settings of a terminal, and makes them raw: every byte passes as it is (cfmakeraw(3)), except that a
    /// line feed may return to the first column too.
    package convenience init?(rawOf descriptor: Int32, returnsAtFeed: Bool) {
        self.init(of: descriptor)
        let output = pointer.pointee.c_oflag
        cfmakeraw(pointer)
        if returnsAtFeed { pointer.pointee.c_oflag = output }
    }

    /// Applies them immediately, without waiting for output (tcsetattr(3), TCSANOW). Safe in a signal handler.
    package func apply(to descriptor: Int32) {
        tcsetattr(descriptor, TCSANOW, pointer)
    }

    /// Whether the line discipline edits lines and delivers them whole.
    package var isCanonical: Bool { pointer.pointee.c_lflag & tcflag_t(ICANON) != 0 }

    /// Whether the terminal echoes input.
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

    /// Returns the control character for a function such as VEOF.
    package func character(_ index: Int32) -> UInt8 {
        withUnsafeBytes(of: pointer.pointee.c_cc) { $0[Int(index)] }
    }
}
