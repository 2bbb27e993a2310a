import Reactor

/// One connection through a tunnel: the client's side, the server's side, and a flow in each direction.
package final class TunnelConnection: ChannelDelegate {
    package let peer: String
    /// Called once when it is over, with the reason.
    package var onEnd: (String) -> Void = { _ in }
    private let flows: [Way: Flow]
    private let loop: EventLoop
    private var client: Channel
    private var server: Channel?
    private var timers: [Way: Timer] = [:]
    private var isOver = false
    private var isPumping = false
    /// Whether both sides have been ended by a fault.
    private var isLeaving = false
    private static let longestLeave = Duration.seconds(2)

    /// The bytes that wait for the kernel before a flow stops.
    private static let highWater = 256 * 1024

    /// Takes a client's connection, which is not read before `connect`.
    ///
    /// - Parameter limit: the bytes that are held in each direction, in bytes.
    package init(
        client transport: any Transport, peer: String, limit: Int, random: @escaping () -> Double, on loop: EventLoop
    ) {
        self.peer = peer
        self.loop = loop
        let isDatagram = transport.kind == .udp
        client = Self.channel(transport, peer, on: loop)
        flows = Dictionary(
            uniqueKeysWithValues: Way.allCases.map {
                ($0, Flow(isDatagram: isDatagram, limit: limit, random: random))
            })
        client.hold(true, for: .bridge)
        client.delegate = self
    }

    private static func channel(_ transport: any Transport, _ peer: String, on loop: EventLoop) -> Channel {
        let channel = Channel(transport: transport, peer: peer, inboxLimit: Self.highWater, on: loop)
        channel.cutIsEnd = true
        if transport.kind == .udp { channel.setFraming(.rawDatagram) }
        return channel
    }

    /// The bytes that have been delivered in a direction.
    package func delivered(_ way: Way) -> Int { flows[way]?.delivered ?? 0 }
    /// The faults of a direction.
    package func faults(_ way: Way) -> [Fault.Kind] { flows[way]?.kinds ?? [] }

    /// Relays to a server from now on.
    package func connect(_ transport: any Transport, peer: String) {
        guard !isOver else { return }
        let channel = Self.channel(transport, peer, on: loop)
        server = channel
        channel.delegate = self
        client.hold(false, for: .bridge)
        take(from: client)
        pump()
    }

    package func set(_ fault: Fault, _ way: Way) {
        flows[way]?.set(fault, at: loop.readClock())
        pump()
    }

    package func remove(_ kind: Fault.Kind, _ way: Way) {
        flows[way]?.remove(kind)
        pump()
    }

    /// Ends both sides now.
    package func close(reset: Bool, because reason: String) {
        guard !isOver else { return }
        isOver = true
        for timer in timers.values { loop.cancel(timer) }
        timers = [:]
        for channel in [client, server].compactMap(\.self) {
            channel.delegate = nil
            channel.close(reset: reset)
        }
        if !isLeaving { onEnd(reason) }
    }

    // MARK: Data

    private func way(from channel: Channel) -> Way { channel === client ? .up : .down }
    private func sink(_ way: Way) -> Channel? { way == .up ? server : client }
    private func source(_ way: Way) -> Channel? { way == .up ? client : server }

    /// Moves what has arrived into the flow, or directly to the other side.
    private func take(from channel: Channel) {
        let way = way(from: channel)
        guard !isOver, let flow = flows[way], let sink = sink(way) else { return }
        let inbox = channel.inbox
        if inbox.messageEnds != nil {
            while let end = inbox.messageEnds?.first {
                flow.receive(inbox.bytes(in: inbox.front..<end), at: loop.readClock())
                inbox.consumeMessage()
            }
        } else if !inbox.isEmpty {
            if flow.isClear, sink.output == .open {
                flow.passed(inbox.count)
                sink.send(inbox.bytes)
            } else {
                flow.receive(inbox.bytes, at: loop.readClock())
            }
            inbox.consume(through: inbox.end)
        }
        channel.inboxShrank()
    }

    /// Delivers what is due in both directions.
    private func pump() {
        guard !isPumping, !isLeaving else { return }
        isPumping = true
        defer { isPumping = false }
        for way in Way.allCases where !isOver && !isLeaving { pump(way) }
        guard !isOver, !isLeaving, flows.values.allSatisfy(\.isOver) else { return }
        // Both sides have ended, and the kernel has what they were sent.
        if client.bytesWaiting == 0, server?.bytesWaiting == 0 { close(reset: false, because: "ended") }
    }

    private func pump(_ way: Way) {
        guard let flow = flows[way], let sink = sink(way) else { return }
        if let timer = timers.removeValue(forKey: way) { loop.cancel(timer) }
        deliver: while !isOver, !isLeaving, sink.bytesWaiting <= Self.highWater {
            switch flow.next(at: loop.readClock()) {
            case .deliver(let bytes, let range):
                bytes.withUnsafeBytes { sink.send(UnsafeRawBufferPointer(rebasing: $0[range])) }
                flow.advance(range.count)
            case .wait(let time):
                if let time { timers[way] = loop.schedule(at: time) { [weak self] in self?.pump() } }
                break deliver
            case .end(let isReset):
                flow.finish()
                if isReset { return close(reset: true, because: "reset") }
                sink.endOutput()
                break deliver
            case .cut(let isReset):
                return isReset ? close(reset: true, because: "reset by its fault") : leave(because: "cut by its fault")
            }
        }
        source(way)?.hold(flow.isFull || sink.bytesWaiting > Self.highWater, for: .bridge)
    }

    /// Ends both sides with FIN, after what they were sent. A close with unread data would be a reset, so what still
    /// comes is read and dropped until the peers leave, or for a while.
    package func leave(because reason: String) {
        guard !isOver, !isLeaving else { return }
        isLeaving = true
        for timer in timers.values { loop.cancel(timer) }
        timers = [:]
        // The timer keeps the connection, which its owner forgets now.
        timers[.up] = loop.schedule(after: Self.longestLeave) { [self] in close(reset: false, because: "") }
        onEnd(reason)
        for channel in [client, server].compactMap(\.self) {
            channel.endOutput()
            channel.hold(false, for: .bridge)
            drop(from: channel)
        }
    }

    private func drop(from channel: Channel) {
        channel.inbox.consume(through: channel.inbox.end)
        channel.inboxShrank()
        guard client.input != .open, server?.input != .open else { return }
        if client.bytesWaiting == 0, server?.bytesWaiting ?? 0 == 0 {
            close(reset: false, because: "")
        }
    }

    // MARK: ChannelDelegate

    package func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer) {}

    package func channelInboxGrew(_ channel: Channel) {
        if isLeaving { return drop(from: channel) }
        take(from: channel)
        pump()
    }

    package func channelInputEnded(_ channel: Channel) {
        if isLeaving { return drop(from: channel) }
        take(from: channel)
        flows[way(from: channel)]?.receiveEnd(isReset: channel.input != .ended, at: loop.readClock())
        pump()
    }

    package func channelOutputAdvanced(_ channel: Channel) {
        if isLeaving { drop(from: channel) } else { pump() }
    }

    package func channelOutputFailed(_ channel: Channel) {
        close(reset: true, because: "reset")
    }

    package func channelWasRefused(_ channel: Channel) {}

    package func channel(_ channel: Channel, mustDrop count: Int) {
        channel.inbox.consume(through: channel.inbox.front + count)
    }
}
