/// A deadline with an action, created by `EventLoop.schedule`.
package final class Timer {
    /// The instant at which it is due.
    package let deadline: Instant
    fileprivate let order: UInt64
    fileprivate var action: (() -> Void)?
    /// The position in the heap, or nil if the timer has fired or was canceled.
    fileprivate var place: Int?

    fileprivate init(deadline: Instant, order: UInt64, action: @escaping () -> Void) {
        self.deadline = deadline
        self.order = order
        self.action = action
    }

    /// Whether it has neither fired nor been canceled.
    package var isPending: Bool { place != nil }

    fileprivate func isBefore(_ other: Timer) -> Bool {
        deadline == other.deadline ? order < other.order : deadline < other.deadline
    }
}

/// The pending timers, earliest first. Equal deadlines fire in the order in which they were set.
///
/// A binary heap whose entries know their position, so a canceled timer is removed immediately: a script that waits
/// twenty thousand times with a limit of five seconds holds one timer, not twenty thousand.
struct Timers {
    private var heap: [Timer] = []
    private var scheduled: UInt64 = 0

    /// The earliest deadline, or nil.
    var earliest: Instant? { heap.first?.deadline }

    mutating func add(deadline: Instant, action: @escaping () -> Void) -> Timer {
        scheduled += 1
        let timer = Timer(deadline: deadline, order: scheduled, action: action)
        timer.place = heap.count
        heap.append(timer)
        moveUp(from: heap.count - 1)
        return timer
    }

    mutating func cancel(_ timer: Timer) {
        guard let place = timer.place else { return }
        timer.place = nil
        timer.action = nil
        let last = heap.removeLast()
        guard place < heap.count else { return }
        heap[place] = last
        last.place = place
        moveUp(from: place)
        moveDown(from: last.place ?? place)
    }

    /// Removes the earliest timer if it is due and returns its action.
    mutating func takeDue(at now: Instant) -> (() -> Void)? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let action = first.action
        cancel(first)
        return action
    }

    private mutating func moveUp(from start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard heap[place].isBefore(heap[parent]) else { return }
            exchange(place, parent)
            place = parent
        }
    }

    private mutating func moveDown(from start: Int) {
        var place = start
        while true {
            var smallest = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count {
                if heap[child].isBefore(heap[smallest]) { smallest = child }
            }
            guard smallest != place else { return }
            exchange(place, smallest)
            place = smallest
        }
    }

    private mutating func exchange(_ left: Int, _ right: Int) {
        heap.swapAt(left, right)
        heap[left].place = left
        heap[right].place = right
    }
}
