import Engine
import Reactor
import Results
import Script
import VM

/// `expect NAME connections N`: waits until a tunnel has a number of connections.
struct ConnectionsInstruction: Instruction {
    let target: Target
    let count: Value<Int>
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let name = try target.items.first.map { item throws(Failure) in try strand.text(item.template) } ?? ""
        guard case (let tunnel, nil)? = world.tunnel(named: name) else {
            throw Failure(.expectation, "'\(name)' is not a tunnel", range: range)
        }
        let given = try limit?.evaluate(in: strand) ?? world.settings.timeout
        return .wait(
            ConnectionsWait(tunnel, count: try count.evaluate(in: strand), limit: world.settings.scaled(given)))
    }
}

private final class ConnectionsWait: Wait {
    var limit: Duration?
    var queues: [WaitQueue] { [tunnel.waiters] }
    var wanted: String { "\(tunnel.name) to have \(counted(count, "connection"))" }
    private let tunnel: Tunnel
    private let count: Int
    private let time: Duration

    init(_ tunnel: Tunnel, count: Int, limit: Duration) {
        self.tunnel = tunnel
        self.count = count
        self.limit = limit
        time = limit
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if tunnel.connectionCount == count { return true }
        guard tunnel.isOpen else {
            throw Failure(.expectation, "\(tunnel.name) was closed while waiting for \(wanted)")
        }
        guard isLate else { return false }
        throw Failure(
            .expectation, "timed out after \(shown(time)) waiting for \(wanted)",
            details: ["there are \(counted(tunnel.connectionCount, "connection"))"])
    }
}
