import Glibc

/// The state that a process inherits from its parent and changes for itself: ignored and blocked signals (signal(7)),
/// and the limit on open files (getrlimit(2)).
///
/// Captured before any of it is changed, so that programs we start inherit the original state.
package struct ProcessState {
    private var ignored: [Int32] = []
    private var blocked = sigset_t()
    private var files = rlimit()

    /// Captures the current state of this process.
    package init() {
        for number in 1..<Int32(NSIG) {
            var action = sigaction()
            guard sigaction(number, nil, &action) == 0, action.isIgnored else { continue }
            ignored.append(number)
        }
        sigprocmask(SIG_BLOCK, nil, &blocked)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    }

    /// Restores the state in the calling process, for a child between fork(2) and execve(2).
    package func restore() {
        for number in 1..<Int32(NSIG) where number != SIGKILL && number != SIGSTOP { signal(number, SIG_DFL) }
        for number in ignored { signal(number, SIG_IGN) }
        var blocked = blocked
        sigprocmask(SIG_SETMASK, &blocked, nil)
        var files = files
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    }
}

extension sigaction {
    /// Whether the signal is ignored (SIG_IGN, which is the value 1 in place of a function).
    package var isIgnored: Bool { unsafeBitCast(__sigaction_handler.sa_handler, to: Int.self) == 1 }
}
