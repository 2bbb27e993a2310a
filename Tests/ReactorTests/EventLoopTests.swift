import CPlatform
import Glibc
import SystemPackage
import Testing
import TestSupport

@testable import Reactor

/// Records its events, and can run an action on each.
private final class Recorder: DescriptorWatcher {
    var readable = 0
    var writable = 0
    var whenReadable: () -> Void = {}

    func descriptorIsReadable() {
        readable += 1
        whenReadable()
    }

    func descriptorIsWritable() {
        writable += 1
    }
}

struct EventLoopTests {
    @Test func tellsOnlyWhoIsReady() {
        let loop = EventLoop()
        let (pair, silent) = (SocketPair(), SocketPair())
        let (first, second) = (Recorder(), Recorder())
        loop.watch(pair.near, read: true, write: false, watcher: first)
        loop.watch(silent.near, read: true, write: false, watcher: second)
        pair.say("x")
        loop.turn()
        #expect(first.readable == 1 && first.writable == 0 && second.readable == 0)
        loop.watch(silent.near, read: true, write: true, watcher: second)
        loop.turn()
        #expect(second.writable == 1)
        close(pair.near)
        close(silent.near)
    }

    @Test func aWatcherRemovedInTheSameTurnIsNotTold() {
        let loop = EventLoop()
        let pairs = [SocketPair(), SocketPair()].sorted { $0.near < $1.near }
        let (first, second) = (Recorder(), Recorder())
        loop.watch(pairs[0].near, read: true, write: false, watcher: first)
        loop.watch(pairs[1].near, read: true, write: false, watcher: second)
        first.whenReadable = { loop.unwatch(pairs[1].near) }
        for pair in pairs { pair.say("x") }
        loop.turn()
        #expect(first.readable == 1 && second.readable == 0)
        for pair in pairs { close(pair.near) }
    }

    @Test func watchesDescriptorsPastFDSetSize() throws {
        raiseDescriptorLimit()
        let loop = EventLoop()
        let pair = SocketPair()
        let high = fcntl(pair.near, F_DUPFD, 3000)
        try #require(high >= 3000)
        let recorder = Recorder()
        loop.watch(high, read: true, write: true, watcher: recorder)
        pair.say("x")
        loop.turn()
        #expect(recorder.readable == 1 && recorder.writable == 1)
        loop.unwatch(high)
        close(high)
        close(pair.near)
    }

    @Test func timersFireByTheClockThatIsGiven() {
        let hand = HandClock()
        let loop = EventLoop(clock: hand.clock)
        var fired = 0
        _ = loop.schedule(after: .seconds(5)) { fired += 1 }
        loop.turn(mayBlock: false)
        #expect(fired == 0)
        hand.advance(by: .milliseconds(4999))
        loop.turn(mayBlock: false)
        #expect(fired == 0)
        hand.advance(by: .milliseconds(1))
        loop.turn()
        loop.turn(mayBlock: false)
        #expect(fired == 1)
    }

    @Test func dataThatIsThereWinsAgainstADeadlineThatHasPassed() {
        let hand = HandClock()
        let loop = EventLoop(clock: hand.clock)
        let pair = SocketPair()
        let recorder = Recorder()
        var order: [String] = []
        // It takes two reads, as data followed by the end of the stream would.
        recorder.whenReadable = {
            var byte: UInt8 = 0
            if read(pair.near, &byte, 1) == 1 { order.append("data") }
        }
        loop.watch(pair.near, read: true, write: false, watcher: recorder)
        _ = loop.schedule(after: .seconds(1)) { order.append("deadline") }
        pair.say("xy")
        hand.advance(by: .seconds(2))
        for _ in 0..<3 { loop.turn() }
        #expect(order == ["data", "data", "deadline"])
        close(pair.near)
    }

    @Test func aFloodDoesNotKeepADeadlineForEver() {
        let hand = HandClock()
        let loop = EventLoop(clock: hand.clock)
        let pair = SocketPair()
        let recorder = Recorder()
        loop.watch(pair.near, read: true, write: false, watcher: recorder)
        var hasFired = false
        _ = loop.schedule(after: .seconds(1)) { hasFired = true }
        // The data is never read, so the descriptor is ready in every turn.
        pair.say("x")
        hand.advance(by: .seconds(2))
        for _ in 0..<20 { loop.turn() }
        #expect(hasFired)
        close(pair.near)
    }

    @Test func aDescriptorClosedWhileWatchedDoesNotStopTheLoop() {
        let loop = EventLoop()
        let (pair, lost) = (SocketPair(), SocketPair())
        let recorder = Recorder()
        loop.watch(lost.near, read: true, write: false, watcher: Recorder())
        loop.watch(pair.near, read: true, write: false, watcher: recorder)
        close(lost.near)
        pair.say("x")
        for _ in 0..<3 where recorder.readable == 0 { loop.turn() }
        #expect(recorder.readable >= 1)
        close(pair.near)
    }

    @Test func anImmediateTurnDoesNotWait() {
        let hand = HandClock()
        let loop = EventLoop(clock: hand.clock)
        let timer = loop.schedule(after: .seconds(3600)) {}
        loop.requestImmediateTurn()
        loop.turn()
        #expect(timer.isPending)
        loop.cancel(timer)
        #expect(!timer.isPending)
    }

    @Test func instantsAndDurationsDoNotOverflow() {
        let end = Instant(nanoseconds: .max)
        #expect(end + .seconds(1) == end)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect((Instant(nanoseconds: 5) - Instant(nanoseconds: 2)) == .nanoseconds(3))
    }
}

@Suite(.serialized)
struct SignalsTests {
    @Test func aSignalComesThroughTheLoop() throws {
        let loop = EventLoop()
        var caught: [Int32] = []
        let signals = try Signals([SIGUSR1, SIGUSR2], on: loop) { caught.append($0) }
        kill(getpid(), SIGUSR1)
        while caught.isEmpty { loop.turn() }
        kill(getpid(), SIGUSR2)
        while caught.count < 2 { loop.turn() }
        signals.end()
        #expect(caught == [SIGUSR1, SIGUSR2])
    }
}
