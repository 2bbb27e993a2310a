import Engine
import Reactor
import Sessions
import VM

/// Wakes a wait when a silence ends: no event marks its end, so it needs a timer.
final class SilenceTimer {
    private let loop: EventLoop
    private var timer: Timer?

    init(on loop: EventLoop) {
        self.loop = loop
    }

    /// Wakes `strand` at the end of the first silence that is awaited.
    func schedule(for all: [Awaited], _ strand: Strand) {
        cancel()
        let due = all.compactMap { ($0.matcher as? any AwaitsSilence)?.due }.filter { $0 > loop.now }.min()
        guard let due else { return }
        timer = loop.schedule(at: due) { [weak strand] in strand?.wake() }
    }

    func cancel() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }
}
