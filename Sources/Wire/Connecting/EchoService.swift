import Glibc
import Reactor

/// A service on the event loop that answers each client with the data it sends, in upper case or unchanged, or not at
/// all.
///
/// It is all of `echod` and of muxsh's `serve`. Each client is in one of two states: we read from it and answer, or it
/// does not accept its answer, and we read nothing from it until it does. One read thus bounds the memory of a client.
package final class EchoService {
    /// How the service answers.
    package enum Mode: String, CaseIterable, Sendable {
        case upper, echo, discard
    }

    /// The limits of the service.
    package struct Limits {
        /// The most simultaneous clients; more wait in the kernel's queue. Nil: limited only by descriptors.
        package var maxConnections: Int?
        /// The time after which a client that neither sends nor accepts anything is closed. Nil: never.
        package var idleTimeout: Duration?

        package init(maxConnections: Int? = nil, idleTimeout: Duration? = nil) {
            self.maxConnections = maxConnections
            self.idleTimeout = idleTimeout
        }
    }

    /// The address it listens on.
    package var address: SocketAddress { listener.address }
    /// Called with a sentence for each client that connects or leaves.
    package var log: (() -> String) -> Void = { _ in }

    fileprivate let loop: EventLoop
    fileprivate let mode: Mode
    fileprivate let limits: Limits
    /// The buffer for every read, shared by all clients, since an answer is sent before the next read.
    fileprivate let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
    private let listener: Listener
    private var clients: [ObjectIdentifier: Client] = [:]
    private var onStop: (() -> Void)?
    private var isStopping = false
    private var isAccepting = false

    /// Starts serving the connections that `listener` accepts.
    package init(listener: Listener, mode: Mode, limits: Limits = Limits(), on loop: EventLoop) {
        self.listener = listener
        self.mode = mode
        self.limits = limits
        self.loop = loop
        listener.accept = { [unowned self] transport, peer in serve(transport, peer: peer) }
    }

    deinit {
        buffer.deallocate()
    }

    /// Accepts waiting clients, answers the data already sent, and calls `completion` when the last client has left.
    package func stop(completion: @escaping () -> Void) {
        isStopping = true
        onStop = completion
        for client in Array(clients.values) { client.finish() }
        acceptRest()
    }

    /// Accepts the clients that connected before the stop and wait in the kernel's queue, even beyond the maximum:
    /// there may not be time to serve one after the other. Closes the listener when no more are waiting.
    private func acceptRest() {
        // A client that leaves immediately calls this again: the clients after it are accepted anyway.
        guard onStop != nil, !isAccepting else { return }
        isAccepting = true
        defer { isAccepting = false }
        if listener.acceptWaiting() { listener.close() }
        guard clients.isEmpty, !listener.isOpen, let onStop else { return }
        self.onStop = nil
        onStop()
    }

    /// Stops accepting and closes all clients immediately.
    package func close() {
        listener.close()
        for client in Array(clients.values) { client.close(because: "service closed") }
    }

    private func serve(_ transport: any Transport, peer: String) {
        let client = Client(transport: transport, peer: peer, service: self)
        clients[ObjectIdentifier(client)] = client
        log { "\(peer) connected" }
        if isStopping { return client.finish() }
        if let maximum = limits.maxConnections, clients.count >= maximum { listener.pause(true) }
    }

    fileprivate func clientEnded(_ client: Client, because reason: String) {
        clients[ObjectIdentifier(client)] = nil
        log { "\(client.peer) \(reason), \(client.received) bytes" }
        if limits.maxConnections != nil, !isStopping { listener.pause(false) }
        listener.descriptorWasFreed()
        if isStopping { acceptRest() }
    }
}

/// One connection of the service.
private final class Client: DescriptorWatcher {
    let peer: String
    private(set) var received = 0

    private var transport: (any Transport)?
    private unowned let service: EchoService
    private var outbox = Outbox()
    /// The service is stopping: received data is answered, and then nothing more is read.
    private var isFinishing = false
    /// When the service stopped, the client was not accepting its answers or had unread data: more may be in transit.
    private var wasHeldUp = false

    /// Our side has ended: data in transit must reach the client before the connection is closed.
    private var isLeaving = false

    /// How long a client must be silent to count as done: one that was held up, and any client at least.
    private static let longSilence = Duration.milliseconds(200)
    private static let shortSilence = Duration.milliseconds(5)
    private var idleTimer: Timer?
    private var lastActivity: Instant

    init(transport: any Transport, peer: String, service: EchoService) {
        self.transport = transport
        self.peer = peer
        self.service = service
        lastActivity = service.loop.now
        service.loop.watch(transport.descriptor, read: true, write: false, watcher: self)
        watchIdleness()
    }

    func descriptorIsReadable() {
        if isLeaving { discard() } else if isFinishing { finishAnswering() } else { _ = readOnce() }
    }

    func descriptorIsWritable() {
        lastActivity = service.loop.now
        guard flush() else { return }
        if isFinishing { finishAnswering() } else { watch(write: false) }
    }

