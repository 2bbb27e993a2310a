import Reactor
import TestSupport
import Testing

@testable import Wire

/// One direction of a tunnel, with its own clock: what is delivered when.
@Suite struct FlowTests {
    /// What a flow has delivered, each piece with its time in milliseconds since the start.
    private struct Delivery {
        var pieces: [(time: Int, bytes: [UInt8])] = []
        var ending: String?

        var bytes: [UInt8] { pieces.flatMap(\.bytes) }
    }

    private static let start = Instant(nanoseconds: 1_000_000_000)

    private static func flow(isDatagram: Bool = false, limit: Int = 1 << 20, seed: UInt64 = 1) -> Flow {
        var generator = Generator(seed: seed)
        return Flow(isDatagram: isDatagram, limit: limit) { Double(generator.next() % 1_000_000) / 1_000_000 }
    }

    private static func give(_ bytes: [UInt8], to flow: Flow, at milliseconds: Int = 0) {
        bytes.withUnsafeBytes { flow.receive($0, at: start + .milliseconds(milliseconds)) }
    }

    /// Delivers what is due, from one time to another, as a loop with perfect timers does.
    private static func run(_ flow: Flow, from first: Int = 0, until last: Int) -> Delivery {
        var delivery = Delivery()
        var now = start + .milliseconds(first)
        while true {
            switch flow.next(at: now) {
            case .deliver(let bytes, let range):
                delivery.pieces.append((Int(((now - start).inSeconds * 1000).rounded(.down)), Array(bytes[range])))
                flow.advance(range.count)
            case .wait(let time):
                guard let time, time <= start + .milliseconds(last) else { return delivery }
                #expect(time > now)
                now = time
            case .end(let isReset):
                flow.finish()
                delivery.ending = isReset ? "reset" : "end"
                return delivery
            case .cut(let isReset):
                delivery.ending = isReset ? "reset by fault" : "cut by fault"
                return delivery
            }
        }
    }

    @Test func aDelayKeepsOrderAndSpacing() {
        let flow = Self.flow()
        flow.set(.delay(.milliseconds(100), jitter: .zero), at: Self.start)
        Self.give([1], to: flow, at: 0)
        Self.give([2], to: flow, at: 30)
        flow.receiveEnd(isReset: false, at: Self.start + .milliseconds(50))
        let delivery = Self.run(flow, until: 1000)
        #expect(delivery.pieces.map(\.time) == [100, 130])
        #expect(delivery.bytes == [1, 2] && delivery.ending == "end")
    }

