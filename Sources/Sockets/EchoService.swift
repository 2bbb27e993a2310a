import CPlatform
import Glibc
import Reactor

/// Answers each client with the data it sends, in upper case or unchanged, or not at all: all of `echod` and of `serve`.
///
/// Each client is in one of two states: we read from it and answer, or it does not accept its answer, and we read
/// nothing from it until it does. One read thus bounds the memory of a client.
package final class EchoService {
    /// How the service answers.
    package enum Mode: String, CaseIterable, Sendable {
        case upper, echo, discard
    }

    /// The most simultaneous clients, while others wait in the kernel's queue, and the time after which a client that
    /// neither sends nor accepts anything is closed; nil for no limit.
    package typealias Limits = (connections: Int?, idleTime: Duration?)

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
    private var isAccepting = false

    /// Starts serving the connections that `listener` accepts.
    package init(listener: Listener, mode: Mode, limits: Limits = (nil, nil), on loop: EventLoop) {
        (self.listener, self.mode, self.limits, self.loop) = (listener, mode, limits, loop)
        listener.accept = { [unowned self] socket, peer in serve(socket, peer: peer) }
    }

    deinit { buffer.deallocate() }

    /// Accepts waiting clients, answers the data already sent, and calls `completion` when the last client has left.
    package func stop(completion: @escaping () -> Void) {
        onStop = completion
        for client in Array(clients.values) { client.finish() }
        acceptRest()
    }

    /// Stops accepting and closes all clients immediately.
    package func close() {
        listener.close()
        for client in Array(clients.values) { client.close(because: "service closed") }
    }

    private func serve(_ socket: consuming Descriptor, peer: String) {
        let client = Client(socket, peer: peer, service: self)
        clients[ObjectIdentifier(client)] = client
        log { "\(peer) connected" }
        if onStop != nil { return client.finish() }
        if let maximum = limits.connections, clients.count >= maximum { listener.pause(true) }
    }

    fileprivate func clientEnded(_ client: Client, because reason: String) {
        clients[ObjectIdentifier(client)] = nil
        log { "\(client.peer) \(reason), \(client.received) bytes" }
        if limits.connections != nil, onStop == nil { listener.pause(false) }
        listener.descriptorWasFreed()
        acceptRest()
    }

    /// After a stop, accepts the clients in the kernel's queue, even beyond the maximum: there may not be time to serve
    /// one after the other. Closes the listener when none is waiting.
    private func acceptRest() {
        // A client that leaves immediately calls this again: the clients after it are accepted anyway.
        guard let onStop, !isAccepting else { return }
        isAccepting = true
        if listener.acceptWaiting() { listener.close() }
        isAccepting = false
        guard clients.isEmpty, !listener.isOpen else { return }
        self.onStop = nil
        onStop()
    }
}

/// One connection of the service.
private final class Client: DescriptorWatcher {
    let peer: String
    private(set) var received = 0
    /// Nil once closed.
    private var socket: SharedDescriptor?
    private unowned let service: EchoService
    /// The rest of an answer that the client has not accepted.
    private var unsent: [UInt8] = []
    private var timer: Timer?
    private var lastActivity: Instant
    /// The service is stopping: what the client has sent is answered, our side ends, and only the end is read.
    private var isFinishing = false, isLeaving = false

    init(_ socket: consuming Descriptor, peer: String, service: EchoService) {
        let socket = SharedDescriptor(socket)
        (self.socket, self.peer, self.service, lastActivity) = (socket, peer, service, service.loop.now)
        watch(write: false)
        watchIdleness()
    }

    func descriptorIsReadable() {
        if isFinishing, !isLeaving { finish() } else { _ = readOnce() }
    }

    func descriptorIsWritable() {
        let rest = unsent
        unsent = []
        rest.withUnsafeBytes { send($0) }
        guard unsent.isEmpty else { return }
        if isFinishing { finish() } else { watch(write: false) }
    }

