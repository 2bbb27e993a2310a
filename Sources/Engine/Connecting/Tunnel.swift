import OrderedCollections
import Reactor
import Results
import Sessions
import Sockets
import VM
import Wire

/// A tunnel of a script: relays each connection to a server, with the faults of a bad network.
package final class Tunnel: Service, Resource, FaultTarget {
    package let kind = "tunnel"
    package let name: String
    private let listener: any Acceptor
    private let target: Address
    /// The handshakes with clients.
    private let handshakes: AcceptedHandshakes
    /// The context of the clients' side, or nil without TLS.
    private let serverContext: TLSContext?
    /// The context towards the server, or nil without TLS.
    private let clientContext: TLSContext?
    /// The open connections by number.
    private var connections: OrderedDictionary<Int, Relayed> = [:]
    private var count = 0
    /// The faults for connections that come later.
    private var faults: [(fault: Fault, way: Way)] = []
    private var isHanging = false
    /// The timers that take faults back.
    private var faultTimers: [Int: Timer] = [:]
    private var timerCount = 0
    /// Wakes those who wait for a number of connections.
    package let waiters: WaitQueue
    private unowned let world: World

    /// A connection with what it needs until it reaches the server.
    private final class Relayed {
        let connection: TunnelConnection
        var dialer: Dialer?
        var isHung = false

        init(_ connection: TunnelConnection) { self.connection = connection }
    }

    package init(
        name: String, listener: any Acceptor, to target: Address, serverContext: TLSContext?,
        clientContext: TLSContext?, _ world: World
    ) {
        self.name = name
        self.listener = listener
        self.target = target
        handshakes = AcceptedHandshakes(world)
        self.serverContext = serverContext
        self.clientContext = clientContext
        self.world = world
        waiters = WaitQueue(title: name)
        listener.onExhaustion = { [unowned self] in note("out of file descriptors; new connections wait") }
        listener.onConnection { [unowned self] transport, peer in accept(transport, from: peer) }
    }

    package var location: String {
        (serverContext != nil ? "tls://" : target.isUDP ? "udp://" : "") + listener.address.description
    }
    /// Where it leads, as written.
    package var destination: String { target.description }
    package var isOpen: Bool { world.sessions.service(named: name) === self }
    package var isDatagram: Bool { target.isUDP }
    package let accepts = true

    package func close() { world.close(self, named: name) }

    package func stop() {
        listener.close()
        handshakes.cancel()
        for timer in faultTimers.values { world.loop.cancel(timer) }
        faultTimers = [:]
        for number in Array(connections.keys) { connections[number]?.connection.close(reset: false, because: "closed") }
        waiters.wakeAll()
    }

    // MARK: Connections

    /// The number of connections.
    package var connectionCount: Int { connections.count }

    /// The connections for `list` and `show`.
    package var rows: [(name: String, peer: String, up: Int, down: Int, faults: String)] {
        connections.map { number, relayed in
            let connection = relayed.connection
            return (
                "\(name).\(number)", connection.peer, connection.delivered(.up), connection.delivered(.down),
                Self.described(Way.allCases.map { ($0, connection.faults($0)) })
            )
        }
    }

    /// The faults for later connections, for people.
    package var faultText: String {
        let kinds = Way.allCases.map { way in (way, faults.filter { $0.way == way }.map(\.fault.kind)) }
        return Self.described(kinds) + (isHanging ? " hang" : "")
    }

    private static func described(_ kinds: [(Way, [Fault.Kind])]) -> String {
        if kinds.allSatisfy({ $0.1 == kinds[0].1 }) { return kinds[0].1.map(\.rawValue).joined(separator: " ") }
        return kinds.flatMap { way, kinds in kinds.map { "\(way.rawValue) \($0.rawValue)" } }.joined(separator: ", ")
    }

    /// Closes a connection, by its name; false if there is none.
    package func closeConnection(named text: String, reset: Bool) -> Bool {
        guard let relayed = number(of: text).flatMap({ connections[$0] }) else { return false }
        if reset {
            relayed.connection.close(reset: true, because: "reset")
        } else {
            relayed.connection.leave(because: "closed")
        }
        return true
    }

    /// Returns the number of the connection with a name; nil if there is none.
    package func number(of text: String) -> Int? {
        guard text.hasPrefix(name + "."), let number = Int(text.dropFirst(name.count + 1)) else { return nil }
        return connections[number] == nil ? nil : number
    }

    private func accept(_ transport: any Transport, from peer: String) {
        let steps = serverContext.map { [HandshakeList.Step.tls($0, host: "", ticket: nil)] } ?? []
        handshakes.perform(steps, over: transport, from: peer) { [unowned self] outcome, problem in
            guard let outcome else { return note(problem) }
            relay(outcome.transport, from: peer)
        }
    }

    private func relay(_ transport: any Transport, from peer: String) {
        count += 1
        let number = count
        let connection = TunnelConnection(
            client: transport, peer: peer, limit: world.settings.inboxLimit,
            random: { [unowned world] in world.randomShare() }, on: world.loop)
        let relayed = Relayed(connection)
        connections[number] = relayed
        for (fault, way) in faults { connection.set(fault, way) }
        connection.onEnd = { [unowned self] reason in ended(number, reason) }
        note("\(name).\(number)", "connected from \(peer)")
        world.events?.add(.open(session: "\(name).\(number)", address: peer, kind: "relayed", former: nil))
        relayed.isHung = isHanging
        if !isHanging { dial(relayed, number) }
        waiters.wakeAll()
    }

    private func dial(_ relayed: Relayed, _ number: Int) {
        let dialer = Dialer(Dialer.Route(to: target, context: clientContext), on: world.loop) { [unowned self] result in
            relayed.dialer = nil
            switch result {
            case .success(let connection):
                relayed.connection.connect(connection.transport, peer: connection.address.description)
            case .failure(let error):
                note("\(name).\(number)", "cannot connect to \(destination): \(error.message)")
                relayed.connection.close(reset: true, because: "reset")
            }
        }
        relayed.dialer = dialer
        dialer.start()
    }

    private func ended(_ number: Int, _ reason: String) {
        guard let relayed = connections.removeValue(forKey: number) else { return }
        relayed.dialer?.cancel()
        let connection = relayed.connection
        note(
            "\(name).\(number)",
            "\(reason); \(shown(bytes: connection.delivered(.up))) up, \(shown(bytes: connection.delivered(.down))) down"
        )
        world.events?.add(.close(session: "\(name).\(number)"))
        waiters.wakeAll()
    }

    private func note(_ text: String) { note(name, text) }
    private func note(_ name: String, _ text: String) { world.transcript.note("\(name): \(text)") }

    // MARK: Faults

    package func set(_ fault: Fault, _ ways: [Way], connection: Int?, for time: Duration?) {
        apply(fault, ways, connection)
        guard let time else { return }
        timerCount += 1
        let key = timerCount
        faultTimers[key] = world.loop.schedule(after: time) { [unowned self] in
            faultTimers[key] = nil
            note(connection.map { "\(name).\($0)" } ?? name, "fault \(fault.kind.rawValue) is over")
            remove([fault.kind], ways, connection: connection)
        }
    }

    private func apply(_ fault: Fault, _ ways: [Way], _ connection: Int?) {
        switch fault.kind {
        case .refuse: (listener as? Listener)?.refuse(true)
        case .hang: isHanging = true
        default:
            if connection == nil {
                faults.removeAll { $0.fault.kind == fault.kind && ways.contains($0.way) }
                // A cut or reset of now is not for those that come later.
                if !fault.isOfNow { faults += ways.map { (fault, $0) } }
            }
            for relayed in affected(connection) { for way in ways { relayed.connection.set(fault, way) } }
        }
    }

    package func remove(_ kinds: [Fault.Kind], _ ways: [Way], connection: Int?) {
        if connection == nil {
            faults.removeAll { kinds.contains($0.fault.kind) && ways.contains($0.way) }
            if kinds.contains(.refuse) { (listener as? Listener)?.refuse(false) }
            if kinds.contains(.hang), isHanging { resumeHung() }
        }
        for relayed in affected(connection) {
            for kind in kinds { for way in ways { relayed.connection.remove(kind, way) } }
        }
    }

    /// Connects the connections that were left alone.
    private func resumeHung() {
        isHanging = false
        for (number, relayed) in connections where relayed.isHung {
            relayed.isHung = false
            dial(relayed, number)
        }
    }

    private func affected(_ connection: Int?) -> [Relayed] {
        guard let connection else { return Array(connections.values) }
        return connections[connection].map { [$0] } ?? []
    }
}

extension Fault {
    /// Whether it only ends the connections that there are now.
    fileprivate var isOfNow: Bool { self == .cut(after: 0) || self == .reset(after: 0) }
}

extension World {
    /// Returns the tunnel and the number of the connection that a name means; nil if there is none. A tunnel's own name
    /// has no number.
    package func tunnel(named text: String) -> (tunnel: Tunnel, connection: Int?)? {
        if let tunnel = sessions.service(named: text) as? Tunnel { return (tunnel, nil) }
        for case (_, let tunnel as Tunnel) in sessions.allServices {
            if let number = tunnel.number(of: text) { return (tunnel, number) }
        }
        return nil
    }
}
