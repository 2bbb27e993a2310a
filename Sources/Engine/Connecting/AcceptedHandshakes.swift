import Reactor
import Results
import Wire

/// The TLS handshakes of accepted connections, each with a time limit.
final class AcceptedHandshakes {
    private let context: TLSContext
    private var running: [ObjectIdentifier: (handshake: TLSHandshake, timer: Timer)] = [:]
    private unowned let world: World

    init(_ context: TLSContext, _ world: World) {
        self.context = context
        self.world = world
    }

    /// Performs a handshake over a connection; the completion may be called before this returns.
    func perform(over socket: SocketTransport, completion: @escaping (Result<TLSTransport, TLSError>) -> Void) {
        let id = ObjectIdentifier(socket)
        do throws(TLSError) {
            let transport = try TLSTransport(over: socket, context, host: "")
            let handshake = TLSHandshake(transport, on: world.loop) { [unowned self] result in
                if let timer = running.removeValue(forKey: id)?.timer { world.loop.cancel(timer) }
                completion(result)
            }
            let limit = world.settings.scaled(world.settings.timeout)
            let timer = world.loop.schedule(after: limit) { [unowned self] in
                running.removeValue(forKey: id)?.handshake.cancel()
                completion(.failure(TLSError(message: "no data for \(shown(limit))")))
            }
            running[id] = (handshake, timer)
            handshake.start()
        } catch {
            completion(.failure(error))
        }
    }

    /// Cancels all; no completion is called any more.
    func cancel() {
        for (handshake, timer) in running.values {
            handshake.cancel()
            world.loop.cancel(timer)
        }
        running = [:]
    }
}
