import Engine
import Results
import Script

/// A script read from standard input: each statement is checked and runs as soon as it is complete.
///
/// With --keep-going a failure or an error is told and the next statement runs.
final class PipedScript {
    private let shell: Shell
    private var parser: Parser
    private var checker: Checker
    /// The status of the first failure that did not end the run.
    private var status: Int32?

    init(_ shell: Shell) {
        self.shell = shell
        parser = shell.reader.parser(for: SourceText(name: "<stdin>"))
        checker = shell.reader.checker()
    }

    /// Runs until the end of input; returns the exit status.
    func run() -> Int32 {
        let world = shell.makeWorld(output: shell.makeOutput())
        let early = shell.runDeferred(in: world, after: runLines(in: world))
        let ending = early ?? shell.endInput(of: world)
        let isFailure = ending != 0 && ending != Failure.Status.skipped.rawValue
        let status = isFailure ? ending : status ?? ending
        shell.report(latenciesOf: world)
        let final = shell.finish(world) ?? status
        return shell.concludeTests(final, of: "<stdin>")
    }

    private func runLines(in world: World) -> Int32? {
        let input = StandardInput(on: shell.loop)
        shell.readsInput = true
        defer {
            input.end()
            shell.readsInput = false
        }
        if let status = shell.openSessions(in: world) { return status }
        var isFinished = false
        while shell.interruption == nil, !isFinished {
            if let line = input.nextLine() {
                parser.feed(line)
            } else if input.isAtEnd {
                if let problem = input.problem {
                    world.diagnostics.report(line: "muxsh: cannot read standard input: \(problem)")
                    return Failure.Status.connection.rawValue
                }
                parser.finish()
                isFinished = true
            } else {
                world.turn()
                if let status = shell.strayStatus(of: world), ends(with: status, world) { return status }
                if world.output.isBroken { return Failure.Status.connection.rawValue }
                continue
            }
            // The rest of a block with an error belongs to it.
            if shell.invocation.keepsGoing, parser.isInsideStatement { continue }
            if let status = runCompleted(in: world) { return status }
        }
        return shell.interruption?.rawValue
    }

    /// Runs the statements that are complete. Returns a status when the run ends.
    private func runCompleted(in world: World) -> Int32? {
        let statements = parser.takeCompleted()
        var attempt = checker
        do throws(ScriptErrors) {
            let script = try shell.reader.compile(statements, &attempt, parseErrors: parser.errors)
            checker = attempt
            guard !statements.isEmpty, let status = shell.run(script, in: world) else { return nil }
            if case .exited(let given) = world.outcome { return given ?? self.status ?? 0 }
            return ends(with: status, world) ? status : nil
        } catch {
            shell.refuse(error, in: world)
            parser.reset()
            return ends(with: Failure.Status.script.rawValue, world) ? Failure.Status.script.rawValue : nil
        }
    }

    /// Notes the status of a failure; returns whether the failure ends the run.
    private func ends(with status: Int32, _ world: World) -> Bool {
        // 'skip' ends the script, which has nothing more to do.
        let isSkip = status == Failure.Status.skipped.rawValue
        guard shell.invocation.keepsGoing, !isSkip, shell.interruption == nil, !world.output.isBroken else {
            return true
        }
        self.status = self.status ?? status
        // It has been told; later outcomes have not.
        _ = world.takeStrayOutcome()
        return false
    }
}
