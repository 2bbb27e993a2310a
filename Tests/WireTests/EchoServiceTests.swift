import Glibc
import Reactor
import Sockets
import Testing
import TestSupport

@testable import Wire

/// A client of the service, over TCP without a session.
private final class Caller {
    let transport: any Transport

    init(_ transport: any Transport) {
        self.transport = transport
    }

    func say(_ bytes: [UInt8]) -> Int {
        guard case .wrote(let count) = bytes.withUnsafeBytes({ transport.write($0) }) else { return 0 }
        return count
    }

    /// Returns the data available now; nil at the end of the stream.
    func hear() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        switch buffer.withUnsafeMutableBytes({ transport.read(into: $0) }) {
        case .bytes(let count): return Array(buffer.prefix(count))
        case .endOfStream: return nil
        default: return []
        }
    }
}

struct EchoServiceTests {
    private let loop = EventLoop()

    private func makeService(_ mode: EchoService.Mode = .upper, _ limits: EchoService.Limits = (nil, nil)) throws
        -> EchoService
    {
        EchoService(
            listener: try Listener(at: Address(parsing: "127.0.0.1:0"), on: loop), mode: mode, limits: limits, on: loop)
    }

    private func call(_ service: EchoService) throws -> Caller {
        var result: Result<Connection, ConnectFailure>?
        let connector = Connector(addresses: [service.address], localAddress: nil, on: loop) { result = $0 }
        connector.start()
        while result == nil { loop.turn() }
        return Caller(try #require(result).get().transport)
    }

    private func listen(_ caller: Caller, count: Int) -> [UInt8] {
        var heard: [UInt8] = []
        while heard.count < count {
            loop.turn(mayBlock: false)
            guard let more = caller.hear() else { break }
            heard += more
        }
        return heard
    }

    @Test(arguments: [(EchoService.Mode.upper, "HéLLO [1]`{"), (.echo, "Héllo [1]`{")])
    func answersEveryByte(mode: EchoService.Mode, answer: String) throws {
        let service = try makeService(mode)
        let caller = try call(service)
        _ = caller.say(Array("Héllo [1]`{".utf8))
        #expect(listen(caller, count: answer.utf8.count) == Array(answer.utf8))
        service.close()
    }

    @Test func onlyASCIILettersChange() throws {
        let service = try makeService()
        let caller = try call(service)
        let all = (0...255).map { UInt8($0) }
        _ = caller.say(all)
        #expect(listen(caller, count: 256) == all.map { (97...122).contains($0) ? $0 - 32 : $0 })
        service.close()
    }

    @Test func aClientThatHalfClosesStillGetsItsAnswer() throws {
        let service = try makeService()
        let caller = try call(service)
        _ = caller.say(Array("bye".utf8))
        _ = caller.transport.endOutput()
        #expect(listen(caller, count: .max) == Array("BYE".utf8))
        service.close()
    }

    @Test func aClientThatDoesNotReadIsNotReadFrom() throws {
        let service = try makeService(.echo)
        let caller = try call(service)
        let chunk = [UInt8](repeating: 7, count: 65536)
        var sent = 0
        var idle = 0
        // Continue until the kernel's buffers are full in both directions, and stay full.
        while idle < 50 {
            let count = caller.say(chunk)
            sent += count
            idle = count == 0 ? idle + 1 : 0
            loop.turn(mayBlock: false)
        }
        #expect(listen(caller, count: sent).count == sent)
        service.close()
    }

    @Test func stoppingAnswersWhatWasSent() throws {
        let service = try makeService()
        let caller = try call(service)
        loop.turn(mayBlock: false)
        _ = caller.say(Array("last".utf8))
        var hasStopped = false
        service.stop { hasStopped = true }
        while !hasStopped { loop.turn() }
        #expect(listen(caller, count: .max) == Array("LAST".utf8))
    }

    @Test func moreClientsThanAllowedWait() throws {
        let service = try makeService(.upper, (1, nil))
        let first = try call(service)
        _ = first.say([97])
        #expect(listen(first, count: 1) == [65])
        let second = try call(service)
        _ = second.say([98])
        for _ in 0..<20 { loop.turn(mayBlock: false) }
        #expect(second.hear() == [])
        _ = first.transport.endOutput()
        #expect(listen(second, count: 1) == [66])
        service.close()
    }

    @Test func anIdleClientIsClosedByTheClock() throws {
        let hand = HandClock()
        let loop = EventLoop(clock: hand.clock)
        let service = EchoService(
            listener: try Listener(at: Address(parsing: "127.0.0.1:0"), on: loop), mode: .upper,
            limits: (nil, .seconds(10)), on: loop)
        var result: Result<Connection, ConnectFailure>?
        let connector = Connector(addresses: [service.address], localAddress: nil, on: loop) { result = $0 }
        connector.start()
        while result == nil { loop.turn() }
        let caller = Caller(try #require(result).get().transport)
        _ = caller.say([97])
        while caller.hear() == [] { loop.turn(mayBlock: false) }
        hand.advance(by: .seconds(9))
        loop.turn(mayBlock: false)
        #expect(caller.hear() == [])
        hand.advance(by: .seconds(2))
        for _ in 0..<3 { loop.turn(mayBlock: false) }
        #expect(caller.hear() == nil)
        service.close()
    }

    /// A service that stops still answers the data it had received, even if a client does not read for a long time.
    @Test func aStopWaitsForAnOutboxThatFillsMeanwhile() throws {
        let hand = HandClock()
        let loop = EventLoop(clock: hand.clock)
        let service = EchoService(
            listener: try Listener(at: Address(parsing: "127.0.0.1:0"), on: loop), mode: .echo, on: loop)
        var result: Result<Connection, ConnectFailure>?
        let connector = Connector(addresses: [service.address], localAddress: nil, on: loop) { result = $0 }
        connector.start()
        while result == nil { loop.turn(mayBlock: false) }
        let caller = Caller(try #require(result).get().transport)
        _ = caller.say(Array("first".utf8))
        for _ in 0..<100 { loop.turn(mayBlock: false) }
        var isStopped = false
        service.stop { isStopped = true }
        for _ in 0..<100 { loop.turn(mayBlock: false) }
        // More data arrives while it waits for the silence that ends the client, until neither side accepts any.
        let chunk = [UInt8](repeating: 7, count: 65536)
        var sent = 5
        for _ in 0..<2000 {
            sent += caller.say(chunk)
            loop.turn(mayBlock: false)
        }
        #expect(sent > 1 << 16 && !isStopped)
        for _ in 0..<20 {
            hand.advance(by: .seconds(1))
            for _ in 0..<10 { loop.turn(mayBlock: false) }
        }
        var heard = 0
        for _ in 0..<100_000 where heard < sent {
            loop.turn(mayBlock: false)
            guard let more = caller.hear() else { break }
            heard += more.count
        }
        #expect(heard == sent)
    }

    @Test func aStopAnswersThoseWhoWaitInTheQueue() throws {
        let service = try makeService(.upper, (3, nil))
        let callers = try (0..<20).map { _ in try call(service) }
        for caller in callers { #expect(caller.say(Array("hello".utf8)) == 5) }
        var isStopped = false
        service.stop { isStopped = true }
        for caller in callers { #expect(listen(caller, count: 5) == Array("HELLO".utf8)) }
        while !isStopped { loop.turn() }
    }
}
