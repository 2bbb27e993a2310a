import Reactor
import TestSupport
import Wire

/// One direction of a tunnel with faults that change, against a model: order is kept, nothing is invented, what is not
/// swallowed arrives once the faults are gone, and the wait is always for a later time.
enum FlowTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var choices = Choices(input[...])
        var generator = Generator(seed: UInt64(choices.byte()))
        let flow = Flow(isDatagram: false, limit: 1 << 16) { Double(generator.next() % 1000) / 1000 }
        var now = Instant(nanoseconds: 1_000_000_000)
        var (given, delivered): ([UInt8], [UInt8]) = ([], [])
        var most: Int?
        var state = ""
        while !choices.isEmpty, state.isEmpty {
            switch choices.number(below: 4) {
            case 0:
                let bytes = (0...choices.number(below: 200)).map { UInt8(truncatingIfNeeded: given.count + $0) }
                bytes.withUnsafeBytes { flow.receive($0, at: now) }
                given += bytes
            case 1:
                let fault = fault(&choices)
                if case .cut(let after) = fault { most = delivered.count + after }
                flow.set(fault, at: now)
            case 2:
                let kind = Fault.Kind.allCases[choices.number(below: Fault.Kind.allCases.count)]
                flow.remove(kind)
                if kind == .cut { most = nil }
            default: now = now + .milliseconds(choices.number(below: 100))
            }
            state = deliver(flow, until: &now, by: now, into: &delivered)
            require(given.starts(with: delivered), "other bytes arrive than were sent")
            require(flow.held == given.count - delivered.count, "the count of held bytes is wrong")
            if let most { require(delivered.count <= most, "more arrives than before the cut") }
        }
        if state == "cut" { return }
        for kind in Fault.Kind.allCases { flow.remove(kind) }
        flow.receiveEnd(isReset: false, at: now)
        state = deliver(flow, until: &now, by: now + .seconds(1000), into: &delivered)
        require(state == "end" && delivered == given, "without faults something is missing: \(state)")
    }

    private static func fault(_ choices: inout Choices) -> Fault {
        switch choices.number(below: 6) {
        case 0: .delay(.milliseconds(choices.number(below: 100)), jitter: .milliseconds(choices.number(below: 50)))
        case 1: .rate(1 + choices.number(below: 255) * 10)
        case 2: .slice(1 + choices.number(below: 20), every: .milliseconds(choices.number(below: 20)))
        case 3: .pause
        case 4: .pass(choices.number(below: 100))
        default: .cut(after: choices.number(below: 200))
        }
    }

    /// Delivers what is due up to a time; returns how the flow has ended, or nothing.
    private static func deliver(
        _ flow: Flow, until now: inout Instant, by last: Instant, into delivered: inout [UInt8]
    ) -> String {
        while true {
            switch flow.next(at: now) {
            case .deliver(let bytes, let range):
                require(!range.isEmpty, "nothing is delivered, again and again")
                delivered += bytes[range]
                flow.advance(range.count)
            case .wait(let time):
                guard let time, time <= last else { return "" }
                require(time > now, "the wait is for a time that is over")
                now = time
            case .end:
                flow.finish()
                return "end"
            case .cut: return "cut"
            }
        }
    }
}
