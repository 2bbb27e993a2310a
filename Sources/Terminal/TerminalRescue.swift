import Glibc
import Reactor

/// The terminal's former settings, for the crash handler. A signal handler can reach only globals.
nonisolated(unsafe) private var formerSettings: TerminalSettings?
nonisolated(unsafe) private var isArmed = false

/// Restores the terminal when an unhandled signal ends the program: a crash, ^\, or kill(1) from another process.
enum TerminalRescue {
    private static let fatal =
        [
            SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGSYS, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1,
            SIGUSR2, SIGXCPU, SIGXFSZ, SIGIO, SIGPWR, SIGSTKFLT,
        ] + Array(34...64)  // The real-time signals, except those reserved by the C library.

    /// Saves the terminal settings and catches the signals that would end the process (signal(7)) from now on.
    static func arm() {
        guard let settings = TerminalSettings(of: STDIN_FILENO) else { return }
        formerSettings = settings
        isArmed = true
        for number in fatal {
            var action = sigaction()
            sigaction(number, nil, &action)
            // Ignored signals stay ignored.
            if action.isIgnored { continue }
            action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                TerminalRescue.restore()
                signal(number, SIG_DFL)
                raise(number)
            }
            sigaction(number, &action, nil)
        }
    }

    /// Disables the handler after the terminal was restored cleanly.
    static func disarm() {
        isArmed = false
    }

    private static func restore() {
        guard isArmed else { return }
        isArmed = false
        formerSettings?.apply(to: STDIN_FILENO)
        // Bracketed paste off, cursor visible, no colors, a new line.
        let text: StaticString = "\u{1B}[?2004l\u{1B}[?25h\u{1B}[0m\r\n"
        _ = write(STDOUT_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }
}
