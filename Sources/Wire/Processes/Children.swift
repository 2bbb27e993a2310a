import CPlatform
import Glibc
import Reactor
import Sockets
import SystemPackage

/// A program to start, and its environment.
package struct ChildRequest {
    /// The program, looked up as a shell does (execvp(3)).
    package let program: SystemString
    package let arguments: [SystemString]
    /// Whether it gets its own terminal (pty(7)) instead of pipes.
    package var hasTerminal = false
    /// Whether the terminal does not echo its input (termios(3), ECHO).
    package var isWithoutEcho = false
    /// The size of its terminal, in rows and columns.
    package var terminalSize = (rows: 24, columns: 80)
    /// Its working directory; nil for ours.
    package var directory: SystemString?
    /// Environment variables to set, each `NAME=VALUE`.
    package var environment: [SystemString] = []
    /// The file that is its standard input; nil for a pipe or the terminal.
    package var input: SharedDescriptor?
    /// Whether its standard error is a stream of its own.
    package var separatesErrors = false
    /// Sockets that it gets as descriptors 3, 4, … (sd_listen_fds(3)), with their names.
    package var sockets: [(socket: SharedDescriptor, name: SystemString)] = []

    package init(program: SystemString, arguments: [SystemString] = []) {
        self.program = program
        self.arguments = arguments
    }

    /// The program and its arguments.
    package var commandLine: [SystemString] { [program] + arguments }
}

/// A program that is running, with the transports to it.
package struct StartedChild {
    package let process: ChildProcess
    package let transport: any Transport
    /// Its standard error, if it is a stream of its own.
    package let errors: (any Transport)?
}

/// The child processes: starts and ends them, and ensures that no descendant outlives us.
///
/// Each has a `Warden`, which starts it and reports its fate through a pipe.
package final class Children {
    private let loop: EventLoop
    private let state: ProcessState
    private var children: [ChildProcess] = []
    /// All live wardens, including those whose programs are still starting.
    private var wardens: Set<pid_t> = []
    /// Children that existed before the first program, which we leave alone; nil until then.
    private var foreignChildren: Set<pid_t>?
    private var sweepTimer: Timer?
    /// How many more times to look for remaining processes: one that cannot be killed is eventually left alone.
    private var sweepsLeft = 0

    /// - Parameter state: the process state to give to programs, from before this program changed it.
    package init(on loop: EventLoop, state: ProcessState) {
        self.loop = loop
        self.state = state
    }

    /// Whether no children are left.
    package var isEmpty: Bool { children.isEmpty && sweepTimer == nil }

    /// Starts a program. `completion` is called with the running program, or with the failure. The caller must keep the
    /// returned value until then.
    package func start(
        _ request: ChildRequest, completion: @escaping (Result<StartedChild, WireFailure>) -> Void
    ) throws(WireFailure) -> ChildStarting {
        do throws(Errno) {
            let report = try Descriptor.pipe()
            let ends = try request.hasTerminal ? ChildEnds.terminal(request) : ChildEnds.pipes(request)
            return try start(request, ends, report, completion)
        } catch {
            throw error.rawValue == EAGAIN ? .other(Sockets.message(ofFork: error)) : .system(error)
        }
    }

    private func start(
        _ request: ChildRequest, _ ends: ChildEnds, _ report: consuming Pipe,
        _ completion: @escaping (Result<StartedChild, WireFailure>) -> Void
    ) throws(Errno) -> ChildStarting {
        let commandLine = request.commandLine.map { argument in argument.withCString { strdup($0) } } + [nil]
        let names = request.sockets.map(\.name.bytes).joined(separator: [UInt8(ascii: ":")])
        let listening =
            request.sockets.isEmpty
            ? [] : ["LISTEN_FDS=\(request.sockets.count)", "LISTEN_FDNAMES=" + String(lossless: Array(names))]
        let terminal: [SystemString] = request.hasTerminal ? ["TERM=xterm-256color"] : []
        let own = listening.compactMap { SystemString($0.losslessBytes) }
        let variables = (terminal + request.environment + own).map { variable in
            variable.withCString { strdup($0) }
        }
        let directory = request.directory.flatMap { $0.withCString { strdup($0) } }
        // The program keeps the variables; in this process they are copies.
        defer { for text in commandLine + variables + [directory] { free(text) } }
        becomeReaper()
        let parent = getpid()
        let writing = report.writing.number
        // Signals stay blocked until the warden waits for them: it must not run our handlers.
        var (everything, former) = (sigset_t(), sigset_t())
        sigfillset(&everything)
        sigprocmask(SIG_BLOCK, &everything, &former)
        defer { sigprocmask(SIG_SETMASK, &former, nil) }
        let warden = c_fork()
        if warden == 0 {
            Warden.live(parent: parent, report: writing) { warden in
                if let directory, chdir(directory) != 0 { return }
                for case let variable? in variables { putenv(variable) }
                enter(ends, request.sockets.map(\.socket.number), commandLine, warden: warden)
            }
        }
        guard warden > 0 else { throw Errno(rawValue: errno) }
        wardens.insert(warden)
        let (transport, errors) = (ends.transport, ends.errorTransport)
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
                    return StartedChild(process: process, transport: transport, errors: errors)
                })
        }
    }

    /// Ends a program that is no longer needed, with all its descendants: by SIGTERM, and by SIGKILL one second later,
    /// or immediately if `isForced`. Processes that are left when it has ended are killed.
    package func release(_ child: ChildProcess, isForced: Bool = false) {
        guard !child.isReleased else { return }
        child.isReleased = true
        child.terminal = nil
        // The warden may be stopped.
        kill(child.warden, SIGCONT)
        kill(child.warden, isForced || child.ending != nil ? Warden.Order.kill : Warden.Order.end)
    }

    /// Makes us the parent of the processes that a killed warden leaves (prctl(2), PR_SET_CHILD_SUBREAPER).
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

    /// Kills the processes that a warden has left, until no more appear: their children come to us when they die.
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

    /// Runs in the child of the warden: becomes the program. Returns only on failure, with errno set.
    private func enter(
        _ ends: ChildEnds, _ sockets: [Int32], _ commandLine: [UnsafeMutablePointer<CChar>?], warden: pid_t
    ) {
        setsid()
        _ = c_die_with_parent(SIGKILL)
        // The warden may have died before that was set.
        if getppid() != warden { _exit(127) }
        if ends.isTerminal { _ = c_take_terminal(ends.output.number) }
        dup2(ends.input.number, 0)
        dup2(ends.output.number, 1)
        dup2(ends.errors.number, 2)
        let first = Int32(3)
        let count = Int32(sockets.count)
        // Each goes up first, so that no place is taken before what is there has moved.
        let copies = sockets.map { fcntl($0, F_DUPFD_CLOEXEC, first + count) }
        for (index, copy) in copies.enumerated() { dup2(copy, first + Int32(index)) }
        if count > 0 { setenv("LISTEN_PID", "\(getpid())", 1) }
        state.restore()
        // execve closes our own descriptors (O_CLOEXEC); this closes those that others left open before us.
        _ = c_close_range_on_exec(UInt32(first + count), UInt32.max)
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

    /// Aborts the start, as if it had failed.
    package func cancel() {
        // Not by an order, which it takes only once the program runs: a program just started dies with the warden.
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
        case .report(.ended), .gone:
            // Where its report cannot be read, the warden may still run.
            kill(warden, SIGKILL)
            fail(.other("its warden ended"))
        }
    }

    package func descriptorIsWritable() {}

    private func fail(_ failure: WireFailure) {
        loop.unwatch(report.number)
        reap(warden)
        completion(.failure(failure))
    }
}

