import CPlatform
import Glibc
import Reactor

/// The parent process of a program: starts it, reports its end, and ensures that nothing of it is left.
///
/// It is the reaper of all descendants of the program (prctl(2), PR_SET_CHILD_SUBREAPER): whatever process group,
/// session or parent a process has chosen, the warden becomes its parent when its own parent ends. The warden can thus
/// end all of them, on our order or when we end for whatever reason (PR_SET_PDEATHSIG). It waits for signals with
/// sigtimedwait(2): as a separate process, it is not part of the event loop.
///
/// The program stays a zombie until then: its process ID, which is also its process group's, is not reused while we may
/// still send signals to it.
struct Warden {
    /// A report that a warden sends through its pipe, in one write.
    enum Report: Equatable {
        /// The program could not be started; the error number.
        case failed(Int32)
        /// The program runs; its process ID.
        case running(pid_t)
        case ended(ChildProcess.Ending)

        static let size = 3 * MemoryLayout<Int32>.size

        /// Decodes a report; nil for bytes that no warden writes.
        init?(_ bytes: UnsafeRawBufferPointer) {
            guard bytes.count == Self.size else { return nil }
            let numbers = (0..<3).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
            switch numbers[0] {
            case 0: self = .failed(numbers[1])
            case 1: self = .running(numbers[1])
            case 2: self = .ended(numbers[1] == CLD_EXITED ? .exited(numbers[2]) : .killed(signal: numbers[2]))
            default: return nil
            }
        }
    }

    /// The signals that a warden takes as orders.
    enum Order {
        /// End everything: by SIGTERM, and by SIGKILL one second later.
        static let end = SIGTERM
        /// Kill everything now; the kernel also sends this when we end.
        static let kill = SIGHUP
    }

    /// The seconds that a program has to end before it is killed, and those that the killing may take.
    private static let grace = 1.0
    private static let gracePeriod = 5.0

    private let report: Int32
    private let program: pid_t
    private var hasReportedEnd = false
    /// When the remaining processes are killed.
    private var deadline: Double?
    /// When processes that cannot be killed are left alone.
    private var end: Double?

    /// Runs a warden, in a child process just forked with all signals blocked. `start` becomes the program in the
    /// warden's child, and returns only on failure, with errno set.
    static func live(parent: pid_t, report: Int32, start: (_ warden: pid_t) -> Void) -> Never {
        setsid()
        _ = c_become_subreaper()
        _ = c_die_with_parent(Order.kill)
        // The parent may have died before that was set.
        if getppid() != parent { _exit(0) }
        takeName("muxsh-warden")
        signal(SIGCHLD, SIG_DFL)

        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { leave(telling: 0, errno, 0, to: report) }
        // Above the descriptors that the program may be given.
        let failure = fcntl(ends[1], F_DUPFD_CLOEXEC, 64)
        guard failure >= 0 else { leave(telling: 0, errno, 0, to: report) }
        close(ends[1])
        let warden = getpid()
        let program = c_fork()
        if program == 0 {
            start(warden)
            var number = errno
            _ = write(failure, &number, MemoryLayout<Int32>.size)
            _exit(127)
        }
        guard program > 0 else { leave(telling: 0, errno, 0, to: report) }
        // Only the two pipes stay open: while others of ours did, the end of a stream would never come.
        dup2(report, 0)
        dup2(ends[0], 1)
        _ = c_close_range(2, UInt32.max)
        _ = c_set_flags(0, 0)
        var number: Int32 = 0
        // execve(2) closes the other end: end of file means that the program runs.
        if read(1, &number, MemoryLayout<Int32>.size) > 0 {
            var status: Int32 = 0
            while waitpid(program, &status, 0) < 0 && errno == EINTR {}
            leave(telling: 0, number, 0, to: 0)
        }
        close(1)
        send(1, program, 0, to: 0)
        var reaper = Warden(report: 0, program: program)
        reaper.watch()
    }

    private init(report: Int32, program: pid_t) {
        self.report = report
        self.program = program
    }

    private mutating func watch() -> Never {
        while true {
            reap()
            if let end, end <= Self.now || !hasChildren { _exit(0) }
            if let deadline, deadline <= Self.now {
                killAll(SIGKILL)
                end = end ?? Self.now + Self.gracePeriod
            }
            switch awaitSignal() {
            case Order.end where deadline == nil:
                killAll(SIGTERM)
                killAll(SIGCONT)
                deadline = Self.now + Self.grace
            case Order.kill, SIGINT, SIGQUIT: deadline = 0
            default: break
            }
        }
    }

    /// Waits for a signal or the deadline; while processes are being killed, returns periodically to check them again.
    private func awaitSignal() -> Int32 {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGCHLD, Order.end, Order.kill, SIGINT, SIGQUIT] { sigaddset(&signals, number) }
        guard let deadline else { return sigwaitinfo(&signals, nil) }
        let seconds = max(0.01, min(deadline - Self.now, Self.grace))
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
        return sigtimedwait(&signals, nil, &time)
    }

    /// Reports the program's end and reaps the zombies that the warden has inherited; also the program once its process
    /// ID is no longer needed.
    private mutating func reap() {
        var cause: Int32 = 0
        var status: Int32 = 0
        if !hasReportedEnd, c_child_has_ended(program, &cause, &status) == 1 {
            hasReportedEnd = true
            Self.send(2, cause, status, to: report)
        }
        let isOver = deadline != nil && hasReportedEnd
        if isOver {
            while waitpid(-1, &status, WNOHANG) > 0 {}
        } else {
            for child in Processes.ownChildren where child != program { waitpid(child, &status, WNOHANG) }
        }
        // Done when all descendants of the program have ended within the time they are given.
        if isOver, !hasChildren { _exit(0) }
    }

    private var hasChildren: Bool {
        var info = siginfo_t()
        return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0
    }

    private func killAll(_ number: Int32) {
        let all = Processes.descendants(of: getpid())
        for process in all { kill(process, number) }
        // Without /proc, at least its process group.
        if all.isEmpty { kill(-program, number) }
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func send(_ kind: Int32, _ first: Int32, _ second: Int32, to descriptor: Int32) {
        var numbers = (kind, first, second)
        _ = write(descriptor, &numbers, Report.size)
    }

    private static func leave(telling kind: Int32, _ first: Int32, _ second: Int32, to descriptor: Int32) -> Never {
        send(kind, first, second, to: descriptor)
        _exit(0)
    }

    /// Takes a name other than muxsh, also in ps's command line: killing muxsh by name must not hit a warden.
    private static func takeName(_ name: String) {
        _ = c_set_name(name)
        guard let first = CommandLine.unsafeArgv[0], CommandLine.argc > 0,
            let last = CommandLine.unsafeArgv[Int(CommandLine.argc) - 1]
        else { return }
        // The kernel stores the arguments one after the other (proc_pid_cmdline(5)).
        guard last >= first else { return }
        let room = UnsafeMutableRawBufferPointer(start: first, count: last - first + strlen(last))
        room.initializeMemory(as: UInt8.self, repeating: 0)
        room.copyBytes(from: name.utf8.prefix(room.count))
    }
}
