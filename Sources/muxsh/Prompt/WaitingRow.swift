import Engine
import Reactor
import Results
import VM

/// The row below the output while an entry runs: what it waits for, for how long, and how to stop it.
final class WaitingRow {
    private unowned let world: World
    private let obstacle: () -> String?
    /// Whether it is still to be told as a line.
    private var isTold: Bool
    private var timer: Timer?
    private var beganAt: Instant
    /// The wait last seen, and since when.
    private weak var wait: (any Wait)?
    private var waitBegan: Instant

    /// How long an entry may run before it is mentioned, so that what is quick does not flicker.
    private static let patience = Duration.milliseconds(400)

    /// Begins to count: an entry runs from now on. The loop then turns at least once a second.
    ///
    /// - Parameters:
    ///   - isTold: whether the terminal has no row for it, so that it is told as a line.
    ///   - obstacle: returns what the entry waits for before it begins, or nil.
    init(_ world: World, isTold: Bool, obstacle: @escaping () -> String?) {
        self.world = world
        self.isTold = isTold
        self.obstacle = obstacle
        beganAt = world.loop.readClock()
        waitBegan = beganAt
        wake(after: Self.patience)
    }

    private func wake(after time: Duration) {
        timer = world.loop.schedule(after: time) { [unowned self] in
            wake(after: .seconds(1))
            tellOnce()
        }
    }

    /// Where there is no row of its own, what is waited for is told once.
    private func tellOnce() {
        guard isTold, let wanted = parts?.wanted else { return }
        isTold = false
        world.transcript.hint("\(wanted); ^C stops")
    }

    func end() {
        if let timer { world.loop.cancel(timer) }
        timer = nil
    }

    /// Returns the text in a number of columns, with its end; nil while there is nothing to mention.
    func text(in width: Int) -> String? {
        guard let (wanted, time) = parts else { return nil }
        let room = max(8, width - 1 - time.count)
        return (wanted.count > room ? wanted.prefix(room - 1) + "…" : wanted[...]) + time
    }

    private var parts: (wanted: String, time: String)? {
        let now = world.loop.readClock()
        if world.wait !== wait {
            wait = world.wait
            waitBegan = now
        }
        guard now - beganAt >= Self.patience else { return nil }
        if !world.isRunning {
            return obstacle().map { ("waiting for \($0)", ": \(seconds(now - beganAt)) s; ^C gives up") }
        }
        guard let wait else { return ("running", " for \(seconds(now - beganAt)) s; ^C stops") }
        let limit = wait.limit.map { " of \(seconds($0))" } ?? ""
        let wanted = visible(world.diagnostics.hidden(wait.wanted))
        return ("waiting for \(wanted)", ": \(seconds(now - waitBegan))\(limit) s; ^C stops")
    }

    private func seconds(_ duration: Duration) -> String {
        let seconds = duration.inSeconds
        return seconds < 10 && seconds != seconds.rounded() && duration.inSeconds < 1
            ? fixed(seconds, digits: 1) : String(Int(seconds))
    }
}
