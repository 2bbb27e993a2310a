import Engine
import Glibc
import Reactor
import Results

/// What ends a run before its scripts do: signals, and the limit of its time.
extension Shell {
    /// Takes a signal, whether it was sent to us or a key stands for it.
    func take(_ number: Int32) {
        if handleSignal(number) { return }
        switch number {
        case SIGTERM: interrupted(.terminated)
        case SIGHUP: interrupted(.hangup)
        case SIGINT: interrupted(.interrupted)
        // Before there is a prompt the terminal is as we found it.
        case SIGTSTP: kill(getpid(), SIGSTOP)
        default: break
        }
    }

    /// Catches the signals that end a run or matter at a prompt, before anything is waited for; false when that cannot be.
    func catchSignals() -> Bool {
        let numbers = [SIGINT, SIGTERM, SIGHUP] + (hasPrompt ? [SIGWINCH, SIGTSTP, SIGCONT] : [])
        do {
            signals = try Signals(numbers, on: loop) { [unowned self] in take($0) }
        } catch {
            say("muxsh: cannot wait for signals: \(errorMessage(error.rawValue))\n")
            return false
        }
        if let limit = invocation.maxTime {
            maxTimer = loop.schedule(at: start + limit) { [unowned self] in timeIsOver(limit) }
        }
        return true
    }

    private func interrupted(_ status: Failure.Status) {
        // The second one leaves at once, whatever is still under way.
        if interruption != nil {
            end()
            exit(status.rawValue)
        }
        interruption = status
        let message: String =
            switch status {
            case .interrupted: "interrupted"
            case .terminated: "terminated"
            default: "hung up"
            }
        guard let world, world.isRunning else {
            if world == nil, !waitingText.isEmpty { say("muxsh: \(message)\(waitingText)\n") }
            world?.stop(Failure(status, message))
            return
        }
        world.stop(Failure(status, message + waitingText))
    }

    private func timeIsOver(_ limit: Duration) {
        interruption = .expectation
        let failure = Failure(.expectation, "the run took longer than \(shown(limit))" + waitingText)
        guard let world else { return diagnostics.report(failure) }
        if world.isRunning {
            world.stop(failure)
        } else {
            world.report(failure)
        }
    }

    private var waitingText: String {
        if let path = files.waitsFor ?? awaitedFile {
            let name = path.bytes == [UInt8(ascii: "-")] ? "standard input" : path.shown
            return awaitedFile == nil ? " while reading \(name)" : " while waiting for a reader of \(name)"
        }
        if let wanted = world?.waiting { return " while waiting for \(wanted)" }
        if isDraining { return " while waiting for a reader of the output" }
        guard !endsInput else {
            let names = world?.sessions.all.map(\.name).joined(separator: ", ") ?? ""
            return " while waiting for the end of \(names)"
        }
        return readsInput ? " while waiting for standard input" : ""
    }
}
