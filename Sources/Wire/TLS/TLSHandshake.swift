import Reactor

/// A TLS handshake in progress, until it completes or fails.
final class TLSHandshake: DescriptorWatcher, Handshake {
    let phase = "in the TLS handshake"
    let title = "TLS handshake with"

    private let transport: TLSTransport
    private let loop: EventLoop
    private let completion: (Result<TLSTransport, HandshakeError>) -> Void
    private var isFinished = false
    private var verdictTimer: Timer?

    /// How long a server may take to refuse our certificate if it sends nothing else.
    private static let verdictPause = Duration.milliseconds(250)

    /// Prepares the handshake; `start` begins it. Until it ends, no other watcher may watch the descriptor.
    init(
        _ transport: TLSTransport, on loop: EventLoop,
        completion: @escaping (Result<TLSTransport, HandshakeError>) -> Void
    ) {
        self.transport = transport
        self.loop = loop
        self.completion = completion
    }

    /// Starts the handshake; the completion may be called before this returns.
    func start() {
        advance()
    }

    /// Completes without the server's first message, if that is all it waits for; returns false otherwise.
    func settle() -> Bool {
        guard !isFinished, verdictTimer != nil else { return false }
        succeed()
        return true
    }

    /// Cancels the handshake; the completion is no longer called.
    func cancel() {
        guard !isFinished else { return }
        finish()
    }

    package func descriptorIsReadable() { advance() }
    package func descriptorIsWritable() { advance() }

    private func advance() {
        guard !isFinished else { return }
        switch transport.handshake() {
        case .needsRead: loop.watch(transport.descriptor, read: true, write: false, watcher: self)
        case .needsWrite: loop.watch(transport.descriptor, read: false, write: true, watcher: self)
        case .needsVerdict:
            loop.watch(transport.descriptor, read: true, write: false, watcher: self)
            guard verdictTimer == nil else { return }
            verdictTimer = loop.schedule(after: Self.verdictPause) { [unowned self] in succeed() }
        case .done: succeed()
        case .failed(let error):
            finish()
            completion(.failure(error))
        }
    }

    private func succeed() {
        finish()
        completion(.success(transport))
    }

    private func finish() {
        isFinished = true
        if let verdictTimer { loop.cancel(verdictTimer) }
        loop.unwatch(transport.descriptor)
    }
}