    /// Answers the data that has arrived, then closes; waits for a client that does not accept its answer.
    func finish() {
        isFinishing = true
        wasHeldUp = !outbox.isEmpty
        if outbox.isEmpty { finishAnswering() }
    }

    func close(because reason: String) {
        guard let transport else { return }
        setTimer(nil)
        service.loop.unwatch(transport.descriptor)
        self.transport = nil
        service.clientEnded(self, because: reason)
    }

    /// Reads and answers until nothing more is available or an answer is not accepted. A close with unread data would
    /// be a reset and could destroy answers. The reads per turn are limited, so a flood cannot delay the end.
    private func finishAnswering() {
        setTimer(nil)
        for _ in 0..<64 {
            if readOnce() {
                wasHeldUp = true
                if outbox.isEmpty { continue }
            }
            guard transport != nil, outbox.isEmpty else { return }
            break
        }
        awaitSilence()
    }

    /// Waits for data that the client sent and that may still be in transit, until nothing has arrived for a while. The
    /// silence is longer where we had not been reading, and never shorter than data takes to arrive.
    private func awaitSilence() {
        guard let transport else { return }
        watch(write: false)
        let way = transport.roundTripTime
        let silence = wasHeldUp ? max(Self.longSilence, way * 4) : max(Self.shortSilence, way * 2)
        setTimer(service.loop.schedule(after: silence) { [unowned self] in end() })
    }

    private func end() {
        guard let transport else { return }
        _ = transport.endOutput()
        isLeaving = true
        leave()
    }

    /// Closes when all answers have reached the client: a closed connection would answer further data with a reset,
    /// which destroys data in transit. select(2) does not report delivery, so it is polled.
    private func leave() {
        guard let transport else { return }
        guard transport.unacknowledgedBytes > 0 else { return close(because: "done") }
        watch(write: false)
        let pause = max(Self.shortSilence, transport.roundTripTime / 2)
        setTimer(service.loop.schedule(after: pause) { [unowned self] in leave() })
    }

    /// Discards data that arrives after the end.
    private func discard() {
        guard let transport else { return }
        switch transport.read(into: service.buffer) {
        case .bytes, .wouldBlock, .refused, .needsRoom: return
        case .endOfStream, .cut, .failed: close(because: "done")
        }
    }

    private func setTimer(_ timer: Timer?) {
        if let idleTimer { service.loop.cancel(idleTimer) }
        idleTimer = timer
    }

    /// Reads and answers once; returns false when there was nothing to read or the client is gone.
    private func readOnce() -> Bool {
        guard let transport else { return false }
        switch transport.read(into: service.buffer) {
        case .bytes(let count):
            lastActivity = service.loop.now
            received += count
            answer(UnsafeMutableRawBufferPointer(rebasing: service.buffer[..<count]))
            return true
        case .wouldBlock, .refused, .needsRoom: return false
        case .endOfStream, .cut:
            close(because: "done")
            return false
        case .failed(let error):
            close(because: error.message)
            return false
        }
    }

    private func answer(_ bytes: UnsafeMutableRawBufferPointer) {
        switch service.mode {
        case .discard: return
        case .upper: upperCase(bytes)
        case .echo: break
        }
        guard let transport else { return }
        switch transport.write(UnsafeRawBufferPointer(bytes)) {
        case .wrote(bytes.count): return
        case .wrote(let count): outbox.append(UnsafeRawBufferPointer(rebasing: bytes[count...]))
        case .wouldBlock: outbox.append(UnsafeRawBufferPointer(bytes))
        case .failed(let error):
            close(because: error.message)
            return
        }
        watch(write: true)
    }

    /// Writes queued data; returns true when the queue is empty. Closes on an error.
    private func flush() -> Bool {
        guard let transport else { return false }
        switch outbox.withNext({ transport.write($0) }) {
        case .wrote(let count): outbox.remove(count)
        case .wouldBlock: break
        case .failed(let error):
            close(because: error.message)
            return false
        }
        return outbox.isEmpty
    }

    /// Waits for room to write or for data to read, never for both.
    private func watch(write: Bool) {
        guard let transport else { return }
        service.loop.watch(transport.descriptor, read: !write, write: write, watcher: self)
    }

    /// Uses one timer per client, rescheduled only when it fires: activity costs nothing.
    private func watchIdleness() {
        guard let limit = service.limits.idleTimeout else { return }
        idleTimer = service.loop.schedule(at: lastActivity + limit) { [unowned self] in
            if service.loop.now >= lastActivity + limit {
                close(because: "idle")
            } else {
                watchIdleness()
            }
        }
    }
}

/// Converts the ASCII letters of `bytes` to upper case, in place; all other bytes stay unchanged.
private func upperCase(_ bytes: UnsafeMutableRawBufferPointer) {
    for index in bytes.indices {
        let byte = bytes[index]
        // A lowercase letter differs from its capital in one bit.
        let isSmall = byte &- UInt8(ascii: "a") < 26
        bytes[index] = byte ^ (isSmall ? 0x20 : 0)
    }
}
