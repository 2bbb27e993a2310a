import Reactor

/// Opens a WebSocket over a connection, as a client or a server.
final class WebSocketHandshake: DescriptorWatcher, Handshake {
    let phase = "in the WebSocket handshake"
    let title = "WebSocket handshake with"
    private let transport: any Transport
    private let loop: EventLoop
    private let limit: Int
    private let completion: (Result<LayeredTransport, HandshakeError>) -> Void
    private var upgrade: WebSocketUpgrade
    private var outgoing: [UInt8]
    /// What ends the handshake once everything is sent.
    private var ending: Result<WebSocketUpgrade.Outcome, HandshakeError>?
    private var isFinished = false

    /// - Parameter limit: the longest message that is received later, in bytes.
    init(
        _ role: WebSocketUpgrade.Role, over transport: any Transport, limit: Int, on loop: EventLoop,
        completion: @escaping (Result<LayeredTransport, HandshakeError>) -> Void
    ) {
        self.transport = transport
        self.loop = loop
        self.limit = limit
        self.completion = completion
        upgrade = WebSocketUpgrade(role, nonce: (0..<16).map { _ in UInt8.random(in: 0...255) })
        outgoing = Array(upgrade.greeting.utf8)
    }

    func start() {
        if let problem = WebSocketLayer.problem { return finish(.failure(problem)) }
        advance()
    }

    func cancel() {
        guard !isFinished else { return }
        isFinished = true
        loop.unwatch(transport.descriptor)
    }

    func descriptorIsReadable() { advance() }
    func descriptorIsWritable() { advance() }

    private func advance() {
        guard !isFinished, write() else { return }
        if let ending { return settle(ending) }
        read()
    }

    /// Sends what is to be sent; returns whether nothing is left.
    private func write() -> Bool {
        while !outgoing.isEmpty {
            switch outgoing.withUnsafeBytes({ transport.write($0) }) {
            case .wrote(let count): outgoing.removeFirst(count)
            case .wouldBlock:
                loop.watch(transport.descriptor, read: false, write: true, watcher: self)
                return false
            case .failed(let failure):
                finish(.failure(HandshakeError(message: failure.message)))
                return false
            }
        }
        return true
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !isFinished {
            switch buffer.withUnsafeMutableBytes({ transport.read(into: $0) }) {
            case .bytes(let count): take(upgrade.receive(Array(buffer.prefix(count))))
            case .wouldBlock, .needsRoom:
                let needsWrite = transport.needsWriteToRead
                return loop.watch(transport.descriptor, read: !needsWrite, write: needsWrite, watcher: self)
            case .endOfStream, .cut:
                finish(
                    .failure(HandshakeError(message: "the peer closed the connection during the WebSocket handshake")))
            case .refused(let failure), .failed(let failure):
                finish(.failure(HandshakeError(message: "\(failure.message) during the WebSocket handshake")))
            }
            if ending != nil { return advance() }
        }
    }

    private func take(_ step: WebSocketUpgrade.Step) {
        switch step {
        case .more: return
        case .done(let answer, let outcome):
            outgoing = Array(answer.utf8)
            ending = .success(outcome)
        case .failed(let answer, let error):
            outgoing = Array(answer.utf8)
            ending = .failure(error)
        }
    }

    private func settle(_ ending: Result<WebSocketUpgrade.Outcome, HandshakeError>) {
        switch ending {
        case .success(let outcome):
            do throws(HandshakeError) {
                let layer = try WebSocketLayer(outcome, isServer: upgrade.isServer, limit: limit)
                finish(.success(LayeredTransport(layer, over: transport)))
            } catch {
                finish(.failure(error))
            }
        case .failure(let error): finish(.failure(error))
        }
    }

    private func finish(_ result: Result<LayeredTransport, HandshakeError>) {
        cancel()
        completion(result)
    }
}
