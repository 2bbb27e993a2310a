import Engine
import Reactor
import Results
import VM

/// The row below the output while an entry runs: what it waits for, for how long, and how to stop it.
final class WaitingRow {
    private unowned let world: World
    private let obstacle: () -> String?
    private var timer: Timer?
    private var beganAt: Instant
    /// The wait last seen, and since when.
    private weak var wait: (any Wait)?
    private var waitBegan: Instant

    /// How long an entry may run before it is mentioned, so that what is quick does not flicker.
    private static let patience = Duration.milliseconds(400)

    /// Begins to count: an entry runs from now on. The loop then turns at least once a second.
    ///
    /// - Parameter obstacle: returns what the entry waits for before it begins, or nil.
    init(_ world: World, obstacle: @escaping () -> String?) {
        self.world = world
        self.obstacle = obstacle
        beganAt = world.loop.readClock()
        waitBegan = beganAt
        wake(after: Self.patience)
    }

    private func wake(after time: Duration) {
        timer = world.loop.schedule(after: time) { [unowned self] in wake(after: .seconds(1)) }
    }

    func end() {
        if let timer { world.loop.cancel(timer) }
        timer = nil
    }

    /// The text; nil while there is nothing to mention.
    var text: String? {
        let now = world.loop.readClock()
        if world.wait !== wait {
            wait = world.wait
            waitBegan = now
        }
        guard now - beganAt >= Self.patience else { return nil }
        if !world.isRunning {
            return obstacle().map { "waiting for \($0): \(seconds(now - beganAt)) s; ^C gives up" }
        }
        guard let wait else { return "running for \(seconds(now - beganAt)) s; ^C stops" }
        let limit = wait.limit.map { " of \(seconds($0))" } ?? ""
        let wanted = visible(world.diagnostics.hidden(wait.wanted))
        return "waiting for \(wanted): \(seconds(now - waitBegan))\(limit) s; ^C stops"
    }

    private func seconds(_ duration: Duration) -> String {
        let seconds = duration.inSeconds
        return seconds < 10 && seconds != seconds.rounded() && duration.inSeconds < 1
            ? fixed(seconds, digits: 1) : String(Int(seconds))
    }
}
