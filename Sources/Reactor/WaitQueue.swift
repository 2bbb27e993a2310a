/// Waits for changes, and looks again when it is woken.
package protocol Waiter: AnyObject {
    /// Something has changed that it may be waiting for.
    func wake()
    /// What messages call it.
    var title: String { get }
}

/// The waiters for changes of one thing. At most one of them reads: a reader takes what has changed.
///
/// The queue holds its waiters until they are removed.
package final class WaitQueue {
    /// The waiter that reads, or nil.
    package private(set) var reader: (any Waiter)?
    private var others: [any Waiter] = []
    /// What messages call the thing.
    package var title: String

    package init(title: String) {
        self.title = title
    }

    /// Adds `waiter` until `remove`; as the reader there must be no other.
    package func add(_ waiter: any Waiter, isReader: Bool) {
        if isReader { reader = waiter } else { others.append(waiter) }
    }

    package func remove(_ waiter: any Waiter) {
        if reader === waiter { reader = nil }
        others.removeAll { $0 === waiter }
    }

    /// Wakes all of them: the reader first, the others in the order in which they came.
    package func wakeAll() {
        reader?.wake()
        for waiter in others { waiter.wake() }
    }
}
