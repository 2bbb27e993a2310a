import CPlatform
import Glibc
import Reactor
import SystemPackage

/// A small process that outlives ours by a moment: when we are gone, however we went, it kills the process groups that
/// are left (kill(2)).
///
/// PR_SET_PDEATHSIG reaches the program we started, and not what that has started. The warden reads a pipe whose other
/// end only we have; its end of stream is our death. A program enters itself before it runs, and we strike it out when
/// it has been reaped, so that a number that is used again is never meant.
final class Warden {
    private var pipe: SharedDescriptor?
    private let number: pid_t

    /// Forks it.
    init() throws(Errno) {
        let ends = try Descriptor.pipe()
        let child = c_fork()
        if child == 0 { Self.watch(ends.reading.number) }
        guard child > 0 else { throw Errno(rawValue: errno) }
        number = child
        pipe = SharedDescriptor(ends.takeWritingEnd())
    }

    deinit {
        pipe = nil
        // It ends with its pipe: at once.
        var status: Int32 = 0
        while waitpid(number, &status, 0) < 0 && errno == EINTR {}
    }

    /// The end of the pipe that programs enter themselves at.
    var descriptor: Int32 { pipe?.number ?? -1 }

    /// Enters a group, or strikes it out when `group` is negative. One write of four bytes is never torn (pipe(7)).
    static func enter(_ group: pid_t, at descriptor: Int32) {
        var record = group
        _ = write(descriptor, &record, MemoryLayout<pid_t>.size)
    }

    func strikeOut(_ group: pid_t) {
        Self.enter(-group, at: descriptor)
    }

    /// The warden's life.
    private static func watch(_ pipe: Int32) -> Never {
        setsid()
        takeName("muxsh-warden")
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE] { signal(number, SIG_IGN) }
        dup2(pipe, 0)
        _ = c_close_range(1, UInt32.max)
        _ = c_set_flags(0, 0)
        var groups: Set<pid_t> = []
        var record: pid_t = 0
        while true {
            let count = read(0, &record, MemoryLayout<pid_t>.size)
            if count < 0 && errno == EINTR { continue }
            guard count == MemoryLayout<pid_t>.size else { break }
            if record > 0 { groups.insert(record) } else { groups.remove(-record) }
        }
        for group in groups { kill(-group, SIGKILL) }
        _exit(0)
    }

    /// Bears another name than muxsh, also where ps shows the command line: who kills that by its name does not mean us.
    private static func takeName(_ name: String) {
        _ = c_set_name(name)
        guard let first = CommandLine.unsafeArgv[0], CommandLine.argc > 0,
            let last = CommandLine.unsafeArgv[Int(CommandLine.argc) - 1]
        else { return }
        // The kernel has laid the arguments one behind the other (proc_pid_cmdline(5)).
        guard last >= first else { return }
        let room = UnsafeMutableRawBufferPointer(start: first, count: last - first + strlen(last))
        room.initializeMemory(as: UInt8.self, repeating: 0)
        room.copyBytes(from: name.utf8.prefix(room.count))
    }
}
