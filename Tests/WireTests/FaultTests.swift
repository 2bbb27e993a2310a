import Glibc
import Reactor
import Sockets
import TestSupport
import Testing

@testable import Wire

/// A socket whose calls are as unhelpful as allowed: one byte at a time, and nothing at all every other time.
private final class ReluctantTransport: Transport {
    private let socket: SocketTransport
    private var calls = 0

    init(owning number: Int32) {
        socket = SocketTransport(owning: Descriptor(owning: number))
    }

    let kind = TransportKind.tcp
    var descriptor: Int32 { socket.descriptor }

    private var refuses: Bool {
        calls += 1
        return calls % 2 == 1
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        refuses ? .wouldBlock : socket.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(1)))
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        refuses ? .wouldBlock : socket.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(1)))
    }

    func endOutput() -> EndOutcome { refuses ? .wouldBlock : socket.endOutput() }
    func resetOnClose() { socket.resetOnClose() }
}

struct FaultTests {
    private let loop = EventLoop()

    private func turn(until isDone: () -> Bool) {
        for _ in 0..<200_000 where !isDone() { loop.turn(mayBlock: false) }
    }

    @Test func oneByteAtATimeAndRefusalsInBetweenLoseNothing() {
        let pair = SocketPair()
        let session = Channel(
            transport: ReluctantTransport(owning: pair.near), peer: "test", inboxLimit: 1 << 20, on: loop)
        let text = Array("a line\r\nand another\n".utf8)
        pair.say(text)
        pair.endOutput()
        text.withUnsafeBytes { session.send($0) }
        session.endOutput()
        turn { session.input != .open && session.output == .ended }
        #expect(session.input == .ended && Array(session.inbox.bytes) == text)
        #expect(pair.heard() == text && pair.hasEnded)
    }

    @Test func floodsFromBothSidesDoNotLockEachOther() {
        let pair = SocketPair()
        let near = Channel(
            transport: SocketTransport(owning: Descriptor(owning: pair.near)), peer: "far", inboxLimit: 1 << 16,
            on: loop)
        let far = Channel(
            transport: SocketTransport(owning: Descriptor(owning: dup(pair.far))), peer: "near", inboxLimit: 1 << 16,
            on: loop)
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: 6_000_000)
        text.withUnsafeBytes {
            near.send($0)
            far.send($0)
        }
        var received = (near: 0, far: 0)
        for _ in 0..<200_000 where received.near < text.count || received.far < text.count {
            loop.turn(mayBlock: false)
            #expect(near.inbox.count <= 1 << 16 && far.inbox.count <= 1 << 16)
            received.near += near.inbox.count
            received.far += far.inbox.count
            near.consume(through: near.inbox.end)
            far.consume(through: far.inbox.end)
        }
        #expect(received == (text.count, text.count))
    }

    @Test func aResetInTheMiddleOfALineKeepsWhatCame() throws {
        var accepted: (any Transport)?
        let listener = try Listener(at: .tcp(host: "127.0.0.1", service: "0"), on: loop)
        listener.onConnection { transport, _ in accepted = transport }
        var connection: Connection?
        let connector = Connector(addresses: [listener.address], localAddress: nil, on: loop) {
            connection = try? $0.get()
        }
        connector.start()
        turn { connection != nil && accepted != nil }
        let session = Channel(
            transport: try #require(connection?.transport), peer: "test", inboxLimit: 1 << 20, on: loop)
        Array("half a li".utf8).withUnsafeBytes { _ = accepted?.write($0) }
        turn { !session.inbox.isEmpty }
        accepted?.resetOnClose()
        accepted = nil
        turn { session.input != .open }
        #expect(session.input == .reset && String(decoding: session.inbox.bytes, as: UTF8.self) == "half a li")
        #expect(!session.isOpen)
        listener.close()
    }

    @Test func aPeerThatIsHalfOpenCostsNothingAndCanBeTalkedTo() {
        let pair = SocketPair()
        let session = Channel(
            transport: SocketTransport(owning: Descriptor(owning: pair.near)), peer: "test", inboxLimit: 1 << 20,
            on: loop)
        pair.endOutput()
        turn { session.input != .open }
        #expect(session.input == .ended && session.isOpen)
        // Nothing is ready any more, although the descriptor would remain readable forever.
        var turns = 0
        let timer = loop.schedule(after: .milliseconds(20)) { turns = -turns }
        while turns >= 0 && turns < 1000 {
            turns += 1
            loop.turn()
        }
        #expect(turns < 0 && turns > -10)
        loop.cancel(timer)
        Array("x".utf8).withUnsafeBytes { session.send($0) }
        #expect(pair.heard() == Array("x".utf8))
    }

    @Test func aDatagramListenerKeepsOrderAndPeersApart() throws {
        let listener = try DatagramListener(at: .udp(host: "127.0.0.1", service: "0"), on: loop)
        var sessions: [Channel] = []
        listener.onConnection { [loop] transport, peer in
            let session = Channel(transport: transport, peer: peer, inboxLimit: 1 << 20, on: loop)
            session.setFraming(.datagram)
            sessions.append(session)
        }
        let sockets = (0..<20).map { _ in socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
        defer { for number in sockets { close(number) } }
        for round in 0..<10 {
            for (index, number) in sockets.enumerated() {
                let text = Array("\(index) \(round)".utf8)
                _ = listener.address.withPointer { sendto(number, text, text.count, 0, $0, $1) }
            }
            if round == 4 { turn { sessions.count == sockets.count } }
        }
        turn { sessions.allSatisfy { $0.inbox.messageEnds?.count == 10 } }
        #expect(sessions.count == 20)
        for session in sessions {
            let text = String(decoding: session.inbox.bytes, as: UTF8.self)
            let index = text.prefix { $0 != " " }
            #expect(text == (0..<10).map { "\(index) \($0)" }.joined())
        }
        listener.close()
    }

    @Test func anEmptyDatagramIsAMessage() throws {
        let listener = try DatagramListener(at: .udp(host: "127.0.0.1", service: "0"), on: loop)
        var session: Channel?
        listener.onConnection { [loop] transport, peer in
            session = Channel(transport: transport, peer: peer, inboxLimit: 1 << 20, on: loop)
            session?.setFraming(.datagram)
        }
        let number = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(number) }
        for text in ["", "a", ""] {
            _ = listener.address.withPointer { sendto(number, Array(text.utf8), text.utf8.count, 0, $0, $1) }
        }
        turn { session?.inbox.messageEnds?.count == 3 }
        #expect(session?.inbox.messageEnds.map { Array($0) } == [0, 1, 1])
        listener.close()
    }
}
