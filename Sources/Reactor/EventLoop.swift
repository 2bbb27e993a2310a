import Glibc
import SystemPackage

/// Is notified when its descriptor can be read or written.
package protocol DescriptorWatcher: AnyObject {
    /// Called when a read will not block: there is data, an end of stream, an error or a connection to accept.
    func descriptorIsReadable()
    /// Called when a write will not block or a connection attempt has ended.
    func descriptorIsWritable()
}

/// The event loop of the program: `turn()` waits in select(2) for descriptors and timers, then notifies their owners.
///
/// Everything that waits registers here. The loop keeps its watchers alive until `unwatch`. A turn dispatches
/// descriptors before timers, so data that has already arrived wins over a deadline that has just passed.
package final class EventLoop {
    private let clock: Clock
    private var readInterest = DescriptorSet()
    private var writeInterest = DescriptorSet()
    private var readReady = DescriptorSet()
    private var writeReady = DescriptorSet()
    private var watchers: [(any DescriptorWatcher)?] = []
    private var descriptorLimit: Int32 = 0
    private var timers = Timers()
    private var wantsImmediateTurn = false
    /// The number of consecutive turns that have postponed due timers in favor of ready descriptors.
    private var postponements = 0
    private static let maxPostponements = 8
    /// Descriptors that are readable although select(2) does not report them.
    private var marked = DescriptorSet()

    /// The instant at which the current turn began to dispatch. It is cheap to read and the same for all callbacks.
    package private(set) var now: Instant

    package init(clock: Clock = .monotonic) {
        self.clock = clock
        now = clock.now()
    }

    /// Sets the events of `descriptor` that `watcher` is notified of; with neither, it stays registered but silent.
    package func watch(_ descriptor: Int32, read: Bool, write: Bool, watcher: any DescriptorWatcher) {
        let index = Int(descriptor)
        if index >= watchers.count {
            watchers.append(contentsOf: repeatElement(nil, count: index + 1 - watchers.count))
        }
        watchers[index] = watcher
        setInterest(descriptor, read: read, write: write)
    }

    /// Unregisters `descriptor`. Call it before closing the descriptor. Does nothing if it was never watched.
    package func unwatch(_ descriptor: Int32) {
        guard watchers.indices.contains(Int(descriptor)) else { return }
        setInterest(descriptor, read: false, write: false)
        watchers[Int(descriptor)] = nil
        marked.remove(descriptor)
    }

    /// Makes the next turn report `descriptor` as readable, if it is watched for reading. Its data has already been
    /// read and is buffered where select(2) does not see it.
    package func markReadable(_ descriptor: Int32) {
        marked.insert(descriptor)
        wantsImmediateTurn = true
    }

    /// Schedules one call of `action` after `duration`.
    package func schedule(after duration: Duration, action: @escaping () -> Void) -> Timer {
        schedule(at: clock.now() + duration, action: action)
    }

    /// Schedules one call of `action` at `deadline`.
    package func schedule(at deadline: Instant, action: @escaping () -> Void) -> Timer {
        timers.add(deadline: deadline, action: action)
    }

    /// Cancels a timer. Does nothing if it has already fired.
    package func cancel(_ timer: Timer) {
        timers.cancel(timer)
    }

    /// Reads the clock, for measurements; `now` is sufficient for deadlines within a turn.
    package func readClock() -> Instant {
        clock.now()
    }

    /// Makes the next turn poll instead of waiting, because there is work that select(2) cannot see.
    package func requestImmediateTurn() {
        wantsImmediateTurn = true
    }

    /// Waits until something is ready or due, then dispatches it. This is the only call in the program that blocks.
    ///
    /// A signal ends the wait early and is reported by its own descriptor. If `mayBlock` is false, this only polls.
    package func turn(mayBlock: Bool = true) {
        let poll = wantsImmediateTurn || !mayBlock
        wantsImmediateTurn = false
        let count = wait(limit: poll ? .zero : timeUntilEarliestTimer())
        now = clock.now()
        if count < 0 {
            // After a failure the contents of the sets are meaningless.
            readReady.removeAll()
            writeReady.removeAll()
        }
        let isReady = takeMarked() || count > 0
        if isReady { dispatchDescriptors() }
        if isReady || count < 0, postponements < Self.maxPostponements, let earliest = timers.earliest, earliest <= now
        {
            // Arrived data takes precedence over an expired limit. After the process was stopped, both are due
            // simultaneously, and the signal that continues it ends the wait before any descriptor has been checked.
            postponements += 1
            wantsImmediateTurn = true
            return
        }
        postponements = 0
        dispatchTimers()
    }

    /// Adds the marked descriptors to the ready set. Returns whether any were added.
    private func takeMarked() -> Bool {
        var isAny = false
        while let descriptor = marked.highest {
            marked.remove(descriptor)
            guard readInterest.contains(descriptor) else { continue }
            readReady.insert(descriptor)
            isAny = true
        }
        return isAny
    }

    private func timeUntilEarliestTimer() -> Duration? {
        guard let earliest = timers.earliest else { return nil }
        return max(.zero, earliest - clock.now())
    }

    private func wait(limit: Duration?) -> Int32 {
        let wordCount = max(readInterest.wordCount, writeInterest.wordCount)
        readReady.copy(readInterest, wordCount: wordCount)
        writeReady.copy(writeInterest, wordCount: wordCount)
        var time = timeval()
        if let limit {
            // Rounded up: waking a fraction early would only cost another turn of the loop.
            let microseconds = (limit.nanoseconds.clamped(to: 0...Self.longestWait) + 999) / 1000
            time = timeval(tv_sec: Int(microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000))
        }
        let count = withUnsafeMutablePointer(to: &time) { time in
            readReady.withDescriptorSet { read in
                writeReady.withDescriptorSet { write in
                    select(descriptorLimit, read, write, nil, limit == nil ? nil : time)
                }
            }
        }
        if count < 0 && errno == EBADF { forgetClosedDescriptors() }
        return count
    }

    /// One day in nanoseconds. A longer wait ends after this time and begins again.
    private static let longestWait: Int64 = 86_400_000_000_000

    private func dispatchDescriptors() {
        var next = readReady.next(from: 0)
        while let descriptor = next {
            // An earlier watcher in this turn may have removed this one.
            if readReady.contains(descriptor) { watchers[Int(descriptor)]?.descriptorIsReadable() }
            next = readReady.next(from: descriptor + 1)
        }
        next = writeReady.next(from: 0)
        while let descriptor = next {
            if writeReady.contains(descriptor) { watchers[Int(descriptor)]?.descriptorIsWritable() }
            next = writeReady.next(from: descriptor + 1)
        }
    }

    private func dispatchTimers() {
        // Only actions due at this instant: one that reschedules itself for now runs in the next turn.
        while let action = timers.takeDue(at: now) { action() }
    }

    private func setInterest(_ descriptor: Int32, read: Bool, write: Bool) {
        if read {
            readInterest.insert(descriptor)
        } else {
            readInterest.remove(descriptor)
            readReady.remove(descriptor)
        }
        if write {
            writeInterest.insert(descriptor)
        } else {
            writeInterest.remove(descriptor)
            writeReady.remove(descriptor)
        }
        if read || write {
            descriptorLimit = max(descriptorLimit, descriptor + 1)
        } else if descriptor + 1 == descriptorLimit {
            descriptorLimit = max(readInterest.highest ?? -1, writeInterest.highest ?? -1) + 1
        }
    }

    /// Drops descriptors that were closed while they were watched: with one of them select(2) would always fail.
    private func forgetClosedDescriptors() {
        for descriptor in 0..<Int32(watchers.count) where watchers[Int(descriptor)] != nil {
            if fcntl(descriptor, F_GETFD) < 0 { unwatch(descriptor) }
        }
    }
}

extension Comparable {
    /// Returns the nearest value within `range`.
    package func clamped(to range: ClosedRange<Self>) -> Self {
        min(max(self, range.lowerBound), range.upperBound)
    }
}
