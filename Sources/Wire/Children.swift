import CPlatform
import Glibc
import Reactor
import SystemPackage

/// What is to be started: a program and its surroundings.
package struct ChildRequest: Sendable {
    /// The program, found as a shell finds it (execvp(3)), and its arguments.
    package var command: [String]
    /// Behind a terminal of its own (pty(7)), and not behind pipes.
    package var hasTerminal = false
    /// The terminal does not send back what is typed (termios(3), ECHO).
    package var isWithoutEcho = false

    package init(command: [String]) {
        self.command = command
    }
}

/// The child processes: their starting, their ending, and that none outlives us.
///
/// `reap` is to be called when SIGCHLD has come. A program is started by fork(2) and execve(2); a pipe that execve closes
/// tells whether it runs, so that one that does not exist fails at once and nothing blocks.
package final class Children {
    private let loop: EventLoop
    private let state: ProcessState
    private var children: [ChildProcess] = []
    private var warden: Warden?

    /// How long a program that is to end may take before it is killed.
    private static let grace = Duration.seconds(1)

    /// - Parameter state: what programs are to find, as it was before this program changed anything.
    package init(on loop: EventLoop, state: ProcessState) {
        self.loop = loop
        self.state = state
    }

    /// Whether none is left.
    package var isEmpty: Bool { children.isEmpty }

    /// Starts a program; `completion` is called with it and the way to it, or with what was in the way. The starting is
    /// to be kept until then.
    package func start(
        _ request: ChildRequest, completion: @escaping (Result<(ChildProcess, any Transport), WireFailure>) -> Void
    ) throws(WireFailure) -> ChildStarting {
        do throws(Errno) {
            return try fork(request, completion)
        } catch {
            throw .system(error)
        }
    }

    private func fork(
        _ request: ChildRequest, _ completion: @escaping (Result<(ChildProcess, any Transport), WireFailure>) -> Void
    ) throws(Errno) -> ChildStarting {
        if warden == nil { warden = try Warden() }
        let status = try Descriptor.pipe()
        let ends = try request.hasTerminal ? ChildEnds.terminal(request) : ChildEnds.pipes()
        let arguments = request.command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let parent = getpid()
        let child = c_fork()
        if child == 0 {
            enter(ends, arguments, parent: parent)
            var number = errno
            _ = write(status.writing.number, &number, MemoryLayout<Int32>.size)
            _exit(127)
        }
        guard child > 0 else { throw Errno(rawValue: errno) }
        let transport = ends.transport
        return ChildStarting(child, status: status.takeReadingEnd(), on: loop) { [unowned self] failure in
            if let failure {
                reapNow(child)
                return completion(.failure(failure))
            }
            let process = ChildProcess(number: child)
            if transport.kind == .terminal { process.terminal = transport }
            children.append(process)
            completion(.success((process, transport)))
            // It may have ended before anybody knew of it.
            reap()
        }
    }

    /// Ends the watch over them; to be called when none is left.
    package func end() {
        warden = nil
    }

    /// Looks which have ended.
    package func reap() {
        for child in children where child.ending == nil {
            var cause: Int32 = 0
            var status: Int32 = 0
            guard c_child_has_ended(child.number, &cause, &status) == 1 else { continue }
            child.terminal = nil
            child.ending = cause == CLD_EXITED ? .exited(status) : .killed(signal: status)
            child.whenEnded()
            if child.isReleased { bury(child) }
        }
    }

    /// Ends a program that nobody wants any more: by SIGTERM, and by SIGKILL a second later or when `isForced`. What it
    /// has left in its process group is killed with it.
    package func release(_ child: ChildProcess, isForced: Bool = false) {
        guard !child.isReleased else { return }
        child.isReleased = true
        child.terminal = nil
        guard child.ending == nil else { return bury(child) }
        if isForced {
            kill(-child.number, SIGKILL)
            return
        }
        kill(-child.number, SIGTERM)
        kill(-child.number, SIGCONT)
        child.timer = loop.schedule(after: Self.grace) { kill(-child.number, SIGKILL) }
    }

    private func bury(_ child: ChildProcess) {
        if let timer = child.timer { loop.cancel(timer) }
        kill(-child.number, SIGKILL)
        reapNow(child.number)
        children.removeAll { $0 === child }
    }

    /// Takes the zombie away; it has ended, or ends at once.
    private func reapNow(_ number: pid_t) {
        var status: Int32 = 0
        while waitpid(number, &status, 0) < 0 && errno == EINTR {}
        warden?.strikeOut(number)
    }

    /// Runs in the child: becomes the program. Returns only when that fails, with errno set.
    private func enter(_ ends: ChildEnds, _ arguments: [UnsafeMutablePointer<CChar>?], parent: pid_t) {
        setsid()
        _ = c_die_with_parent(SIGKILL)
        // The parent may have died before that was set.
        if getppid() != parent { _exit(127) }
        if let warden { Warden.enter(getpid(), at: warden.descriptor) }
        if ends.isTerminal { _ = c_take_terminal(ends.input.number) }
        dup2(ends.input.number, 0)
        dup2(ends.output.number, 1)
        dup2(ends.output.number, 2)
        state.restore()
        // All else of ours is closed by execve (O_CLOEXEC), but for what others had left open before us.
        closeInherited()
        if let program = arguments[0] { execvp(program, arguments) }
    }

    /// Marks all descriptors above 2 to be closed by execve (close_range(2), CLOSE_RANGE_CLOEXEC).
    private func closeInherited() {
        _ = c_close_range_on_exec(3, UInt32.max)
    }
}

/// A program that is being started.
package final class ChildStarting: DescriptorWatcher {
    private let child: pid_t
    private let status: Descriptor
    private let loop: EventLoop
    private let completion: (WireFailure?) -> Void

    init(
        _ child: pid_t, status: consuming Descriptor, on loop: EventLoop,
        completion: @escaping (WireFailure?) -> Void
    ) {
        self.child = child
        self.status = status
        self.loop = loop
        self.completion = completion
        loop.watch(self.status.number, read: true, write: false, watcher: self)
    }

    /// Gives it up, as if it had failed.
    package func cancel() {
        kill(child, SIGKILL)
        end(WireFailure(number: ECANCELED))
    }

    package func descriptorIsReadable() {
        var number: Int32 = 0
        let count = read(status.number, &number, MemoryLayout<Int32>.size)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        // execve has closed the pipe: the program runs.
        end(count == 0 ? nil : WireFailure(number: number))
    }

    package func descriptorIsWritable() {}

    private func end(_ failure: WireFailure?) {
        loop.unwatch(status.number)
        completion(failure)
    }
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
        if request.isWithoutEcho {
            var settings = termios()
            tcgetattr(number, &settings)
            settings.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(number, TCSANOW, &settings)
        }
        return ChildEnds(transport: transport, input: terminal, output: terminal, isTerminal: true)
    }
}
