import Glibc

/// The terminal: its size, and others that use it for a while.
extension LineEditor {
    /// Handles a change of the terminal's size (SIGWINCH).
    package func resize() {
        // libedit's own screen is invisible and keeps its size.
        guard screen.resize() else { return }
        guard !screen.isPlain else { return screen.finishResize(nil) }
        write("\u{1B}[6n")
        screen.stream.flush()
        if let resizeTimer { loop.cancel(resizeTimer) }
        resizeTimer = loop.schedule(after: Self.reportTime) { [unowned self] in finishResize(nil) }
    }

    func finishResize(_ cursor: (row: Int, column: Int)?) {
        if let resizeTimer { loop.cancel(resizeTimer) }
        resizeTimer = nil
        screen.finishResize(cursor)
    }

    /// Waits for a report of the terminal that is due: it would otherwise be input of another program.
    func awaitReport() {
        while resizeTimer != nil { loop.turn() }
    }

    /// Stops the process as ^Z does, with the terminal restored. Returns when the process continues.
    package func suspend() {
        if pagerPrompt == nil { finishForOthers() } else { screen.withdraw() }
        write(pasteMarks(false))
        screen.stream.flush()
        libedit.setRaw(false)
        kill(getpid(), SIGSTOP)
        takeTerminal()
        hasResumed = true
    }

    /// Leaves the terminal to others, with its usual settings, until `takeBack`: keys are not read.
    package func lend() {
        finishForOthers()
        screen.isLent = true
        write(pasteMarks(false))
        screen.stream.flush()
        libedit.setRaw(false)
        loop.unwatch(STDIN_FILENO)
    }

    /// Leaves the line on the screen, without lists below it.
    private func finishForOthers() {
        awaitReport()
        closeLists()
        guard libedit.isReading else { return screen.withdraw() }
        screen.refresh(finishedScene(of: libedit.line, isHidden: isHiding))
        screen.finishLine()
    }

    package func takeBack() {
        screen.isLent = false
        takeTerminal()
        if !isClosed { loop.watch(STDIN_FILENO, read: true, write: false, watcher: self) }
    }

    /// Takes over the terminal when the process continues after a stop (SIGCONT).
    package func resume() {
        // The SIGCONT that ended `suspend` arrives after the terminal has been taken over.
        if !hasResumed { takeTerminal() }
        hasResumed = false
    }

    private func takeTerminal() {
        // libedit believes the terminal is still raw: switch it off, then on.
        libedit.setRaw(false)
        libedit.setRaw(true)
        write(pasteMarks(true))
        screen.forget()
        resize()
    }
}