/// The result of a read from a warden's pipe.
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

/// Reaps a process that has ended or ends within microseconds.
func reap(_ process: pid_t) {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
}

/// The descriptors between us and a child that is not started yet. The child's ends are closed with it: while we held
/// them, the child's output would never end.
private struct ChildEnds {
    let transport: any Transport
    let input: SharedDescriptor
    let output: SharedDescriptor
    let errors: SharedDescriptor
    /// Reads the standard error, if it is a stream of its own.
    let errorTransport: (any Transport)?
    let isTerminal: Bool

    static func pipes(_ request: ChildRequest) throws(Errno) -> ChildEnds {
        let input = try Descriptor.pipe().shared()
        let output = try Descriptor.pipe().shared()
        // Only our ends are non-blocking: a program expects its ends to block.
        _ = c_set_flags(input.reading.number, O_RDONLY)
        _ = c_set_flags(output.writing.number, O_WRONLY)
        let errors = try errorPipe(request)
        return ChildEnds(
            transport: PipeTransport(reading: output.reading, writing: request.input == nil ? input.writing : nil),
            input: request.input ?? input.reading, output: output.writing, errors: errors?.writing ?? output.writing,
            errorTransport: errors.map { PipeTransport(reading: $0.reading, writing: nil) }, isTerminal: false)
    }

    private static func errorPipe(
        _ request: ChildRequest
    ) throws(Errno) -> (reading: SharedDescriptor, writing: SharedDescriptor)? {
        guard request.separatesErrors else { return nil }
        let pipe = try Descriptor.pipe().shared()
        _ = c_set_flags(pipe.writing.number, O_WRONLY)
        return pipe
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
        _ = c_set_window_size(number, UInt16(request.terminalSize.rows), UInt16(request.terminalSize.columns))
        if request.isWithoutEcho, let settings = TerminalSettings(of: number) {
            settings.hasEcho = false
            settings.apply(to: number)
        }
        let errors = try errorPipe(request)
        return ChildEnds(
            transport: transport, input: request.input ?? terminal, output: terminal,
            errors: errors?.writing ?? terminal,
            errorTransport: errors.map { PipeTransport(reading: $0.reading, writing: nil) }, isTerminal: true)
    }
}
