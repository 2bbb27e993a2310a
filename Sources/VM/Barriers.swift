/// Has come to a barrier, and waits for the others.
package protocol Arrival: AnyObject {
    /// Enough have come: it goes on.
    func open()
}

/// The barriers of a script, by name: strands that wait until enough of them have come.
package final class Barriers {
    private var arrived: [String: [any Arrival]] = [:]

    /// How many wait there.
    package func count(at name: String) -> Int { arrived[name]?.count ?? 0 }

    /// One more has come to a barrier: when it is the last of `count`, all go on.
    package func arrive(_ arrival: any Arrival, at name: String, count: Int) {
        arrived[name, default: []].append(arrival)
        guard let all = arrived[name], all.count >= count else { return }
        arrived[name] = nil
        for arrival in all { arrival.open() }
    }

    /// It waits there no longer.
    package func leave(_ arrival: any Arrival, _ name: String) {
        arrived[name]?.removeAll { $0 === arrival }
    }
}
