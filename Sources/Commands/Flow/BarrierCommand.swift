import Results
import Script
import VM

/// `barrier`: waits until several strands have arrived.
struct BarrierCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "barrier", summary: "wait until N strands have arrived",
            forms: [
                Form(.parameter(Parameter("NAME", .text)), .parameter(Parameter("N", .count)), .within)
            ],
            text: """
                The first N-1 strands that reach barrier NAME wait for the N-th; then all continue, and the barrier \
                can be used again. If they do not all arrive within D (default: the timeout setting), it is a \
                failure.
                """,
            examples: [
                "parallel 10 as i {\n    open c${i} localhost:8080\n    barrier connected 10\n    c${i}> go\n}"
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            BarrierInstruction(
                name: Value(string: try call.required("NAME")), count: Value(count: try call.required("N")),
                limit: call.within, range: call.range))
    }
}

private struct BarrierInstruction: Instruction {
    let name: Value<String>
    let count: Value<Int>
    let limit: Value<Duration>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let limit = try limit?.evaluate(in: strand) ?? world.settings.timeout
        return .wait(
            BarrierWait(
                name: try name.evaluate(in: strand), count: try count.evaluate(in: strand), of: strand,
                limit: world.settings.scaled(limit)))
    }
}

private final class BarrierWait: Wait, Arrival {
    var limit: Duration?
    private let name: String
    private let count: Int
    private var isOpen = false
    private unowned let strand: Strand

    init(name: String, count: Int, of strand: Strand, limit: Duration) {
        self.name = name
        self.count = count
        self.strand = strand
        self.limit = limit
        strand.scheduler.barriers.arrive(self, at: name, count: count)
    }

    var wanted: String { "barrier \(name)" }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if isOpen { return true }
        guard isLate else { return false }
        let arrived = strand.scheduler.barriers.count(at: name)
        throw Failure(
            .expectation,
            "barrier \(name): timed out after \(shown(limit ?? .zero)): \(arrived) of \(count) strands arrived")
    }

    func cancel() {
        if !isOpen { strand.scheduler.barriers.leave(self, name) }
    }

    func open() {
        isOpen = true
        strand.wake()
    }
}
