import Engine
import Results
import Script

/// A script read from standard input: each statement is checked and runs as soon as it is complete.
struct PipedScript {
    private let shell: Shell

    init(_ shell: Shell) {
        self.shell = shell
    }

    /// Runs until the end of input; returns the exit status.
    func run() -> Int32 {
        let world = shell.makeWorld(output: shell.makeOutput())
        let early = shell.runDeferred(in: world, after: runLines(in: world))
        let status = early ?? shell.endInput(of: world)
        shell.report(latenciesOf: world)
        let final = shell.finish(world) ?? status
        return shell.concludeTests(final, of: "<stdin>")
    }

    private func runLines(in world: World) -> Int32? {
        let source = SourceText(name: "<stdin>")
        var parser = shell.reader.parser(for: source)
        var checker = shell.reader.checker()
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
                if let status = shell.strayStatus(of: world) { return status }
                if world.output.isBroken { return Failure.Status.connection.rawValue }
                continue
            }
            let statements = parser.takeCompleted()
            do throws(ScriptErrors) {
                let script = try shell.reader.compile(statements, &checker, parseErrors: parser.errors)
                if !statements.isEmpty, let status = shell.run(script, in: world) { return status }
            } catch {
                world.diagnostics.report(error.rendered)
                return Failure.Status.script.rawValue
            }
        }
        return shell.interruption?.rawValue
    }
}
