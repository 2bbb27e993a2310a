/// Waits for changes and checks again when it is woken.
package protocol Waiter: AnyObject {
    /// Called when something has changed that it may be waiting for.
    func wake()
    /// Its name in messages.
    var title: String { get }
}

/// The waiters for changes of one object. At most one of them reads, because a reader consumes what has changed.
///
/// The queue retains its waiters until they are removed.
package final class WaitQueue {
    /// The waiter that reads, or nil.
    package private(set) var reader: (any Waiter)?
    private var others: [any Waiter] = []
    /// The name of the object in messages.
    package var title: String

    package init(title: String) {
        self.title = title
    }

    /// Adds `waiter` until `remove`. A reader requires that there is no other reader.
    package func add(_ waiter: any Waiter, isReader: Bool) {
        if isReader { reader = waiter } else { others.append(waiter) }
    }

    package func remove(_ waiter: any Waiter) {
        if reader === waiter { reader = nil }
        others.removeAll { $0 === waiter }
    }

    /// Wakes all waiters: the reader first, the others in the order in which they were added.
    package func wakeAll() {
        reader?.wake()
        for waiter in others { waiter.wake() }
    }
}
