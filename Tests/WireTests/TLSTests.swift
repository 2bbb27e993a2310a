import CPlatform
import Glibc
import Reactor
import TestSupport
import Testing

@testable import Wire

/// Two TLS peers over socket pairs; the test relays the data between them.
private final class Line {
    let loop = EventLoop()
    let client = SocketPair()
    let server = SocketPair()
    /// The number of bytes relayed at a time.
    var pace = Int.max
    /// The number of bytes still relayed before the connection is cut; nil for all.
    var allowance: Int?
    private(set) var passed = 0
    private(set) var isCut = false
    /// The results of the handshakes.
    var clientResult: Result<TLSTransport, HandshakeError>?
    var serverResult: Result<TLSTransport, HandshakeError>?
    private var handshakes: [TLSHandshake] = []

    init() {
        signal(SIGPIPE, SIG_IGN)
    }

    static func clientOptions() -> TLSOptions {
        var options = TLSOptions()
        options.authorities = Certificates.path("ca.pem")
        return options
    }

    static func serverOptions() -> TLSOptions {
        var options = TLSOptions()
        options.certificate = Certificates.path("server.pem")
        options.key = Certificates.path("server.key")
        return options
    }

    func start(client options: TLSOptions = clientOptions()) throws {
        let sides: [(SocketPair, TLSContext)] = [
            (client, try TLSContext(.client, options)), (server, try TLSContext(.server, Self.serverOptions())),
        ]
        for (index, (pair, context)) in sides.enumerated() {
            let socket = SocketTransport(owning: Descriptor(owning: dup(pair.near)))
            close(pair.near)
            let transport = try TLSTransport(over: socket, context, host: "localhost")
            let handshake = TLSHandshake(transport, on: loop) { [unowned self] result in
                if index == 0 { clientResult = result } else { serverResult = result }
            }
            handshakes.append(handshake)
            handshake.start()
        }
    }

    /// Releases the transports.
    func forgetResults() {
        clientResult = nil
        serverResult = nil
        handshakes = []
    }

    /// Relays the pending data of each side to the other, and turns the loop.
    func turn() {
        carry(from: client, to: server)
        carry(from: server, to: client)
        loop.turn(mayBlock: false)
    }

    func turn(until isDone: () -> Bool) {
        for _ in 0..<200_000 where !isDone() { turn() }
    }

    private func carry(from source: SocketPair, to sink: SocketPair) {
        guard !isCut else { return }
        var buffer = [UInt8](repeating: 0, count: min(pace, 65536))
        let count = recv(source.far, &buffer, buffer.count, Int32(MSG_PEEK))
        guard count > 0 else { return }
        let maximum = min(count, allowance.map { $0 - passed } ?? count)
        let sent = maximum > 0 ? send(sink.far, buffer, maximum, Int32(MSG_NOSIGNAL)) : 0
        if sent > 0 {
            passed += sent
            recv(source.far, &buffer, sent, 0)
        }
        if let allowance, passed >= allowance { cut() }
    }

    private func cut() {
        isCut = true
        for pair in [client, server] {
            shutdown(pair.far, Int32(SHUT_RDWR))
        }
    }
}

/// Records the events of a session.
private final class Owner: ChannelDelegate {
    var endings = 0
    func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer) {}
    func channelInboxGrew(_ channel: Channel) {}
    func channelInputEnded(_ channel: Channel) { endings += 1 }
    func channelOutputAdvanced(_ channel: Channel) {}
    func channelOutputFailed(_ channel: Channel) {}
    func channelWasRefused(_ channel: Channel) {}
    func channel(_ channel: Channel, mustDrop count: Int) {}
}

@Suite(.enabled(if: Certificates.folder != nil))
struct TLSTests {
    private func makeSession(_ transport: TLSTransport, on loop: EventLoop, limit: Int = 16 << 20) -> Channel {
        Channel(transport: transport, peer: "test", inboxLimit: limit, on: loop)
    }

