import Reactor
import Results
import Script
import VM

/// A strand that `start` has begun: it runs concurrently until it ends, or the script or test that started it does.
package final class Background: Resource {
    package let name: String
    private let strand: Strand
    private unowned let world: World
    /// Woken when it has ended.
    package let waiters: WaitQueue
    package private(set) var isOpen = true

    fileprivate init(_ name: String, _ strand: Strand, _ world: World) {
        self.name = name
        self.strand = strand
        self.world = world
        waiters = WaitQueue(title: name)
        strand.onEnd = { [weak self] outcome in self?.ended(outcome) }
    }

    /// Whether a strand is this one, or one that it waits for.
    package func contains(_ other: Strand) -> Bool {
        sequence(first: other, next: \.parent).contains { $0 === strand }
    }

    package func close() {
        guard isOpen else { return }
        world.scheduler.cancel(strand)
    }

    private func ended(_ outcome: Scheduler.Outcome) {
        isOpen = false
        world.backgrounds[name] = nil
        waiters.wakeAll()
        switch outcome {
        case .passed, .cancelled: break
        case .failed(let failure): world.fail(failure)
        case .exited: world.end(outcome)
        }
    }
}

extension World {
    /// Starts a strand under a name that no running one has.
    package func startBackground(_ name: String, _ strand: Strand) throws(Failure) -> Background {
        guard backgrounds[name] == nil else {
            throw Failure(
                .expectation, "'\(visible(name))' is still running", details: ["wait for it: join \(visible(name))"])
        }
        let background = Background(name, strand, self)
        backgrounds[name] = background
        startedNames.insert(name)
        scheduler.start(strand)
        return background
    }

    /// Returns the running strand of `start` with this name, or nil if it has ended. Throws if there never was one.
    package func background(named name: String) throws(Failure) -> Background? {
        guard startedNames.contains(name) else { throw Failure(.expectation, "'\(visible(name))' was never started") }
        return backgrounds[name]
    }

    /// Ends all strands that `start` has begun, at the end of the script.
    package func endBackgrounds() {
        for background in Array(backgrounds.values) { background.close() }
    }
}
