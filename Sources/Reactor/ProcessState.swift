import Glibc

/// What a process has from the one that started it, and changes for itself: the signals it ignores and blocks (signal(7)),
/// and how many files it may open (getrlimit(2)).
///
/// Taken before anything of that is changed, so that programs we start find it as we did.
package struct ProcessState {
    private var ignored: [Int32] = []
    private var blocked = sigset_t()
    private var files = rlimit()

    /// What this process has now.
    package init() {
        for number in 1..<Int32(NSIG) {
            var action = sigaction()
            guard sigaction(number, nil, &action) == 0, action.isIgnored else { continue }
            ignored.append(number)
        }
        sigprocmask(SIG_BLOCK, nil, &blocked)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    }

    /// Gives all of it back to the calling process; for a child between fork(2) and execve(2).
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
    /// Whether the signal is ignored (SIG_IGN, which is the number 1 in place of a function).
    package var isIgnored: Bool { unsafeBitCast(__sigaction_handler.sa_handler, to: Int.self) == 1 }
}
