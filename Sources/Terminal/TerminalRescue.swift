import Glibc
import Reactor

/// How the terminal was, for the handler of a crash. A signal handler can reach nothing but a global.
nonisolated(unsafe) private var formerSettings: TerminalSettings?
nonisolated(unsafe) private var isArmed = false

/// Gives the terminal back when a signal ends the program that nobody handles: a crash, ^\, or another's kill(1).
enum TerminalRescue {
    private static let fatal =
        [
            SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGSYS, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1,
            SIGUSR2, SIGXCPU, SIGXFSZ, SIGIO, SIGPWR, SIGSTKFLT,
        ] + Array(34...64)  // The real-time signals, without those of the C library.

    /// Notes how the terminal is now, and catches the signals that would end us (signal(7)) from here on.
    static func arm() {
        guard let settings = TerminalSettings(of: STDIN_FILENO) else { return }
        formerSettings = settings
        isArmed = true
        for number in fatal {
            var action = sigaction()
            sigaction(number, nil, &action)
            // What is ignored stays so.
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

    /// The terminal was given back in order.
    static func disarm() {
        isArmed = false
    }

    private static func restore() {
        guard isArmed else { return }
        isArmed = false
        formerSettings?.apply(to: STDIN_FILENO)
        // Bracketed paste off, the cursor visible, no colours, a line of its own.
        let text: StaticString = "\u{1B}[?2004l\u{1B}[?25h\u{1B}[0m\r\n"
        _ = write(STDOUT_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }
}
