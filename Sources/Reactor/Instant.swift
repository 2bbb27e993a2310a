import Glibc

/// A point on the monotonic clock, in nanoseconds (clock_gettime(2), CLOCK_MONOTONIC).
package struct Instant: Comparable, Sendable {
    /// Nanoseconds since the origin of the clock.
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Returns the instant `duration` later, clamped to the range of the clock.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return Instant(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// Returns the time from `earlier` to `later`.
    package static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds - earlier.nanoseconds)
    }
}

extension Duration {
    /// The whole nanoseconds in this duration, clamped to the range of `Int64`.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? .max : sum
    }

    /// This duration in seconds, for display.
    package var inSeconds: Double {
        Double(nanoseconds) / 1e9
    }
}

/// A source of time: the monotonic clock, or a manually advanced one in tests.
package struct Clock {
    /// Returns the current instant.
    package let now: () -> Instant

    package init(now: @escaping () -> Instant) {
        self.now = now
    }

    /// The monotonic clock of the system.
    package static var monotonic: Clock {
        Clock {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
        }
    }
}
