import Glibc
import SystemPackage

/// The write end of the pipe, for the signal handler. A signal handler can access only globals; this is the only one in
/// the program. It is a plain integer, set before any handler is installed.
nonisolated(unsafe) private var signalPipe: Int32 = -1

/// Delivers signals as events of the loop: the handler writes the signal number to a pipe that the loop reads.
///
/// Only one instance at a time is allowed. `end()` restores the previous handlers.
package final class Signals: DescriptorWatcher {
    private let loop: EventLoop
    private let reading: Descriptor
    private let writing: Descriptor
    private let deliver: (Int32) -> Void
    private var former: [(signal: Int32, action: sigaction)] = []

    /// Catches `signals` and calls `deliver` with each, from the loop. SIGPIPE is ignored from then on: a write to a
    /// closed pipe returns an error instead.
    package init(_ signals: [Int32], on loop: EventLoop, deliver: @escaping (Int32) -> Void) throws(Errno) {
        let pipe = try Descriptor.pipe()
        reading = pipe.reading
        writing = pipe.writing
        self.loop = loop
        self.deliver = deliver
        signalPipe = writing.number
        signal(SIGPIPE, SIG_IGN)
        for number in signals { install(number) }
        unblock(signals)
        loop.watch(reading.number, read: true, write: false, watcher: self)
    }

    /// Restores the previous handlers and unregisters from the loop.
    package func end() {
        loop.unwatch(reading.number)
        for (number, action) in former {
            var action = action
            sigaction(number, &action, nil)
        }
        former = []
    }

    package func descriptorIsReadable() {
        var numbers = [UInt8](repeating: 0, count: 64)
        let count = read(reading.number, &numbers, numbers.count)
        guard count > 0 else { return }
        for number in numbers.prefix(count) { deliver(Int32(number)) }
    }

    package func descriptorIsWritable() {}

    private func install(_ number: Int32) {
        var action = sigaction()
        var old = sigaction()
        // No SA_RESTART: a signal must end a wait.
        action.__sigaction_handler.sa_handler = { number in
            let saved = errno
            var byte = UInt8(truncatingIfNeeded: number)
            // A signal must not be lost. Only a full pipe needs none: it wakes the loop anyway.
            var tries = 8
            while tries > 0, write(signalPipe, &byte, 1) < 0 { tries -= 1 }
            errno = saved
        }
        guard sigaction(number, &action, &old) == 0 else { return }
        // SIGHUP stays ignored if it was ignored at startup (nohup).
        if number == SIGHUP && old.isIgnored {
            sigaction(number, &old, nil)
            return
        }
        former.append((number, old))
    }

    /// Unblocks `signals`. A process inherits its signal mask, and some parents leave SIGTERM blocked.
    private func unblock(_ signals: [Int32]) {
        var set = sigset_t()
        sigemptyset(&set)
        for number in signals { sigaddset(&set, number) }
        sigprocmask(SIG_UNBLOCK, &set, nil)
    }
}
