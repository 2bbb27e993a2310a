import Testing
import TestSupport

@testable import Reactor

struct TimersTests {
    @Test func firesEarliestFirstAndEqualDeadlinesInOrder() {
        var timers = Timers()
        var fired: [String] = []
        for (name, time) in [("c", 30), ("a", 10), ("b1", 20), ("b2", 20)] as [(String, Int64)] {
            _ = timers.add(deadline: Instant(nanoseconds: time)) { fired.append(name) }
        }
        while let action = timers.takeDue(at: Instant(nanoseconds: 25)) { action() }
        #expect(fired == ["a", "b1", "b2"])
        #expect(timers.earliest == Instant(nanoseconds: 30))
    }

    @Test func behavesLikeASortedListUnderRandomAddsAndCancels() {
        var generator = Generator(seed: 11)
        var timers = Timers()
        var model: [(deadline: Int64, id: Int, timer: Timer)] = []
        var fired: [Int] = []
        for id in 0..<2000 {
            let deadline = Int64.random(in: 0..<500, using: &generator)
            model.append((deadline, id, timers.add(deadline: Instant(nanoseconds: deadline)) { fired.append(id) }))
            if Int.random(in: 0..<3, using: &generator) == 0 {
                let index = Int.random(in: 0..<model.count, using: &generator)
                timers.cancel(model[index].timer)
                #expect(!model[index].timer.isPending)
                model.remove(at: index)
            }
        }
        while let action = timers.takeDue(at: Instant(nanoseconds: 1000)) { action() }
        #expect(fired == model.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }.map(\.id))
        #expect(timers.earliest == nil)
    }

    @Test func cancellingTwiceChangesNothing() {
        var timers = Timers()
        let timer = timers.add(deadline: Instant(nanoseconds: 1)) {}
        _ = timers.add(deadline: Instant(nanoseconds: 2)) {}
        timers.cancel(timer)
        timers.cancel(timer)
        #expect(timers.earliest == Instant(nanoseconds: 2))
    }
}
