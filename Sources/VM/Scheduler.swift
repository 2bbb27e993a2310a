import DequeModule
import Reactor
import Results

/// Runs strands: the queue of ready strands, their waits and deadlines, and the delivery of their failures.
///
/// A strand runs until it waits; a relevant change or its deadline makes it ready again. No two strands may read from
/// the same object. Nothing here blocks: `runReady` runs what can run now, and the loop is turned elsewhere.
package final class Scheduler {
    /// The outcome of a strand.
    package enum Outcome {
        case passed
        case failed(Failure)
        /// Ended by `exit` or `quit`, with the status if one was given.
        case exited(Int32?)
        /// Canceled at the prompt, or because another strand has failed.
        case cancelled
    }

    package let loop: EventLoop
    /// The host of the strands. It owns the scheduler and outlives it. The reference is not counted because each step
    /// of a loop may follow it.
    package unowned(unsafe) let host: any Host
    package let variables: Variables
    package let definitions: Definitions
    package let barriers = Barriers()
    /// Called when an instruction ends the run of all strands.
    private let onExit: (Int32?) -> Void
    private var ready: Deque<Strand> = []
    /// The strand that is running now.
    package private(set) var running: Strand?
    /// The blocks of `defer` that run at the end of the script, the last one first.
    var deferred: [Call] = []
    private var strandCount = 0

    /// The delay before another check of a deadline that passed while nothing was read.
    private static let holdingDelay = Duration.milliseconds(200)
    /// The maximum number of strands besides the script: each takes memory before it has done anything.
    private static let maxStrands = 100_000
    /// The number of steps a strand may take before the loop checks the descriptors again.
    private static let stepsInTurn = 1000
    /// The number of steps between checks that the reader of the output keeps up.
    private static let stepsBetweenLooks = 20

    package init(
        on loop: EventLoop, host: any Host, variables: Variables, definitions: Definitions,
        onExit: @escaping (Int32?) -> Void
    ) {
        self.loop = loop
        self.host = host
        self.variables = variables
        self.definitions = definitions
        self.onExit = onExit
    }

    /// Whether a strand is ready to run.
    package var hasReady: Bool { !ready.isEmpty }

    /// Starts a strand concurrently with the running ones.
    package func start(_ strand: Strand) {
        if strand.place != nil { strandCount += 1 }
        wake(strand)
    }

    /// Returns a strand for the last block of `defer` of the script that has not run yet, or nil.
    package func nextDeferred() -> Strand? { deferred.popLast().map { Strand(calling: $0, on: self) } }

    /// Throws if `count` more strands would exceed the limit.
    package func requireRoom(forStrands count: Int) throws(Failure) {
        guard count <= Self.maxStrands - strandCount else {
            throw Failure(.expectation, "too many strands (limit \(Self.maxStrands))")
        }
    }

    /// Runs the ready strands as far as they can run now.
    package func runReady() {
        guard !host.isCongested else { return }
        for _ in 0..<ready.count {
            guard let strand = ready.popFirst() else { return }
            strand.isReady = false
            if !strand.isFinished { resume(strand) }
        }
    }

    /// Makes a waiting strand check its wait again.
    package func wake(_ strand: Strand) {
        guard !strand.isReady, !strand.isFinished else { return }
        strand.isReady = true
        ready.append(strand)
    }

    /// Ends a strand now; what it has deferred runs where it was started, or at the end of the script.
    package func cancel(_ strand: Strand) {
        guard !strand.isFinished else { return }
        let deferred = strand.takeDeferred()
        finish(strand, .cancelled)
        for call in deferred {
            if let parent = strand.parent { parent.add(deferred: call) } else { self.deferred.append(call) }
        }
    }

    /// Ends a strand with an external failure: an interrupt, the time limit of the run.
    package func stop(_ strand: Strand, _ failure: Failure) {
        end(strand, .failed(placed(failure, strand)))
    }

    /// Ends a strand because of another one. Its deferred blocks run first, unless it is already ending.
    package func end(_ strand: Strand, _ outcome: Outcome) {
        guard !strand.isFinished else { return }
        guard !strand.isEnding else { return finish(strand, outcome) }
        strand.isEnding = true
        depart(strand, .end(outcome))
    }

    /// Extends a wait that makes progress, at its deadline.
    package func extend(_ strand: Strand, by time: Duration) {
        guard strand.wait != nil, !strand.isCut else { return }
        strand.timer = loop.schedule(after: time) { [unowned self, unowned strand] in deadlinePassed(strand) }
    }

    private func resume(_ strand: Strand) {
        running = strand
        defer { running = nil }
        do throws(Failure) {
            if let wait = strand.wait {
                guard try check(wait, strand, isLate: false) else { return }
                endWait(strand)
                strand.position = wait.destination ?? strand.position + 1
            }
            try run(strand)
        } catch {
            fail(strand, error)
        }
    }

    private func run(_ strand: Strand) throws(Failure) {
        let isTracing = host.isTracing
        for step in 1...Self.stepsInTurn {
            guard let instruction = strand.instruction else {
                guard let outcome = strand.returnFromCall() else { continue }
                return finish(strand, outcome)
            }
            if isTracing, strand.beginsStatement { host.trace(instruction.range) }
            switch try instruction.execute(in: strand) {
            case .next: strand.position += 1
            case .jump(let position): strand.position = position
            case .call(let call): try strand.enter(call)
            case .exit(let status): return onExit(status)
            case .wait(let wait):
                try refuseSecondReader(wait, strand)
                let began = loop.readClock()
                guard try check(wait, strand, isLate: false) else { return begin(wait, strand) }
                strand.pauseIfLong(since: began)
                strand.position = wait.destination ?? strand.position + 1
            }
            if strand.takePause() { break }
            if step % Self.stepsBetweenLooks == 0, host.isCongested { break }
        }
        wake(strand)
    }

    private func check(_ wait: any Wait, _ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        do throws(Failure) {
            return try wait.check(strand, isLate: isLate)
        } catch {
            throw host.explained(error)
        }
    }

    private func refuseSecondReader(_ wait: any Wait, _ strand: Strand) throws(Failure) {
        guard wait.isReading else { return }
        for queue in wait.queues {
            guard let other = queue.reader, other !== strand else { continue }
            throw Failure(
                .expectation,
                "\(queue.title): only one strand at a time can wait to receive: \(strand.title) conflicts with \(other.title)"
            )
        }
    }

    private func begin(_ wait: any Wait, _ strand: Strand) {
        strand.wait = wait
        strand.waitsAt = wait.queues
        for queue in strand.waitsAt { queue.add(strand, isReader: wait.isReading) }
        strand.isCut = false
        if let cutoff = strand.cutoff, loop.readClock() + (wait.limit ?? .seconds(31_536_000)) > cutoff {
            strand.isCut = true
            wait.limit = max(.zero, cutoff - loop.readClock())
        }
        guard let limit = wait.limit else { return }
        strand.timer = loop.schedule(after: limit) { [unowned self, unowned strand] in deadlinePassed(strand) }
    }

    private func deadlinePassed(_ strand: Strand) {
        guard let wait = strand.wait else { return }
        if host.isHolding {
            strand.timer = loop.schedule(after: Self.holdingDelay) { [unowned self, unowned strand] in
                deadlinePassed(strand)
            }
            return
        }
        do throws(Failure) {
            if strand.isCut && wait.succeedsLate {
                throw Failure(.expectation, "'retry' ran out of time while waiting for \(wait.wanted)")
            }
            if try check(wait, strand, isLate: true) {
                endWait(strand)
                strand.position = wait.destination ?? strand.position + 1
                wake(strand)
            }
        } catch {
            fail(strand, error)
        }
    }

    /// Fails a strand at its current statement, because of a failure elsewhere.
    package func interrupt(_ strand: Strand, _ failure: Failure) {
        guard !strand.isFinished else { return }
        fail(strand, failure)
    }

    /// Passes a failure to the block that handles it, or ends the strand with it.
    private func fail(_ strand: Strand, _ failure: Failure) {
        let failure = placed(failure, strand)
        host.didReport(failure)
        depart(strand, .failure(failure))
    }

    /// Leaves the blocks of a strand as far as possible now.
    private func depart(_ strand: Strand, _ cause: Strand.Departure) {
        strand.wait?.cancel()
        endWait(strand)
        if let outcome = strand.depart(cause) { finish(strand, outcome) } else { wake(strand) }
    }

    private func endWait(_ strand: Strand) {
        for queue in strand.waitsAt { queue.remove(strand) }
        strand.waitsAt = []
        if let timer = strand.timer { loop.cancel(timer) }
        strand.timer = nil
        strand.wait = nil
    }

    private func finish(_ strand: Strand, _ outcome: Outcome) {
        guard !strand.isFinished else { return }
        strand.isFinished = true
        if strand.place != nil { strandCount -= 1 }
        strand.wait?.cancel()
        endWait(strand)
        strand.onEnd(outcome)
    }

    private func placed(_ failure: Failure, _ strand: Strand) -> Failure {
        var failure = failure
        failure.range = failure.range ?? strand.instruction?.range
        if failure.trace == nil, let range = failure.range { failure.trace = strand.trace(from: range) }
        return failure
    }
}

extension Strand: Waiter {
    /// Makes the strand check its wait again.
    package func wake() { scheduler.wake(self) }
}
