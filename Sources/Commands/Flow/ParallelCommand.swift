import Results
import Script
import VM

/// `parallel`: runs blocks concurrently.
struct ParallelCommand: Command {
    private static var branch: CommandDescription {
        CommandDescription(
            name: "branch", summary: "",
            forms: [Form(.optional([.parameter(Parameter("NAME", .text))]), content: .statements)],
            startsStrand: true)
    }

    static var description: CommandDescription {
        CommandDescription(
            name: "parallel", summary: "run blocks concurrently",
            forms: [
                Form(
                    .parameter(Parameter("N", .count)),
                    .optional([.keyword("as"), .parameter(Parameter("I", .localVariable))]), content: .statements),
                Form(content: .rows(branch)),
            ],
            startsStrand: true,
            text: """
                With N, the block runs N times concurrently, and ${I} counts from 1. Without N, the block contains \
                'branch [NAME] {' blocks, which run concurrently. The script continues when all are done. The first \
                failure cancels the others and names its branch or round.
                """,
            examples: [
                "parallel 100 as i {\n    open c${i} localhost:8080\n    c${i}> ping\n    c${i}< PING\n}",
                "parallel {\n    branch writer {\n        a> SET x 1\n        a< OK\n    }\n    branch {\n"
                    + "        expect b \"x\"\n    }\n}",
            ],
            caveats: [
                """
                Each strand starts with its own copy of the captures, parameters and loop variables, and has its own \
                variables. To count in all of them, set the variable above the block: let n 0.
                """,
                "Two strands must not wait for the same session.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        if let argument = call.argument("N") {
            let program = compiler.strand(call, sessions: call.sessionsOpenedInside)
            compiler.emit(
                ParallelRoundsInstruction(
                    count: Value(count: argument), name: call.argument("I")?.template.literalText, program: program,
                    range: call.range))
            return
        }
        guard !call.block.isEmpty else {
            throw ScriptError(call.range, "parallel needs a branch", hint: "write branch { … } inside")
        }
        var branches: [ParallelBranchesInstruction.Branch] = []
        for case .command(let row) in call.block {
            branches.append(
                ParallelBranchesInstruction.Branch(
                    name: row.argument("NAME").map { Value(string: $0) },
                    program: compiler.strand(row, sessions: row.sessionsOpenedInside), range: row.range))
        }
        compiler.emit(ParallelBranchesInstruction(branches: branches, range: call.range))
    }
}

private struct ParallelRoundsInstruction: Instruction {
    let count: Value<Int>
    let name: String?
    let program: Program
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let count = try count.evaluate(in: strand)
        try strand.scheduler.requireRoom(forStrands: count)
        guard count > 0 else { return .next }
        try strand.requireRoomForStrands()
        let environment = strand.environment
        let strands = (1...count).map { number in
            Strand(
                program: program,
                place: Strand.Place(title: "round \(number) of parallel", range: range, ownsTriggers: true),
                environment: environment, parent: strand,
                names: name.map { [($0, Array(String(number).utf8))] } ?? [], on: strand.scheduler)
        }
        return .wait(ParallelWait(strands, of: strand))
    }
}

private struct ParallelBranchesInstruction: Instruction {
    struct Branch {
        let name: Value<String>?
        let program: Program
        let range: SourceRange
    }

    let branches: [Branch]
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        try strand.requireRoomForStrands()
        try strand.scheduler.requireRoom(forStrands: branches.count)
        let environment = strand.environment
        var strands: [Strand] = []
        for (index, branch) in branches.enumerated() {
            let name = try branch.name?.evaluate(in: strand) ?? "\(index + 1)"
            strands.append(
                Strand(
                    program: branch.program,
                    place: Strand.Place(title: "branch \(name)", range: branch.range, ownsTriggers: true),
                    environment: environment, parent: strand, on: strand.scheduler))
        }
        return .wait(ParallelWait(strands, of: strand))
    }
}

/// Waits until all strands have ended; the first failure ends the others.
private final class ParallelWait: Wait {
    var limit: Duration?
    private var strands: [Strand]
    private var running: Int
    private var failure: Failure?

    /// Starts the strands.
    init(_ strands: [Strand], of parent: Strand) {
        self.strands = strands
        running = strands.count
        for strand in strands {
            strand.onEnd = { [unowned self, unowned parent, unowned strand] outcome in
                // Its triggers end with it.
                parent.world.triggers.remove(of: strand)
                ended(outcome)
                if running == 0 || failure != nil { parent.wake() }
            }
            strand.scheduler.start(strand)
        }
    }

    var wanted: String {
        let waiting = strands.filter { !$0.isFinished }
        let first = waiting.first { $0.wait != nil }
        let count = counted(running, "strand")
        guard let first, let title = first.place?.title, let wait = first.wait else { return count }
        return "\(count) (\(title): \(wait.wanted))"
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        if let failure { throw failure }
        return running == 0
    }

    func cancel() {
        let strands = self.strands
        self.strands = []
        for strand in strands { strand.scheduler.cancel(strand) }
    }

    private func ended(_ outcome: Scheduler.Outcome) {
        running -= 1
        guard case .failed(let failure) = outcome, self.failure == nil else { return }
        self.failure = failure
        // The others end immediately, before they can do anything else.
        cancel()
    }
}
