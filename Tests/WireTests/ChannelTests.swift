import CPlatform
import Glibc
import Reactor
import Sockets
import Testing
import TestSupport

@testable import Wire

/// Records the events of a session.
private final class Owner: ChannelDelegate {
    var received: [UInt8] = []
    var endings = 0
    var failures = 0
    var dropped = 0

    func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer) { received += bytes }
    func channelInboxGrew(_ channel: Channel) {}
    func channelInputEnded(_ channel: Channel) { endings += 1 }
    func channelOutputAdvanced(_ channel: Channel) {}
    func channelOutputFailed(_ channel: Channel) { failures += 1 }
    func channelWasRefused(_ channel: Channel) {}
    func channel(_ channel: Channel, mustDrop count: Int) {
        dropped += count
        channel.consume(through: channel.inbox.front + count)
    }
}

extension Channel {
    /// Consumes input as a reader does.
    func consume(through position: Int) {
        inbox.consume(through: position)
        inboxShrank()
    }
}

struct ChannelTests {
    private let loop = EventLoop()
    private let owner = Owner()

    private func makeSession(_ pair: SocketPair, inboxLimit: Int = 1 << 20) -> Channel {
        let session = Channel(
            transport: SocketTransport(owning: Descriptor(owning: pair.near)), peer: "test", inboxLimit: inboxLimit,
            on: loop)
        session.delegate = owner
        return session
    }

    private func send(_ bytes: [UInt8], on session: Channel) {
        bytes.withUnsafeBytes { session.send($0) }
    }

    @Test func receivesIntoTheInboxAndTellsItsOwner() {
        let pair = SocketPair()
        let session = makeSession(pair)
        pair.say("hello")
        loop.turn()
        #expect(owner.received == Array("hello".utf8) && Array(session.inbox.bytes) == Array("hello".utf8))
        #expect(session.bytesReceived == 5)
        session.close()
        #expect(!session.isOpen && session.input == .closed && session.output == .closed)
    }

    @Test func whatThePeerDoesNotTakeWaitsAndArrivesInOrder() {
        let pair = SocketPair()
        let session = makeSession(pair)
        let text = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        for start in stride(from: 0, to: text.count, by: 100_000) {
            send(Array(text[start..<(start + 100_000)]), on: session)
        }
        #expect(session.bytesWaiting > 0)
        session.endOutput()
        #expect(session.output == .ending)
        var heard: [UInt8] = []
        while session.output == .ending {
            heard += pair.heard()
            loop.turn()
        }
        while case let more = pair.heard(), !more.isEmpty { heard += more }
        #expect(heard == text && session.output == .ended && pair.hasEnded)
        #expect(session.bytesSent == text.count)
    }

    @Test func aPeerThatEndsCanStillBeSentTo() {
        let pair = SocketPair()
        let session = makeSession(pair)
        pair.endOutput()
        loop.turn()
        #expect(session.input == .ended && session.isOpen && owner.endings == 1)
        send(Array("x".utf8), on: session)
        #expect(pair.heard() == Array("x".utf8))
        session.endOutput()
        #expect(!session.isOpen && pair.hasEnded)
    }

    @Test func aFullInboxIsNotReadUntilSomethingIsConsumed() {
        let pair = SocketPair()
        let session = makeSession(pair, inboxLimit: 10)
        pair.say("0123456789ABCDEF")
        loop.turn()
        #expect(session.inbox.count == 10)
        loop.turn(mayBlock: false)
        #expect(session.inbox.count == 10 && owner.received.count == 10)
        session.consume(through: 4)
        loop.turn()
        #expect(Array(session.inbox.bytes) == Array("456789ABCD".utf8))
    }

    @Test func theOldestIsDroppedWhereThatIsWanted() {
        let pair = SocketPair()
        let session = makeSession(pair, inboxLimit: 4)
        session.overflow = .dropOldest
        pair.say("abcdefgh")
        loop.turn()
        #expect(Array(session.inbox.bytes) == Array("efgh".utf8) && owner.dropped == 4)
    }

    @Test func aHeldSessionIsNotRead() {
        let pair = SocketPair()
        let session = makeSession(pair)
        session.hold(true, for: .output)
        pair.say("x")
        loop.turn(mayBlock: false)
        #expect(session.inbox.isEmpty)
        session.hold(false, for: .output)
        loop.turn()
        #expect(session.inbox.count == 1)
    }

    @Test func aResetIsToldFromAnEnd() throws {
        let (session, peer) = try connectedOverTCP()
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(peer)
        loop.turn()
        #expect(session.input == .reset && !session.isOpen && owner.endings == 1)
    }

    @Test func whatArrivedBeforeAResetIsKept() throws {
        let (session, peer) = try connectedOverTCP()
        Glibc.send(peer, "last words", 10, 0)
        loop.turn()
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(peer)
        while session.input == .open { loop.turn() }
        #expect(Array(session.inbox.bytes) == Array("last words".utf8) && session.input == .reset)
    }

    @Test func sendingToAPeerThatIsGoneFails() throws {
        let pair = SocketPair()
        let session = makeSession(pair)
        close(pair.far)
        send(Array("x".utf8), on: session)
        guard case .failed = session.output else {
            Issue.record("output is \(session.output)")
            return
        }
        #expect(owner.failures == 1)
    }

    /// Returns a session and the file descriptor of its peer.
    private func connectedOverTCP() throws -> (Channel, Int32) {
        let listener = try Listener(at: Address(parsing: "127.0.0.1:0"), on: loop)
        var accepted: (any Transport)?
        listener.onConnection { transport, _ in accepted = transport }
        var connection: Connection?
        let connector = Connector(addresses: [listener.address], localAddress: nil, on: loop) {
            connection = try? $0.get()
        }
        connector.start()
        while accepted == nil || connection == nil { loop.turn() }
        let transport = try #require(connection).transport
        let peer = try #require(accepted)
        listener.close()
        let session = Channel(transport: transport, peer: "tcp", inboxLimit: 1 << 20, on: loop)
        session.delegate = owner
        let number = dup(peer.descriptor)
        return (session, number)
    }
}
