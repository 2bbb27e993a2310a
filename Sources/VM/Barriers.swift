/// An arrival at a barrier, which waits for the others.
package protocol Arrival: AnyObject {
    /// Ends the wait; called when enough have arrived.
    func open()
}

/// The barriers of a script, by name: strands wait there until enough of them have arrived.
package final class Barriers {
    private var arrived: [String: [any Arrival]] = [:]

    /// Returns the number of arrivals that wait at a barrier.
    package func count(at name: String) -> Int { arrived[name]?.count ?? 0 }

    /// Adds an arrival at a barrier. If it is the last of `count`, all of them continue.
    package func arrive(_ arrival: any Arrival, at name: String, count: Int) {
        arrived[name, default: []].append(arrival)
        guard let all = arrived[name], all.count >= count else { return }
        arrived[name] = nil
        for arrival in all { arrival.open() }
    }

    /// Removes an arrival that no longer waits.
    package func leave(_ arrival: any Arrival, _ name: String) {
        arrived[name]?.removeAll { $0 === arrival }
    }
}
