import CPlatform
import Glibc
import Reactor
import SystemPackage

/// What is to be started: a program and its environment.
package struct ChildRequest: Sendable {
    /// The program, found as a shell finds it (execvp(3)).
    package let program: SystemString
    package let arguments: [SystemString]
    /// Behind a terminal of its own (pty(7)), and not behind pipes.
    package var hasTerminal = false
    /// The terminal does not send back what is typed (termios(3), ECHO).
    package var isWithoutEcho = false

    package init(program: SystemString, arguments: [SystemString] = []) {
        self.program = program
        self.arguments = arguments
    }

    /// The program and its arguments.
    package var commandLine: [SystemString] { [program] + arguments }
}

/// The child processes: their starting, their ending, and that nothing of them outlives us.
///
/// Each has a `Warden`, which starts it and tells through a pipe what becomes of it.
package final class Children {
    private let loop: EventLoop
    private let state: ProcessState
    private var children: [ChildProcess] = []
    /// All that live, also those whose programs are still being started.
    private var wardens: Set<pid_t> = []
    /// Children that we had before the first program, which is nil until then: they are none of our business.
    private var foreignChildren: Set<pid_t>?
    private var sweepTimer: Timer?
    /// How many times more what is left is looked for: nothing can be done about what cannot be killed.
    private var sweepsLeft = 0

    /// - Parameter state: what programs are to find, as it was before this program changed anything.
    package init(on loop: EventLoop, state: ProcessState) {
        self.loop = loop
        self.state = state
    }

    /// Whether none is left.
    package var isEmpty: Bool { children.isEmpty && sweepTimer == nil }

    /// Starts a program; `completion` is called with it and the way to it, or with what was in the way. The starting is
    /// to be kept until then.
    package func start(
        _ request: ChildRequest, completion: @escaping (Result<(ChildProcess, any Transport), WireFailure>) -> Void
    ) throws(WireFailure) -> ChildStarting {
        do throws(Errno) {
            let report = try Descriptor.pipe()
            let ends = try request.hasTerminal ? ChildEnds.terminal(request) : ChildEnds.pipes()
            return try start(request, ends, report, completion)
        } catch {
            throw error.rawValue == EAGAIN ? .other(Wire.message(ofFork: error)) : .system(error)
        }
    }

    private func start(
        _ request: ChildRequest, _ ends: ChildEnds, _ report: consuming Pipe,
        _ completion: @escaping (Result<(ChildProcess, any Transport), WireFailure>) -> Void
    ) throws(Errno) -> ChildStarting {
        let commandLine = request.commandLine.map { argument in argument.withCString { strdup($0) } } + [nil]
        defer { for argument in commandLine { free(argument) } }
        becomeReaper()
        let parent = getpid()
        let writing = report.writing.number
        // Until the warden waits for signals they wait for it: our handlers are not for it.
        var (everything, former) = (sigset_t(), sigset_t())
        sigfillset(&everything)
        sigprocmask(SIG_BLOCK, &everything, &former)
        defer { sigprocmask(SIG_SETMASK, &former, nil) }
        let warden = c_fork()
        if warden == 0 {
            Warden.live(parent: parent, report: writing) { warden in enter(ends, commandLine, warden: warden) }
        }
        guard warden > 0 else { throw Errno(rawValue: errno) }
        wardens.insert(warden)
        let transport = ends.transport
        return ChildStarting(warden, report: report.takeReadingEnd(), on: loop) { [unowned self] outcome in
            if case .failure = outcome { wardenEnded(warden) }
            completion(
                outcome.map { number, report in
                    let process = ChildProcess(number: number, warden: warden)
                    if transport.kind == .terminal { process.terminal = transport }
                    children.append(process)
                    process.listen(to: report, on: loop) { [unowned self, unowned process] in
                        children.removeAll { $0 === process }
                        wardenEnded(warden)
                    }
                    return (process, transport)
                })
        }
    }

    /// Ends a program that nobody wants any more, with all that stems from it: by SIGTERM, and by SIGKILL a second later or
    /// when `isForced`. What it has left when it has ended is killed.
    package func release(_ child: ChildProcess, isForced: Bool = false) {
        guard !child.isReleased else { return }
        child.isReleased = true
        child.terminal = nil
        // It may have been stopped.
        kill(child.warden, SIGCONT)
        kill(child.warden, isForced || child.ending != nil ? Warden.Order.kill : Warden.Order.end)
    }

    /// What a warden leaves when somebody kills it comes to us (prctl(2), PR_SET_CHILD_SUBREAPER).
    private func becomeReaper() {
        guard foreignChildren == nil else { return }
        _ = c_become_subreaper()
        foreignChildren = Set(Processes.ownChildren)
    }

    private func wardenEnded(_ warden: pid_t) {
        wardens.remove(warden)
        sweepsLeft = 500
        sweep()
    }

    /// Kills what a warden has left, until nothing more comes: what these have started comes when they have died.
    private func sweep() {
        if let sweepTimer { loop.cancel(sweepTimer) }
        sweepTimer = nil
        let left = Processes.ownChildren.filter { !wardens.contains($0) && foreignChildren?.contains($0) != true }
        guard !left.isEmpty, sweepsLeft > 0 else { return }
        sweepsLeft -= 1
        for process in left {
            kill(process, SIGKILL)
            var status: Int32 = 0
            waitpid(process, &status, WNOHANG)
        }
        sweepTimer = loop.schedule(after: .milliseconds(10)) { [unowned self] in sweep() }
    }

    /// Runs in the child of the warden: becomes the program. Returns only when that fails, with errno set.
    private func enter(_ ends: ChildEnds, _ commandLine: [UnsafeMutablePointer<CChar>?], warden: pid_t) {
        setsid()
        _ = c_die_with_parent(SIGKILL)
        // The warden may have died before that was set.
        if getppid() != warden { _exit(127) }
        if ends.isTerminal { _ = c_take_terminal(ends.input.number) }
        dup2(ends.input.number, 0)
        dup2(ends.output.number, 1)
        dup2(ends.output.number, 2)
        state.restore()
        // All else of ours is closed by execve (O_CLOEXEC), but for what others had left open before us.
        _ = c_close_range_on_exec(3, UInt32.max)
        if let program = commandLine[0] { execvp(program, commandLine) }
    }
}