    private func connected(_ line: Line) throws -> (client: TLSTransport, server: TLSTransport) {
        try line.start()
        line.turn { line.clientResult != nil && line.serverResult != nil }
        return (try #require(try line.clientResult?.get()), try #require(try line.serverResult?.get()))
    }

    private func send(_ bytes: [UInt8], on session: Channel) {
        bytes.withUnsafeBytes { session.send($0) }
    }

    /// The whole handshake takes some thousand bytes. Each side is cut after various numbers of them.
    @Test(arguments: [0, 1, 4, 5, 6, 50, 100, 200, 290, 300, 400, 500, 700, 900, 1000, 1200, 1400])
    func aCutHandshakeFailsWithWords(after count: Int) throws {
        let line = Line()
        line.allowance = count
        line.pace = 97
        if count == 0 { shutdown(line.client.far, Int32(SHUT_WR)) }
        try line.start()
        line.turn { line.clientResult != nil }
        switch try #require(line.clientResult) {
        case .success: #expect(count > 900, "the handshake cannot be over")
        case .failure(let error):
            #expect(
                error.message.hasPrefix("the peer closed the connection during the TLS handshake, ")
                    || error.message.hasPrefix("the peer reset the connection during the TLS handshake, "),
                "\(count): \(error.message)")
            #expect(!error.isRefusal)
        }
    }

    @Test(arguments: [1, 2, 7, 1000])
    func anySplitGivesTheSameBytes(pace: Int) throws {
        let line = Line()
        line.pace = pace
        let (client, server) = try connected(line)
        let (near, far) = (makeSession(client, on: line.loop), makeSession(server, on: line.loop))
        let text = (0..<(pace < 7 ? 3_000 : 300_000)).map { UInt8(truncatingIfNeeded: $0 &* 131 >> 2) }
        send(text, on: near)
        near.endOutput()
        line.turn { far.input != .open }
        #expect(far.input == .ended && Array(far.inbox.bytes) == text)
        // The other direction is still open.
        send(Array(text.reversed()), on: far)
        far.endOutput()
        line.turn { near.input != .open }
        #expect(near.input == .ended && Array(near.inbox.bytes) == text.reversed())
        #expect(!near.isOpen && !far.isOpen)
    }

    @Test func bytesThatSelectDoesNotSeeAreNotForgotten() throws {
        let line = Line()
        let (client, server) = try connected(line)
        // The inbox accepts ten bytes at a time; the rest of the record waits inside OpenSSL.
        let near = makeSession(client, on: line.loop, limit: 10)
        let far = makeSession(server, on: line.loop)
        send(Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8), on: far)
        far.endOutput()
        var received: [UInt8] = []
        for _ in 0..<1000 where near.input == .open {
            line.turn()
            received += near.inbox.bytes
            near.consume(through: near.inbox.end)
        }
        #expect(String(decoding: received, as: UTF8.self) == "0123456789abcdefghijklmnopqrstuvwxyz")
        #expect(near.input == .ended)
    }

    @Test func bytesRightBehindTheHandshakeAreNotForgotten() throws {
        let line = Line()
        try line.start()
        line.turn { line.clientResult != nil }
        // The client's last handshake message has not been relayed yet: this data is sent together with it.
        let client = try #require(try line.clientResult?.get())
        Array("hello".utf8).withUnsafeBytes { _ = client.write($0) }
        line.turn { line.serverResult != nil }
        let far = makeSession(try #require(try line.serverResult?.get()), on: line.loop)
        line.turn { !far.inbox.isEmpty }
        #expect(Array(far.inbox.bytes) == Array("hello".utf8))
    }

    @Test func floodsInBothDirectionsAtOnceArriveWhole() throws {
        let line = Line()
        let (client, server) = try connected(line)
        let (near, far) = (makeSession(client, on: line.loop), makeSession(server, on: line.loop))
        let text = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0 &* 29 >> 4) }
        send(text, on: near)
        send(text.reversed(), on: far)
        #expect(near.bytesWaiting > 0 && far.bytesWaiting > 0)
        near.endOutput()
        far.endOutput()
        line.turn { near.input != .open && far.input != .open }
        #expect(near.input == .ended && far.input == .ended)
        #expect(Array(far.inbox.bytes) == text && Array(near.inbox.bytes) == text.reversed())
    }

    @Test(arguments: [false, true])
    func aCloseWithoutCloseNotifyIsACut(isEnd: Bool) throws {
        let line = Line()
        let (client, server) = try connected(line)
        let near = makeSession(client, on: line.loop)
        near.cutIsEnd = isEnd
        let owner = Owner()
        near.delegate = owner
        Array("some".utf8).withUnsafeBytes { _ = server.write($0) }
        line.turn { !near.inbox.isEmpty }
        shutdown(line.client.far, Int32(SHUT_WR))
        line.turn { near.input != .open }
        #expect(near.input == (isEnd ? .ended : .cut) && owner.endings == 1)
        #expect(Array(near.inbox.bytes) == Array("some".utf8))
        #expect(near.isOpen == isEnd)
    }

    @Test func closingSaysTheEnd() throws {
        let line = Line()
        let far: Channel
        do {
            let (client, server) = try connected(line)
            far = makeSession(server, on: line.loop)
            makeSession(client, on: line.loop).close()
            line.forgetResults()
        }
        line.turn { far.input != .open }
        #expect(far.input == .ended)
    }

    @Test func garbageInAConversationEndsIt() throws {
        let line = Line()
        let (client, _) = try connected(line)
        let near = makeSession(client, on: line.loop)
        line.client.say([0x17, 0x03, 0x03, 0x00, 0x05, 1, 2, 3, 4, 5])
        line.turn { near.input != .open }
        guard case .failed(.tls(let arguments)) = near.input else {
            Issue.record("\(near.input)")
            return
        }
        #expect(arguments.hasPrefix("TLS failed: "), "\(arguments)")
    }

    @Test func thePeerOfAStoppedReaderIsHeldUp() throws {
        let line = Line()
        let (client, server) = try connected(line)
        let near = makeSession(client, on: line.loop, limit: 100_000)
        let far = makeSession(server, on: line.loop)
        send([UInt8](repeating: 7, count: 8_000_000), on: far)
        for _ in 0..<2000 { line.turn() }
        #expect(near.inbox.count == 100_000 && far.bytesWaiting > 0)
        // The loop does not turn while no data can move.
        var received = near.inbox.count
        near.consume(through: near.inbox.end)
        for _ in 0..<200_000 where received < 8_000_000 {
            line.turn()
            received += near.inbox.count
            near.consume(through: near.inbox.end)
        }
        #expect(received == 8_000_000)
    }
}
