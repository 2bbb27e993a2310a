import Engine
import Reactor
import Script

/// A script that comes through standard input: each statement is checked and runs as soon as it is whole.
struct PipedScript {
    private let shell: Shell

    init(_ shell: Shell) {
        self.shell = shell
    }

    /// Runs to the end of the input; returns the exit status.
    func run() -> Int32 {
        let interpreter = shell.makeInterpreter(output: shell.makeOutput())
        let early = runLines(in: interpreter)
        let status = early ?? shell.endInput(of: interpreter)
        interpreter.printLatencies()
        let final = shell.finish(interpreter) ?? status
        return shell.concludeTests(final, of: "<stdin>")
    }

    private func runLines(in interpreter: Interpreter) -> Int32? {
        let source = SourceText(name: "<stdin>")
        var parser = shell.reader.parser(for: source)
        var checker = shell.reader.checker()
        let input = StandardInput(on: shell.loop)
        shell.readsInput = true
        defer {
            input.end()
            shell.readsInput = false
        }
        if let status = shell.run(shell.openingStatements(), in: interpreter) { return status }
        var isFinished = false
        while shell.interruption == nil, !isFinished {
            if let line = input.nextLine() {
                parser.feed(line)
            } else if input.isAtEnd {
                if let problem = input.problem {
                    interpreter.output.diagnose(Array("muxsh: cannot read standard input: \(problem)\n".utf8))
                    return Failure.Status.connection.rawValue
                }
                parser.finish()
                isFinished = true
            } else {
                interpreter.turn()
                if let status = shell.strayStatus(of: interpreter) { return status }
                if interpreter.output.isBroken { return Failure.Status.connection.rawValue }
                continue
            }
            let statements = parser.takeCompleted()
            let errors = shell.reader.errors(in: statements, &checker, parseErrors: parser.errors)
            guard errors.isEmpty else {
                let text = ScriptErrors(errors: errors).rendered
                interpreter.output.diagnose(interpreter.redactor.redacted(text).losslessBytes)
                return Failure.Status.script.rawValue
            }
            if !statements.isEmpty, let status = shell.run(statements, in: interpreter) { return status }
        }
        return shell.interruption?.rawValue
    }
}
