import Reactor
import Wire

/// A connection that carries control messages.
final class ControlChannel: ChannelDelegate {
    private let channel: Channel
    /// Called with each message.
    var receive: (ControlMessage) -> Void = { _ in }
    /// Called once when the peer has gone, or has sent something else than messages.
    var onEnd: () -> Void = {}
    private var hasEnded = false

    /// The most bytes that may wait for the peer: one that does not read them is dropped.
    private static let mostWaiting = 8 << 20

    init(_ transport: any Transport, on loop: EventLoop) {
        channel = Channel(transport: transport, peer: "", inboxLimit: 2 * ControlMessage.longest, on: loop)
        channel.delegate = self
        channel.setFraming(.raw)
    }

    func send(_ message: ControlMessage) {
        guard !hasEnded else { return }
        message.encoded.withUnsafeBytes { channel.send($0) }
    }

    /// Whether the peer does not read what it is sent.
    var isTooSlow: Bool { channel.bytesWaiting > Self.mostWaiting }

    /// Ends the connection when everything has been sent.
    func end() {
        hasEnded = true
        channel.endOutput()
    }

    func close() {
        hasEnded = true
        channel.close()
    }

    func channelInboxGrew(_ channel: Channel) {
        let bytes = Array(channel.inbox.bytes)
        var start = 0
        do throws(ControlMessage.Malformed) {
            while !hasEnded, let (message, length) = try ControlMessage.first(in: bytes[start...]) {
                start += length
                receive(message)
            }
        } catch {
            return fail()
        }
        channel.inbox.consume(through: channel.inbox.front + start)
        channel.inboxShrank()
    }

    private func fail() {
        guard !hasEnded else { return }
        close()
        onEnd()
    }

    func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer) {}
    func channelInputEnded(_ channel: Channel) { fail() }
    func channelOutputAdvanced(_ channel: Channel) {}
    func channelOutputFailed(_ channel: Channel) { fail() }
    func channelWasRefused(_ channel: Channel) {}
    func channel(_ channel: Channel, mustDrop count: Int) {}
}
