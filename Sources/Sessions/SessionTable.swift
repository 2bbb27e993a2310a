import OrderedCollections
import Results
import Script
import Wire

/// A service that listens: it has an address but is not a session.
package protocol Service: AnyObject {
    /// The address at which it listens, as `open` accepts it.
    var location: String { get }
    /// The kind that `list` shows.
    var kind: String { get }
    /// Stops listening.
    func stop()
}

/// The sessions and services of a script, by name, in the order of opening.
package final class SessionTable {
    private var sessions: OrderedDictionary<String, Session> = [:]
    private var services: OrderedDictionary<String, any Service> = [:]
    /// Names that strands are about to use.
    private var reserved: Set<String> = []
    private var numbered = 0
    private var opened = 0

    /// Gets what is opened and closed; nil if no report shows it.
    package var events: Events?
    private let children: Children?

    /// - Parameter children: releases the programs of sessions; nil if there are none.
    package init(children: Children? = nil) {
        self.children = children
    }

    /// All open sessions, in the order of opening.
    package var all: [Session] { Array(sessions.values) }
    /// All services, in the order of starting.
    package var allServices: [(name: String, service: any Service)] { services.map { ($0.key, $0.value) } }

    package subscript(name: String) -> Session? { sessions[name] }

    package func service(named name: String) -> (any Service)? { services[name] }

    /// Returns the next free name of the series s1, s2, …
    package func nextNumberedName() -> String {
        repeat { numbered += 1 } while !isFree("s\(numbered)")
        return "s\(numbered)"
    }

    /// Whether `name` is available: unused, or used only by a session whose peer has ended.
    func isFree(_ name: String) -> Bool {
        if services[name] != nil || reserved.contains(name) { return false }
        guard let former = sessions[name] else { return true }
        return former.inputHasEnded
    }

    /// Throws if `name` is taken.
    package func requireFree(_ name: String) throws(Failure) {
        guard !isFree(name) else { return }
        if let service = services[name] {
            throw Failure(.connection, "'\(name)' is already a \(service.kind); choose another name")
        }
        if reserved.contains(name) {
            throw Failure(.connection, "'\(name)' is being opened by another strand; choose another name")
        }
        throw Failure(.connection, "'\(name)' is still open; close it first: close \(name)")
    }

    /// Reserves a free name for a session that is being opened, until `unreserve`.
    package func reserve(_ name: String) { reserved.insert(name) }

    package func unreserve(_ name: String) { reserved.remove(name) }

    /// Adds a session, replacing an ended one of the same name.
    package func add(_ session: Session) {
        remove(session.name)
        sessions[session.name] = session
        opened += 1
        noteOpening(session)
    }

    package func add(_ service: any Service, named name: String) {
        services[name] = service
        events?.add(.open(session: name, address: service.location, kind: service.kind, former: nil))
    }

    private func noteOpening(_ session: Session, formerly name: String? = nil) {
        let kind = session.child != nil ? "program" : session.listener != nil ? "accepted" : "session"
        events?.add(.open(session: session.name, address: session.address, kind: kind, former: name))
    }

    /// Renames a session.
    package func rename(_ session: Session, to name: String) {
        remove(name)
        let former = session.name
        session.rename(name)
        noteOpening(session, formerly: former)
        // The order of opening is kept.
        sessions = OrderedDictionary(
            uniqueKeysWithValues: sessions.map { ($1 === session ? name : $0, $1) })
    }

    /// Closes and removes the session.
    package func remove(_ name: String, reset: Bool = false) {
        guard let session = sessions.removeValue(forKey: name) else { return }
        close(session, reset: reset)
    }

    private func close(_ session: Session, reset: Bool = false) {
        session.shut(reset: reset)
        events?.add(.close(session: session.name))
        if let child = session.child { children?.release(child, isForced: reset) }
    }

    /// Stops and removes the service.
    package func removeService(_ name: String) {
        guard let service = services.removeValue(forKey: name) else { return }
        service.stop()
        events?.add(.close(session: name))
    }

    /// Closes all sessions and services.
    package func removeAll() {
        for session in sessions.values { close(session) }
        sessions = [:]
        for name in Array(services.keys) { removeService(name) }
    }

    /// The color for the next session (ECMA-48 SGR), readable on dark and light backgrounds: of 256 colors, some with a
    /// contrast of 3.8 or more to black and to white (WCAG 2); otherwise the four that come closest to that.
    package var nextColor: String {
        let colors =
            has256Colors
            ? ["38;5;32", "38;5;166", "38;5;28", "38;5;133", "38;5;30", "38;5;161"] : ["36", "35", "34", "31"]
        return colors[opened % colors.count]
    }

    /// Whether the terminal has 256 colors.
    package var has256Colors = false

    /// Returns the sessions that `text`, a name or a glob, matches now.
    package func matching(_ text: String) -> [Session] {
        guard isGlob(text) else {
            if let session = sessions[text] { return [session] }
            return sessions.values.first { $0.isNamed(text) }.map { [$0] } ?? []
        }
        return sessions.values.filter { globMatches(text, $0.name) }
    }
}