    func close(because reason: String) {
        guard let socket else { return }
        setTimer(nil)
        service.loop.unwatch(socket.number)
        self.socket = nil
        service.clientEnded(self, because: reason)
    }

    /// Reads and answers once; returns false when there was nothing to read or the client is gone.
    private func readOnce() -> Bool {
        guard let socket else { return false }
        let count = recv(socket.number, service.buffer.baseAddress, service.buffer.count, 0)
        if count == 0 { close(because: "done") }
        guard count > 0 else { return count == 0 || hasFailed() ? false : false }
        // What arrives after our end cannot be answered.
        guard !isLeaving else { return true }
        lastActivity = service.loop.now
        received += count
        let bytes = UnsafeMutableRawBufferPointer(rebasing: service.buffer[..<count])
        if service.mode == .upper { upperCase(bytes) }
        if service.mode != .discard { send(UnsafeRawBufferPointer(bytes)) }
        return true
    }

    /// Sends an answer, and keeps what the client does not accept.
    private func send(_ bytes: UnsafeRawBufferPointer) {
        guard let socket else { return }
        let count = Glibc.send(socket.number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if count < 0, hasFailed() { return }
        if count > 0 { lastActivity = service.loop.now }
        guard count < bytes.count else { return }
        unsent = Array(bytes.dropFirst(max(0, count)))
        watch(write: true)
    }

    /// Returns whether the last system call has failed permanently, and closes then.
    private func hasFailed() -> Bool {
        let number = errno
        guard number != EAGAIN, number != EINTR else { return false }
        close(because: message(for: .init(rawValue: number)))
        return true
    }

    /// Waits for room to write or for data to read, never for both.
    private func watch(write: Bool) {
        guard let socket else { return }
        service.loop.watch(socket.number, read: !write, write: write, watcher: self)
    }

    private func setTimer(_ timer: Timer?) {
        if let former = self.timer { service.loop.cancel(former) }
        self.timer = timer
    }

    /// Uses one timer per client, rescheduled only when it fires: activity costs nothing.
    private func watchIdleness() {
        guard let limit = service.limits.idleTime else { return }
        timer = service.loop.schedule(at: lastActivity + limit) { [unowned self] in
            if service.loop.now >= lastActivity + limit { close(because: "idle") } else { watchIdleness() }
        }
    }

    /// Answers what has arrived, until our side can end: a close with unread data would be a reset and could destroy
    /// answers. Waits for a client that does not accept its answer. The reads in a turn are limited, so that a flood
    /// cannot delay the end. More data may be in transit: nothing must have arrived for a while.
    func finish() {
        let wasHeldUp = isFinishing || !unsent.isEmpty
        isFinishing = true
        setTimer(nil)
        var reads = 0
        while reads < 64, unsent.isEmpty, readOnce() { reads += 1 }
        guard let socket, unsent.isEmpty else { return }
        watch(write: false)
        let way = Duration.microseconds(Int64(c_round_trip_time(socket.number)))
        let silence = max(.milliseconds(wasHeldUp || reads > 0 ? 200 : 5), way * 4)
        setTimer(service.loop.schedule(after: silence) { [unowned self] in leave() })
    }

    /// Ends our side, and closes when all answers have reached the client: a closed connection would answer further
    /// data with a reset, which destroys data in transit. select(2) does not report delivery, so it is polled.
    private func leave() {
        guard let socket else { return }
        isLeaving = true
        shutdown(socket.number, Int32(SHUT_WR))
        // A Unix socket keeps what its peer has not read.
        let isDelivered = service.address.port == nil || c_unacknowledged(socket.number) == 0
        if isDelivered { return close(because: "done") }
        setTimer(service.loop.schedule(after: .milliseconds(5)) { [unowned self] in leave() })
    }
}

/// Converts the ASCII letters of `bytes` to upper case, in place: a lowercase letter differs in one bit.
private func upperCase(_ bytes: UnsafeMutableRawBufferPointer) {
    for index in bytes.indices where bytes[index] &- UInt8(ascii: "a") < 26 { bytes[index] ^= 0x20 }
}
