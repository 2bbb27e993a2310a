/// Something that a statement opens and the end of a block may close: a session, a listener, a service, a trigger.
package protocol Resource: AnyObject {
    /// Whether it was neither closed by either side nor replaced.
    var isOpen: Bool { get }
    /// Closes it and records that in the transcript.
    func close()
    /// Discards unread data. Later failures give `reason` as the cause of its loss.
    func discardUnread(_ reason: String)
}

extension Resource {
    package func discardUnread(_ reason: String) {}
}

/// The resources that a block has opened and those it has used, for blocks that clean up after themselves.
///
/// It retains no resource and drops closed ones, because a block may open and close any number.
package final class Holdings {
    /// The holdings of the enclosing block.
    private let outer: Holdings?
    private var opened: [Holding] = []
    /// The resources in the order of first use, and the position of each.
    private var touched: [Holding] = []
    private var places: [ObjectIdentifier: Int] = [:]
    /// The number of entries at which closed resources are removed.
    private var sweepAt = 64

    private struct Holding {
        weak var resource: (any Resource)?

        var isOpen: Bool { resource?.isOpen ?? false }
    }

    package init(outer: Holdings?) {
        self.outer = outer
    }

    /// The resources that the block has opened and that are still open, in the order of opening.
    package var resources: [any Resource] { opened.compactMap(\.resource).filter(\.isOpen) }

    package func open(_ resource: any Resource) {
        opened.append(Holding(resource: resource))
        sweepIfNeeded()
    }

    /// Records that the block sends to the resource or reads from it.
    package func touch(_ resource: any Resource) {
        // The address may now belong to another resource.
        if let place = places[ObjectIdentifier(resource)], touched[place].resource === resource { return }
        places[ObjectIdentifier(resource)] = touched.count
        touched.append(Holding(resource: resource))
        sweepIfNeeded()
    }

    /// Closes the resources that the block has opened.
    package func closeAll() {
        for resource in resources { resource.close() }
        opened = []
    }

    /// Discards the unread data of all resources that the block has used.
    package func discardUnread(_ reason: String) {
        for holding in touched where holding.isOpen { holding.resource?.discardUnread(reason) }
        setTouched([])
    }

    /// Passes the resources to the outer block when this block ends, and returns the outer holdings.
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
