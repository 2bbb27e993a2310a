import Reactor

/// A clock that stands still until a test moves it.
package final class HandClock {
    package private(set) var now = Instant(nanoseconds: 1_000_000_000)

    package init() {}

    package var clock: Clock { Clock { self.now } }

    package func advance(by duration: Duration) {
        now = now + duration
    }
}
