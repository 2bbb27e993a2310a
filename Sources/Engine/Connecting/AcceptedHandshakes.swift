import Reactor
import Results
import Wire

/// The handshakes of accepted connections, each list with a time limit.
final class AcceptedHandshakes {
    private var running: [ObjectIdentifier: (list: HandshakeList, timer: Timer)] = [:]
    private unowned let world: World

    init(_ world: World) {
        self.world = world
    }

    /// Performs the handshakes of a connection from `peer`; the completion may be called before this returns, and gets
    /// the reason as text if they fail.
    func perform(
        _ steps: [HandshakeList.Step], over transport: any Transport, from peer: String,
        completion: @escaping (HandshakeList.Outcome?, String) -> Void
    ) {
        guard !steps.isEmpty else { return completion(HandshakeList.Outcome(transport: transport), "") }
        let id = ObjectIdentifier(transport)
        let list = HandshakeList(steps, over: transport, on: world.loop) { [unowned self] result in
            let former = running.removeValue(forKey: id)
            if let timer = former?.timer { world.loop.cancel(timer) }
            switch result {
            case .success(let outcome): completion(outcome, "")
            case .failure(let error):
                completion(nil, "\(former?.list.title ?? "handshake with") \(peer) failed: \(error.message)")
            }
        }
        let limit = world.settings.scaled(world.settings.timeout)
        let timer = world.loop.schedule(after: limit) { [unowned self] in
            guard let list = running.removeValue(forKey: id)?.list else { return }
            list.cancel()
            completion(nil, "\(list.title) \(peer) failed: no data for \(shown(limit))")
        }
        running[id] = (list, timer)
        list.start()
    }

    /// Cancels all; no completion is called any more.
    func cancel() {
        for (list, timer) in running.values {
            list.cancel()
            world.loop.cancel(timer)
        }
        running = [:]
    }
}
