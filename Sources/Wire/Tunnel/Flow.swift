import DequeModule
import Reactor

/// One direction of a relay as pure state: takes data and the time, and returns what is due.
///
/// Faults apply in the order swallow, corrupt, slice, delay, rate, pause and pass, cut and reset.
package final class Flow {
    /// What is to be done with the receiving side.
    package enum Action {
        /// Deliver the beginning of these bytes, at most this many, and call `advance`; a datagram is delivered whole.
        case deliver([UInt8], Range<Int>)
        /// Nothing before this time; nil if something else has to happen first.
        case wait(until: Instant?)
        /// End the receiving side like the sending one.
        case end(isReset: Bool)
        /// End both sides.
        case cut(isReset: Bool)
    }

    private struct Piece {
        let bytes: [UInt8]
        var offset = 0
        let ready: Instant
    }

    /// The bytes that are held at most before the sender is not read any more.
    package let limit: Int
    private let isDatagram: Bool
    private let random: () -> Double
    private var faults: [Fault.Kind: Fault] = [:]
    /// The bytes since each fault was set.
    private var counts: [Fault.Kind: Int] = [:]
    private var pieces: Deque<Piece> = []
    package private(set) var held = 0
    /// The bytes that have been delivered.
    package private(set) var delivered = 0
    private var end: (isReset: Bool, ready: Instant)?
    private var hasEnded = false
    private var lastReady: Instant?
    private var nextSlice: Instant?
    /// The bytes that the rate allows now, and since when.
    private var credit = 0.0
    private var creditAt: Instant?
    /// Datagrams that wait to change places, and how long they may.
    private var shuffled: [[UInt8]] = []
    private var shuffledUntil: Instant?
    private static let longestShuffle = Duration.milliseconds(100)

    /// - Parameter random: returns a number from 0 up to 1.
    package init(isDatagram: Bool, limit: Int, random: @escaping () -> Double) {
        self.isDatagram = isDatagram
        self.limit = limit
        self.random = random
    }

    package var isFull: Bool { held >= limit }
    /// Whether data can be delivered as it comes.
    package var isClear: Bool { faults.isEmpty && pieces.isEmpty && shuffled.isEmpty && end == nil }
    /// Whether the end of the sending side has been delivered.
    package var isOver: Bool { hasEnded }
    /// The faults, for people.
    package var kinds: [Fault.Kind] { Fault.Kind.allCases.filter { faults[$0] != nil } }

    package func set(_ fault: Fault, at now: Instant) {
        faults[fault.kind] = fault
        counts[fault.kind] = 0
        if fault.kind == .rate { (credit, creditAt) = (0, now) }
    }

    package func remove(_ kind: Fault.Kind) {
        faults[kind] = nil
        counts[kind] = nil
    }

    // MARK: The sending side

    /// Takes data, or one datagram.
    package func receive(_ bytes: UnsafeRawBufferPointer, at now: Instant) {
        if faults[.swallow] != nil { return }
        let data = corrupted(bytes)
        guard !isDatagram else { return receive(datagram: data, at: now) }
        guard case .slice(let size, let pause)? = faults[.slice] else { return add(data, at: ready(now)) }
        for start in stride(from: 0, to: data.count, by: size) {
            let due = max(ready(now), nextSlice ?? now)
            nextSlice = due + pause
            add(Array(data[start..<min(start + size, data.count)]), at: due)
        }
    }

    /// Counts data that was delivered as it came, because nothing is in its way.
    package func passed(_ count: Int) { delivered += count }

    /// Takes the end of the sending side.
    package func receiveEnd(isReset: Bool, at now: Instant) {
        flushShuffled(at: now)
        if end == nil { end = (isReset, faults[.swallow] == nil ? ready(now) : now) }
    }

    private func corrupted(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var data = Array(bytes)
        guard case .corrupt(let number)? = faults[.corrupt] else { return data }
        let index = number - 1 - counts[.corrupt, default: 0]
        if data.indices.contains(index) { data[index] ^= 1 }
        counts[.corrupt, default: 0] += data.count
        return data
    }

    private func receive(datagram: [UInt8], at now: Instant) {
        if case .lose(let share)? = faults[.lose], random() < share { return }
        let isTwice = if case .duplicate(let share)? = faults[.duplicate] { random() < share } else { false }
        for _ in 0..<(isTwice ? 2 : 1) {
            guard case .reorder(let places)? = faults[.reorder] else {
                add(datagram, at: ready(now))
                continue
            }
            shuffled.append(datagram)
            held += datagram.count
            shuffledUntil = shuffledUntil ?? now + Self.longestShuffle
            if shuffled.count > places { flushShuffled(at: now) }
        }
    }

    /// Delivers the datagrams that waited, in another order.
    private func flushShuffled(at now: Instant) {
        while !shuffled.isEmpty {
            let index = min(Int(random() * Double(shuffled.count)), shuffled.count - 1)
            let datagram = shuffled.remove(at: index)
            held -= datagram.count
            add(datagram, at: ready(now))
        }
        shuffledUntil = nil
    }

    /// Returns when data that has just come is delivered. Order is kept.
    private func ready(_ now: Instant) -> Instant {
        var due = now
        if case .delay(let time, let jitter)? = faults[.delay] {
            let spread = jitter == .zero ? .zero : jitter * (2 * random() - 1)
            due = now + max(.zero, time + spread)
        }
        due = max(due, lastReady ?? due)
        lastReady = due
        return due
    }

    private func add(_ bytes: [UInt8], at ready: Instant) {
        pieces.append(Piece(bytes: bytes, ready: ready))
        held += bytes.count
    }

    // MARK: The receiving side

    package func next(at now: Instant) -> Action {
        if let limit = limitOfConnection, limit.rest <= 0 { return .cut(isReset: limit.isReset) }
        if let until = shuffledUntil, until <= now { flushShuffled(at: now) }
        guard let piece = pieces.first else {
            guard let end, !hasEnded else { return .wait(until: shuffledUntil) }
            // What is black-holed or paused does not end either.
            guard end.ready <= now else { return .wait(until: end.ready) }
            return isPaused || faults[.swallow] != nil ? .wait(until: nil) : .end(isReset: end.isReset)
        }
        guard piece.ready <= now else { return .wait(until: piece.ready) }
        guard !isPaused else { return .wait(until: nil) }
        var count = piece.bytes.count - piece.offset
        if case .pass(let number)? = faults[.pass] { count = min(count, number - counts[.pass, default: 0]) }
        if let limit = limitOfConnection { count = min(count, limit.rest) }
        if case .rate(let rate)? = faults[.rate] {
            if let later = refill(rate, for: count, at: now) { return .wait(until: later) }
            if !isDatagram { count = min(count, Int(credit)) }
        }
        return .deliver(piece.bytes, piece.offset..<(piece.offset + count))
    }

    private var isPaused: Bool {
        if case .pass(let number)? = faults[.pass], counts[.pass, default: 0] >= number { return true }
        return faults[.pause] != nil
    }

    /// The bytes until the connection is cut or reset.
    private var limitOfConnection: (rest: Int, isReset: Bool)? {
        if case .cut(let after)? = faults[.cut] { return (after - counts[.cut, default: 0], false) }
        if case .reset(let after)? = faults[.reset] { return (after - counts[.reset, default: 0], true) }
        return nil
    }

    /// Adds what the rate allows since the last time; returns the time when there is enough, or nil if there is now.
    private func refill(_ rate: Int, for count: Int, at now: Instant) -> Instant? {
        let burst = max(1, Double(rate) / 20)
        let passed = (now - (creditAt ?? now)).inSeconds
        creditAt = now
        credit = min(isDatagram ? max(burst, Double(count)) : burst, credit + passed * Double(rate))
        // Single bytes would keep the processor busy: a fiftieth of a second at a time.
        let wanted = isDatagram ? Double(count) : min(Double(count), max(1, Double(rate) / 50))
        guard credit < wanted else { return nil }
        return now + .seconds((wanted - credit) / Double(rate)) + .microseconds(1)
    }

    /// Counts bytes that were delivered.
    package func advance(_ count: Int) {
        guard var piece = pieces.popFirst() else { return }
        piece.offset += count
        held -= count
        delivered += count
        if piece.offset < piece.bytes.count { pieces.prepend(piece) }
        for kind in [Fault.Kind.pass, .cut, .reset] where faults[kind] != nil { counts[kind, default: 0] += count }
        if faults[.rate] != nil { credit -= Double(count) }
    }

    /// Notes that the end was delivered.
    package func finish() { hasEnded = true }
}
