import CPlatform
import Glibc
import Reactor
import SystemPackage

/// A program that we have started, as the leader of its own session and process group.
///
/// Once ended, it stays a zombie until it is released: its process ID, which is also its process group's, is not reused
/// while we may still send signals to it. Its parent is its warden, which reports its end.
package final class ChildProcess: DescriptorWatcher {
    /// How a program ended.
    package enum Ending: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)

        /// The status as a shell reports it: the exit status, or 128 plus the signal number.
        package var status: Int32 {
            switch self {
            case .exited(let status): status
            case .killed(let signal): 128 + signal
            }
        }

        /// `exited with status 1`, `was killed by SIGTERM`.
        package var description: String {
            switch self {
            case .exited(let status): "exited with status \(status)"
            case .killed(let signal): "was killed by \(SignalName.name(of: signal))"
            }
        }
    }

    /// Its process ID (getpid(2)).
    package let number: pid_t
    /// How it ended, or nil while it runs.
    package private(set) var ending: Ending?
    /// Called once it has ended.
    package var onExit: () -> Void = {}
    /// Its terminal, held open until it has ended or is released. A program may close the terminal and run on for a
    /// moment; a hangup would then kill it with SIGHUP (pty(7)).
    var terminal: (any Transport)?
    /// Whether it is no longer needed and is to end.
    var isReleased = false
    /// Whether nothing of it is left.
    private var isGone = false
    let warden: pid_t
    private var report: SharedDescriptor?
    private weak var loop: EventLoop?
    private var onHangup: () -> Void = {}

    init(number: pid_t, warden: pid_t) {
        self.number = number
        self.warden = warden
    }

    /// Receives the warden's reports; calls `onHangup` when nothing of the program is left.
    func listen(to report: SharedDescriptor, on loop: EventLoop, onHangup: @escaping () -> Void) {
        self.report = report
        self.loop = loop
        self.onHangup = onHangup
        loop.watch(report.number, read: true, write: false, watcher: self)
    }

    package func descriptorIsReadable() {
        guard let report else { return }
        switch readReport(from: report.number) {
        case .nothing, .report(.running), .report(.failed): return
        case .report(.ended(let ending)): end(ending)
        case .gone:
            loop?.unwatch(report.number)
            self.report = nil
            // Where its report cannot be read, the warden may still run.
            kill(warden, SIGKILL)
            reap(warden)
            // From here on, its process ID and its warden's may be reused.
            (isReleased, isGone) = (true, true)
            // The warden was killed, and the program died with it.
            if ending == nil { end(.killed(signal: SIGKILL)) }
            onHangup()
        }
    }

    package func descriptorIsWritable() {}

    private func end(_ ending: Ending) {
        guard self.ending == nil else { return }
        terminal = nil
        self.ending = ending
        onExit()
    }

    /// Sends a signal to the program, or to its process group (kill(2)); does nothing once the target has ended.
    package func send(signal: Int32, toGroup: Bool = false) {
        guard !isGone, ending == nil || toGroup else { return }
        kill(toGroup ? -number : number, signal)
    }
}

/// The names of signals (signal(7)).
package enum SignalName {
    /// The names that libc uses (sigabbrev_np(3)), by number.
    private static let names: [(name: String, number: Int32)] = (1...64).compactMap { number in
        c_sigabbrev(number).map { (String(cString: $0), number) }
    }

    /// The names, without SIG.
    package static var all: [String] { names.map(\.name) }

    /// `SIGTERM` for 15; `signal 40` for one without a name.
    package static func name(of number: Int32) -> String {
        names.first { $0.number == number }.map { "SIG" + $0.name } ?? "signal \(number)"
    }

    /// Returns the number of `TERM`, `SIGTERM` or `15`; nil if there is no such signal.
    package static func number(of text: String) -> Int32? {
        if let number = Int32(text) { return (1...64).contains(number) ? number : nil }
        let name = text.hasPrefix("SIG") ? String(text.dropFirst(3)) : text
        // Other systems use the name IO for POLL.
        return name == "IO" ? SIGIO : names.first { $0.name == name }?.number
    }
}