/// A program that is being started.
package final class ChildStarting: DescriptorWatcher {
    private let warden: pid_t
    private let report: SharedDescriptor
    private let loop: EventLoop
    private let completion: (Result<(pid_t, SharedDescriptor), WireFailure>) -> Void

    init(
        _ warden: pid_t, report: consuming Descriptor, on loop: EventLoop,
        completion: @escaping (Result<(pid_t, SharedDescriptor), WireFailure>) -> Void
    ) {
        self.warden = warden
        self.report = SharedDescriptor(report)
        self.loop = loop
        self.completion = completion
        loop.watch(self.report.number, read: true, write: false, watcher: self)
    }

    /// Gives it up, as if it had failed.
    package func cancel() {
        // Not by an order, which it takes only once the program runs: with the warden dies what it has just begun.
        kill(warden, SIGKILL)
        fail(WireFailure(number: ECANCELED))
    }

    package func descriptorIsReadable() {
        switch readReport(from: report.number) {
        case .nothing: return
        case .report(.running(let number)):
            loop.unwatch(report.number)
            completion(.success((number, report)))
        case .report(.failed(let number)): fail(WireFailure(number: number))
        case .report(.ended), .gone: fail(.other("its warden ended"))
        }
    }

    package func descriptorIsWritable() {}

    private func fail(_ failure: WireFailure) {
        loop.unwatch(report.number)
        reap(warden)
        completion(.failure(failure))
    }
}

/// What a read from a warden's pipe gave.
enum ReportOutcome {
    case nothing
    case report(Warden.Report)
    /// The warden has ended.
    case gone
}

func readReport(from descriptor: Int32) -> ReportOutcome {
    var bytes = [UInt8](repeating: 0, count: Warden.Report.size)
    let count = read(descriptor, &bytes, bytes.count)
    if count < 0 { return errno == EAGAIN || errno == EINTR ? .nothing : .gone }
    return bytes[..<count].withUnsafeBytes { Warden.Report($0) }.map { .report($0) } ?? .gone
}

/// Takes away the zombie of a process that has ended, or ends within microseconds.
func reap(_ process: pid_t) {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
}

/// The descriptors between us and a child that is not started yet. The child's ends are closed with it: as long as they
/// were ours too, the end of its output would never come.
private struct ChildEnds {
    let transport: any Transport
    let input: SharedDescriptor
    let output: SharedDescriptor
    let isTerminal: Bool

    static func pipes() throws(Errno) -> ChildEnds {
        let input = try Descriptor.pipe().shared()
        let output = try Descriptor.pipe().shared()
        // Only our ends are non-blocking: a program expects its own to wait.
        _ = c_set_flags(input.reading.number, O_RDONLY)
        _ = c_set_flags(output.writing.number, O_WRONLY)
        return ChildEnds(
            transport: PipeTransport(reading: output.reading, writing: input.writing), input: input.reading,
            output: output.writing, isTerminal: false)
    }

    static func terminal(_ request: ChildRequest) throws(Errno) -> ChildEnds {
        let master = c_open_terminal()
        guard master >= 0 else { throw Errno(rawValue: errno) }
        let transport = TerminalTransport(owning: Descriptor(owning: master))
        var name = [CChar](repeating: 0, count: 128)
        guard c_unlock_terminal(master) == 0, c_terminal_name(master, &name, name.count) == 0 else {
            throw Errno(rawValue: errno)
        }
        let number = Glibc.open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        let terminal = SharedDescriptor(Descriptor(owning: number))
        _ = c_set_window_size(number, 24, 80)
        if request.isWithoutEcho, let settings = TerminalSettings(of: number) {
            settings.hasEcho = false
            settings.apply(to: number)
        }
        return ChildEnds(transport: transport, input: terminal, output: terminal, isTerminal: true)
    }
}