    @Test(arguments: 1...20) func jitterKeepsOrder(seed: UInt64) {
        let flow = Self.flow(seed: seed)
        flow.set(.delay(.milliseconds(50), jitter: .milliseconds(50)), at: Self.start)
        for index in 0..<100 { Self.give([UInt8(index)], to: flow, at: index) }
        let delivery = Self.run(flow, until: 1000)
        #expect(delivery.bytes == (0..<100).map { UInt8($0) })
        for (index, piece) in delivery.pieces.enumerated() { #expect((index...(index + 100)).contains(piece.time)) }
        #expect(Set(zip(delivery.pieces.indices, delivery.pieces).map { $1.time - $0 }).count > 10)
    }

    @Test(arguments: [100, 1000, 65536, 1_000_000]) func aRateHoldsOverTenSeconds(rate: Int) {
        let flow = Self.flow()
        flow.set(.rate(rate), at: Self.start)
        Self.give([UInt8](repeating: 7, count: rate * 20), to: flow)
        let delivery = Self.run(flow, until: 10_000)
        let expected = rate * 10
        #expect(abs(delivery.bytes.count - expected) <= max(expected / 50, 1))
        // No burst is above a twentieth of a second.
        #expect(delivery.pieces.allSatisfy { $0.bytes.count <= max(1, rate / 20) })
    }

    @Test func idleTimeGivesNoBurst() {
        let flow = Self.flow()
        flow.set(.rate(1000), at: Self.start)
        Self.give([UInt8](repeating: 7, count: 1000), to: flow, at: 5000)
        let delivery = Self.run(flow, from: 5000, until: 5100)
        #expect((95...155).contains(delivery.bytes.count))
    }

    @Test func aSliceIsAtMostThatLong() {
        let flow = Self.flow()
        flow.set(.slice(3, every: .milliseconds(10)), at: Self.start)
        Self.give(Array("abcdefgh".utf8), to: flow)
        let delivery = Self.run(flow, until: 1000)
        #expect(delivery.pieces.map { String(decoding: $0.bytes, as: UTF8.self) } == ["abc", "def", "gh"])
        #expect(delivery.pieces.map(\.time) == [0, 10, 20])
    }

    @Test func pauseAndPassHoldBack() {
        let flow = Self.flow()
        flow.set(.pass(3), at: Self.start)
        Self.give(Array("abcdef".utf8), to: flow)
        flow.receiveEnd(isReset: false, at: Self.start)
        #expect(Self.run(flow, until: 1000).bytes == Array("abc".utf8))
        flow.set(.pause, at: Self.start)
        flow.remove(.pass)
        #expect(Self.run(flow, until: 1000).bytes.isEmpty)
        flow.remove(.pause)
        let rest = Self.run(flow, until: 1000)
        #expect(rest.bytes == Array("def".utf8) && rest.ending == "end")
    }

    @Test(arguments: [0, 1, 5, 6]) func aCutIsAtThatByte(count: Int) {
        for (fault, ending) in [(Fault.cut(after: count), "cut by fault"), (.reset(after: count), "reset by fault")] {
            let flow = Self.flow()
            flow.set(fault, at: Self.start)
            Self.give(Array("abc".utf8), to: flow)
            Self.give(Array("def".utf8), to: flow)
            let delivery = Self.run(flow, until: 1000)
            #expect(delivery.bytes == Array("abcdef".utf8.prefix(count)) && delivery.ending == ending)
        }
    }

    @Test func corruptInvertsOneBitOfOneByte() {
        let flow = Self.flow()
        flow.set(.corrupt(5), at: Self.start)
        Self.give(Array("abc".utf8), to: flow)
        Self.give(Array("abcdefgh".utf8), to: flow)
        #expect(Self.run(flow, until: 10).bytes == Array("abc".utf8) + Array("accdefgh".utf8))
    }

    @Test func swallowLosesAllAndTheEnd() {
        let flow = Self.flow()
        flow.set(.swallow, at: Self.start)
        Self.give(Array("abc".utf8), to: flow)
        flow.receiveEnd(isReset: false, at: Self.start)
        let lost = Self.run(flow, until: 1000)
        #expect(lost.bytes.isEmpty && lost.ending == nil && flow.held == 0)
    }

    @Test(arguments: 1...50) func nothingIsLostOrDoubledWhateverTheSplit(seed: UInt64) {
        var generator = Generator(seed: seed)
        let flow = Self.flow(limit: 1 << 30, seed: seed)
        var sent: [UInt8] = []
        var got: [UInt8] = []
        var now = 0
        for _ in 0..<200 {
            switch generator.next() % 8 {
            case 0: flow.set(.delay(.milliseconds(Int(generator.next() % 50)), jitter: .milliseconds(9)), at: at(now))
            case 1: flow.set(.slice(Int(generator.next() % 9) + 1, every: .milliseconds(1)), at: at(now))
            case 2: flow.set(.rate(Int(generator.next() % 5000) + 500), at: at(now))
            case 3: flow.set(.pause, at: at(now))
            case 4: flow.remove(Fault.Kind.allCases[Int(generator.next() % 5)])
            default: break
            }
            let piece = (0..<(generator.next() % 40)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            sent += piece
            Self.give(piece, to: flow, at: now)
            let later = now + Int(generator.next() % 20)
            got += Self.run(flow, from: now, until: later).bytes
            now = later
        }
        for kind in Fault.Kind.allCases { flow.remove(kind) }
        flow.receiveEnd(isReset: true, at: at(now))
        let rest = Self.run(flow, from: now, until: now + 100_000)
        #expect(got + rest.bytes == sent && rest.ending == "reset" && flow.held == 0)
        #expect(flow.delivered == sent.count)
    }

    private func at(_ milliseconds: Int) -> Instant { Self.start + .milliseconds(milliseconds) }

    @Test func datagramsAreLostDoubledAndReordered() {
        func deliver(_ fault: Fault) -> [UInt8] {
            let flow = Self.flow(isDatagram: true)
            flow.set(fault, at: Self.start)
            for index in 0..<100 { Self.give([UInt8(index)], to: flow, at: index) }
            return Self.run(flow, from: 100, until: 1000).bytes
        }
        let lost = deliver(.lose(0.3))
        #expect((50...90).contains(lost.count) && lost == lost.sorted())
        let doubled = deliver(.duplicate(0.3))
        #expect((110...150).contains(doubled.count) && Set(doubled).count == 100)
        let reordered = deliver(.reorder(3))
        #expect(reordered.count == 100 && reordered.sorted() == (0..<100).map { UInt8($0) })
        #expect(reordered != reordered.sorted())
        for (place, number) in reordered.enumerated() { #expect(abs(place - Int(number)) <= 3) }
        #expect(deliver(.lose(1)).isEmpty && deliver(.lose(0)).count == 100)
    }

    @Test func aDatagramIsDeliveredWhole() {
        let flow = Self.flow(isDatagram: true)
        flow.set(.rate(100), at: Self.start)
        Self.give([UInt8](repeating: 1, count: 50), to: flow)
        Self.give([], to: flow)
        Self.give([UInt8](repeating: 2, count: 50), to: flow)
        let delivery = Self.run(flow, until: 2000)
        #expect(delivery.pieces.map(\.bytes.count) == [50, 0, 50])
        #expect(delivery.pieces.map(\.time) == [500, 500, 1000])
    }
}
