/// Something that a statement opens and a block's end may close: a session, a listener, a service, a trigger.
package protocol Resource: AnyObject {
    /// Whether it was closed by neither side nor replaced.
    var isOpen: Bool { get }
    /// Closes it and says so in the transcript.
    func close()
    /// Forgets what has arrived and was not read; `reason` says in later failures why it is gone.
    func discardUnread(_ reason: String)
}

extension Resource {
    package func discardUnread(_ reason: String) {}
}

/// What a block has opened, and what it has talked to: for blocks that clean up behind themselves.
///
/// Nothing is kept alive by it, and what was closed meanwhile is forgotten: a block may open and close any number.
package final class Holdings {
    /// Those of the block around it.
    private let outer: Holdings?
    private var opened: [Holding] = []
    /// In the order in which they were touched first, and where each is.
    private var touched: [Holding] = []
    private var places: [ObjectIdentifier: Int] = [:]
    /// How many there may be before those that are gone are forgotten.
    private var sweepAt = 64

    private struct Holding {
        weak var resource: (any Resource)?

        var isOpen: Bool { resource?.isOpen ?? false }
    }

    package init(outer: Holdings?) {
        self.outer = outer
    }

    /// What the block has opened and is still open, in the order of opening.
    package var resources: [any Resource] { opened.compactMap(\.resource).filter(\.isOpen) }

    package func open(_ resource: any Resource) {
        opened.append(Holding(resource: resource))
        sweepIfNeeded()
    }

    /// The block sends to it or reads from it.
    package func touch(_ resource: any Resource) {
        // An address may be that of another resource now.
        if let place = places[ObjectIdentifier(resource)], touched[place].resource === resource { return }
        places[ObjectIdentifier(resource)] = touched.count
        touched.append(Holding(resource: resource))
        sweepIfNeeded()
    }

    /// Closes what the block has opened.
    package func closeAll() {
        for resource in resources { resource.close() }
        opened = []
    }

    /// Forgets what arrived of all that the block has talked to.
    package func discardUnread(_ reason: String) {
        for holding in touched where holding.isOpen { holding.resource?.discardUnread(reason) }
        setTouched([])
    }

    /// The block is left: what it holds is the outer block's now.
    func handOver() -> Holdings? {
        outer?.opened += opened.filter(\.isOpen)
        for holding in touched { if let resource = holding.resource, resource.isOpen { outer?.touch(resource) } }
        return outer
    }

    private func setTouched(_ holdings: [Holding]) {
        touched = holdings
        places = [:]
        for (place, holding) in holdings.enumerated() {
            if let resource = holding.resource { places[ObjectIdentifier(resource)] = place }
        }
    }

    private func sweepIfNeeded() {
        guard opened.count + touched.count >= sweepAt else { return }
        opened.removeAll { !$0.isOpen }
        setTouched(touched.filter(\.isOpen))
        sweepAt = max(64, 2 * (opened.count + touched.count))
    }
}
