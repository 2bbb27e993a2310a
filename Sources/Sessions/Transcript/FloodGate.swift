import Reactor

/// Decides which lines of a session a display shows: a flood is folded, a window of one second at a time.
struct FloodGate {
    private var began: Instant?
    private var shown = 0
    private(set) var folded = 0

    /// The most lines shown in a window.
    static let most = 1000
    static let window = Duration.seconds(1)

    /// Counts a line; returns whether it is shown.
    mutating func admits(at now: Instant) -> Bool {
        guard let began, now - began < Self.window else {
            self.began = now
            shown = 1
            return true
        }
        if shown < Self.most {
            shown += 1
            return true
        }
        folded += 1
        return false
    }

    /// Ends the window; returns how many lines it had and how many of them were folded.
    mutating func end() -> (lines: Int, folded: Int) {
        defer { self = FloodGate() }
        return (shown + folded, folded)
    }
}
