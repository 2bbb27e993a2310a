import Reactor
import Results
import VM
import Wire

/// What `fault` applies to: a tunnel or a bridge with a name.
package protocol FaultTarget: AnyObject {
    var isDatagram: Bool { get }
    /// Whether it accepts connections, so that they can be refused.
    var accepts: Bool { get }
    /// Sets a fault for one connection, or for all and those that come later; takes it back after a time, if given.
    func set(_ fault: Fault, _ ways: [Way], connection: Int?, for time: Duration?)
    /// Takes faults back.
    func remove(_ kinds: [Fault.Kind], _ ways: [Way], connection: Int?)
}

/// A bridge with a name, as long as it lasts.
package final class NamedBridge: FaultTarget {
    package let name: String
    package let isDatagram = false
    package let accepts = false
    /// Wakes the strand of the bridge.
    package var wake: () -> Void = {}
    private let flows: [Way: Flow]
    private var timers: [Int: Timer] = [:]
    private var timerCount = 0
    private unowned let world: World

    fileprivate init(_ name: String, in world: World) {
        self.name = name
        self.world = world
        flows = Dictionary(
            uniqueKeysWithValues: Way.allCases.map { way in
                (way, Flow(isDatagram: false, limit: world.settings.inboxLimit, random: world.randomShare))
            })
    }

    /// Its faults, for people: empty without any.
    package var faultText: String {
        Way.allCases.flatMap { way in (flows[way]?.kinds ?? []).map { "\(way.rawValue) \($0.rawValue)" } }
            .joined(separator: ", ")
    }

    package func flow(_ way: Way) -> Flow? { flows[way] }

    package func set(_ fault: Fault, _ ways: [Way], connection: Int?, for time: Duration?) {
        for way in ways { flows[way]?.set(fault, at: world.loop.readClock()) }
        wake()
        guard let time else { return }
        timerCount += 1
        timers[timerCount] = world.loop.schedule(after: time) { [unowned self, key = timerCount] in
            timers[key] = nil
            world.transcript.note("\(name): fault \(fault.kind.rawValue) is over")
            remove([fault.kind], ways, connection: nil)
        }
    }

    package func remove(_ kinds: [Fault.Kind], _ ways: [Way], connection: Int?) {
        for way in ways { for kind in kinds { flows[way]?.remove(kind) } }
        wake()
    }

    /// Ends with the bridge: the name is free again.
    package func end() {
        for timer in timers.values { world.loop.cancel(timer) }
        timers = [:]
        world.bridges[name] = nil
    }
}

extension World {
    /// Returns a new bridge with a name; throws if the name is taken.
    package func bridge(named name: String) throws(Failure) -> NamedBridge {
        try sessions.requireFree(name)
        guard bridges[name] == nil else {
            throw Failure(.connection, "'\(name)' is already a bridge; choose another name")
        }
        let bridge = NamedBridge(name, in: self)
        bridges[name] = bridge
        return bridge
    }

    /// Returns a random number from 0 up to 1.
    func randomShare() -> Double { Double(random.next()) / 4_294_967_296 }

    /// Returns the tunnel or bridge that a name means, and the number of the connection if it is that of one.
    package func faultTarget(named text: String) -> (target: any FaultTarget, connection: Int?)? {
        if let bridge = bridges[text] { return (bridge, nil) }
        return tunnel(named: text).map { ($0.tunnel, $0.connection) }
    }
}
