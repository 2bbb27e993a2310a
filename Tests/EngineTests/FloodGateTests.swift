import Reactor
import Testing

@testable import Sessions

/// A flood is folded in windows of one second; what comes slowly is always shown.
@Suite struct FloodGateTests {
    @Test func aFloodIsFoldedUntilItsWindowEnds() {
        let start = EventLoop().readClock()
        var gate = FloodGate()
        let admitted = (0..<5000).count { gate.admits(at: start + .microseconds($0 * 100)) }
        #expect(admitted == FloodGate.most)
        let whole = gate.end()
        #expect(whole == (5000, 4000))
        let isShown = gate.admits(at: start + .seconds(1))
        #expect(isShown)
    }

    @Test func aSlowStreamIsShown() {
        let start = EventLoop().readClock()
        var gate = FloodGate()
        let admitted = (0..<5000).count { gate.admits(at: start + .milliseconds($0 * 2)) }
        #expect(admitted == 5000)
    }
}
