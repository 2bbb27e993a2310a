import OrderedCollections
import Results
import Script
import Wire

/// Something that listens: it has an address and is no session.
package protocol Service: AnyObject {
    /// Where it listens, as `open` takes it.
    var location: String { get }
    /// What `list` calls it.
    var kind: String { get }
    /// Stops listening.
    func stop()
}

/// The sessions and services of a script, by name, in the order of opening.
package final class SessionTable {
    private var sessions: OrderedDictionary<String, Session> = [:]
    private var services: OrderedDictionary<String, any Service> = [:]
    /// Names that strands are about to give.
    private var reserved: Set<String> = []
    private var numbered = 0
    private var opened = 0

    private let children: Children?

    /// - Parameter children: where the programs behind sessions are released; nil where there are none.
    package init(children: Children? = nil) {
        self.children = children
    }

    /// All open sessions, in the order of opening.
    package var all: [Session] { Array(sessions.values) }
    /// All services, in the order of starting.
    package var allServices: [(name: String, service: any Service)] { services.map { ($0.key, $0.value) } }

    package subscript(name: String) -> Session? { sessions[name] }

    package func service(named name: String) -> (any Service)? { services[name] }

    /// The next name of the series s1, s2, … that is free.
    package func nextNumberedName() -> String {
        repeat { numbered += 1 } while !isFree("s\(numbered)")
        return "s\(numbered)"
    }

    /// Whether `name` can be given: nobody has it, or only a session whose peer has ended.
    func isFree(_ name: String) -> Bool {
        if services[name] != nil || reserved.contains(name) { return false }
        guard let former = sessions[name] else { return true }
        return former.inputHasEnded
    }

    /// Throws when `name` is taken.
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

    /// Keeps a free name for a session that is being opened, until `unreserve`.
    package func reserve(_ name: String) { reserved.insert(name) }

    package func unreserve(_ name: String) { reserved.remove(name) }

    /// Adds a session, in place of an ended one of that name.
    package func add(_ session: Session) {
        remove(session.name)
        sessions[session.name] = session
        opened += 1
    }

    package func add(_ service: any Service, named name: String) {
        services[name] = service
    }

    /// Gives a session another name.
    package func rename(_ session: Session, to name: String) {
        remove(name)
        session.rename(name)
        // The order of opening stays.
        sessions = OrderedDictionary(
            uniqueKeysWithValues: sessions.map { ($1 === session ? name : $0, $1) })
    }

    /// Closes the session and forgets it.
    package func remove(_ name: String, reset: Bool = false) {
        guard let session = sessions.removeValue(forKey: name) else { return }
        close(session, reset: reset)
    }

    private func close(_ session: Session, reset: Bool = false) {
        session.shut(reset: reset)
        if let child = session.child { children?.release(child, isForced: reset) }
    }

    /// Closes the service and forgets it.
    package func removeService(_ name: String) {
        services.removeValue(forKey: name)?.stop()
    }

    /// Closes everything.
    package func removeAll() {
        for session in sessions.values { close(session) }
        for (_, service) in services { service.stop() }
        sessions = [:]
        services = [:]
    }

    /// The colour for the next session (ECMA-48 SGR), readable on dark and on light: of 256 colours some with a
    /// contrast of 3.8 or more to black and to white (WCAG 2), otherwise the four that come nearest to that.
    package var nextColor: String {
        let colors =
            has256Colors
            ? ["38;5;32", "38;5;166", "38;5;28", "38;5;133", "38;5;30", "38;5;161"] : ["36", "35", "34", "31"]
        return colors[opened % colors.count]
    }

    /// Whether the terminal has 256 colours.
    package var has256Colors = false

    /// The sessions that `text`, a name or a glob, means now.
    package func matching(_ text: String) -> [Session] {
        guard isGlob(text) else {
            if let session = sessions[text] { return [session] }
            return sessions.values.first { $0.isNamed(text) }.map { [$0] } ?? []
        }
        return sessions.values.filter { globMatches(text, $0.name) }
    }
}
