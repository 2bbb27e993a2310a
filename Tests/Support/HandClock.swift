import Reactor

/// A clock that stops until a test advances it.
package final class HandClock {
    package private(set) var now = Instant(nanoseconds: 1_000_000_000)

    package init() {}

    package var clock: Clock { Clock { self.now } }

    package func advance(by duration: Duration) {
        now = now + duration
    }
}
