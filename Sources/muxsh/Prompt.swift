import Engine
import Glibc
import Reactor
import Script
import Terminal

/// The prompt: lines from the keyboard run one after the other in one world, while its sessions go on talking.
final class Prompt {
    private let shell: Shell
    /// The exit status, unless `exit` says another.
    private var status: Int32 = 0
    /// The line that was typed last, while it is checked and runs.
    private var typedLine: TypedLine?
    /// What was typed of a statement that goes on.
    private var unfinished: [String] = []
    private var pauseTimers: [String: Timer] = [:]
    /// Whether ^C has stopped what a line had begun.
    private var isInterrupted = false

    /// What a server has begun to say and not ended, such as `login: `, is shown after so long.
    private static let partPause = Duration.milliseconds(150)

    init(_ shell: Shell) {
        self.shell = shell
    }

    /// Runs until the end of input; returns the exit status.
    func run() -> Int32 {
        let output = SwitchedOutput(shell.makeOutput())
        let interpreter = shell.makeInterpreter(output: output)
        interpreter.settings.isAtPrompt = true
        let status = shell.run(shell.openingStatements(), in: interpreter)
        return run(continuing: interpreter, on: output, status: status ?? 0)
    }

    /// Goes on with the sessions and variables of a script that has run.
    /// `status` is the exit status so far; `exit N` overrides it.
    func run(continuing interpreter: Interpreter, on output: SwitchedOutput, status: Int32) -> Int32 {
        interpreter.settings.isAtPrompt = true
        output.flush()
        let keyboard = Keyboard(shell, interpreter, output)
        interpreter.history = { keyboard.editor?.historyLines ?? [] }
        interpreter.transcript.width = { output.width }
        interpreter.renderFailure = { [unowned self] in typedLine?.rendered($0) ?? $0.rendered }
        shell.handleSignal = { [unowned self] in handle($0, keyboard, interpreter) }
        interpreter.onChange = { [unowned self] in showPartLater(of: $0, in: interpreter) }
        self.status = status
        greet(keyboard, interpreter)
        var checker = shell.reader.checker(
            sessions: interpreter.sessions.all.map(\.name), variables: interpreter.variables.names)
        let final =
            readInitialFile(in: interpreter, keyboard, &checker) ?? readLines(from: keyboard, in: interpreter, &checker)
        shell.handleSignal = { _ in false }
        interpreter.onChange = nil
        interpreter.history = nil
        keyboard.end()
        output.editor = nil
        let outputStatus = shell.finish(interpreter)
        return shell.interruption?.rawValue ?? outputStatus ?? final
    }

    /// Says once how to go on from here.
    private func greet(_ keyboard: Keyboard, _ interpreter: Interpreter) {
        guard !shell.invocation.isQuiet, interpreter.sessions.all.isEmpty else { return }
        let more = keyboard.width < 70 ? "" : ", Tab completes, ^D leaves"
        interpreter.transcript.hint("muxsh \(Options.version): 'help' tells the commands\(more)")
        if let problem = keyboard.editor?.settingsProblem { interpreter.transcript.hint(visible(problem)) }
        if let problem = keyboard.editor?.historyProblem {
            interpreter.transcript.hint("the history is not kept: \(visible(problem))")
        }
    }

    /// Runs init.mux, if there is one; a status when it ends the prompt.
    private func readInitialFile(
        in interpreter: Interpreter, _ keyboard: Keyboard, _ checker: inout Checker
    ) -> Int32? {
        guard let path = Self.initialFile, let file = shell.reader.load(path) else { return nil }
        let source = SourceText(path: path.bytes, directory: directory(of: path.bytes), identity: file.identity)
        var parser = shell.reader.parser(for: source)
        for line in SourceText.lines(of: file.bytes) { parser.feed(line) }
        parser.finish()
        return runCompleted(&parser, &checker, in: interpreter, keyboard, file: path)
    }

    private static var initialFile: SystemString? {
        let home = Environment.setting("HOME").map { $0 + "/.config" }
        return (Environment.setting("XDG_CONFIG_HOME") ?? home).map { $0 + "/muxsh/init.mux" }
    }

    private func readLines(
        from keyboard: Keyboard, in interpreter: Interpreter, _ checker: inout Checker
    ) -> Int32 {
        var parser = shell.reader.parser(for: SourceText(name: "<prompt>"))
        while shell.interruption == nil {
            let isInside = parser.isInsideStatement
            let line = keyboard.readLine { isInside ? ".....> " : keyboard.prompt }
            switch line {
            case .ended where isInside && !keyboard.isClosed:
                // The end of the input ends the block, not the prompt.
                parser.finish()
                show(parser.errors, in: interpreter)
                parser.reset()
                remember([], keyboard, interpreter)
            case .ended where interpreter.talk != nil && !keyboard.isClosed: interpreter.talk = nil
            case .ended: return status
            case .interrupted:
                parser.reset()
                remember([], keyboard, interpreter)
            case .text(let text):
                if let status = take(text, &parser, &checker, isInside: isInside, from: keyboard, in: interpreter) {
                    return status
                }
            }
        }
        return status
    }

    /// Runs what was typed, or pasted as several lines; a status when the prompt is to be left.
    private func take(
        _ text: String, _ parser: inout Parser, _ checker: inout Checker, isInside: Bool, from keyboard: Keyboard,
        in interpreter: Interpreter
    ) -> Int32? {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // The newline that a paste ends with and the Enter behind it are one.
        if lines.count > 1, lines.last?.isEmpty == true { lines.removeLast() }
        var isRemembered = lines.count > 1 && unfinished.isEmpty && !Self.mayTellSecret(text, lines.last)
        if isRemembered { keyboard.remember(text, redactor: interpreter.redactor) }
        isInterrupted = false
        for line in lines where !isInterrupted {
            let prompt = isInside || lines.count > 1 ? nil : keyboard.prompt
            guard let statement = statement(of: String(line), parser, interpreter) else { continue }
            parser.feed(statement.losslessBytes)
            if lines.count == 1 {
                isRemembered = true
                remember([text], isUnfinished: parser.isInsideCommand, keyboard, interpreter)
            }
            typedLine = prompt.map {
                TypedLine(prompt: $0, typed: String(line), statement: statement, width: keyboard.width)
            }
            defer { typedLine = nil }
            if let status = runCompleted(&parser, &checker, in: interpreter, keyboard) { return status }
        }
        if !isRemembered { remember([text], isUnfinished: parser.isInsideCommand, keyboard, interpreter) }
        return nil
    }

    /// Keeps what was typed of a whole statement, unless it makes a secret: then none of its lines.
    private func remember(
        _ texts: [String], isUnfinished: Bool = false, _ keyboard: Keyboard, _ interpreter: Interpreter
    ) {
        unfinished += texts
        if isUnfinished { return }
        let whole = unfinished
        unfinished = []
        if whole.contains(where: { $0.contains("--secret") }) { return }
        for text in whole { keyboard.remember(text, redactor: interpreter.redactor) }
    }

    /// Whether pasted lines make a secret, or end in a statement that may still do so.
    private static func mayTellSecret(_ text: String, _ last: Substring?) -> Bool {
        text.contains("--secret") || last?.hasSuffix("\\") == true || last?.contains("<<") == true
    }

    /// What a line means: itself, or while talking what `Talk` makes of it; nil when it has ended the talk.
    private func statement(of line: String, _ parser: Parser, _ interpreter: Interpreter) -> String? {
        guard let talk = interpreter.talk, !parser.isInsideStatement else { return line }
        switch talk.read(line) {
        case .statement(let statement): return statement
        case .end:
            interpreter.talk = nil
            return nil
        }
    }

    /// Checks and runs what is whole; a status when the prompt is to be left. `file` is where it comes from.
    private func runCompleted(
        _ parser: inout Parser, _ checker: inout Checker, in interpreter: Interpreter, _ keyboard: Keyboard,
        file: SystemString? = nil
    ) -> Int32? {
        let statements = parser.takeCompleted()
        var attempt = checker
        let errors = shell.reader.errors(in: statements, &attempt, parseErrors: parser.errors)
        guard errors.isEmpty else {
            show(errors, in: interpreter)
            if let file {
                interpreter.output.diagnose(Array("muxsh: nothing of \(file.shown) was run\n".utf8))
            }
            parser.reset()
            return nil
        }
        guard !statements.isEmpty else { return nil }
        checker = attempt
        let status = shell.run(statements, in: interpreter, isTyped: typedLine != nil)
        interpreter.printLatencies()
        keyboard.showPages()
        keyboard.editor?.setHistorySize(interpreter.settings.historySize)
        if case .exited(let given) = interpreter.result { return given ?? self.status }
        // It was told; what ends from here on was not.
        _ = interpreter.takeStrayResult()
        return interpreter.output.isBroken ? status : nil
    }

    private func show(_ errors: [ScriptError], in interpreter: Interpreter) {
        let text = typedLine?.rendered(errors) ?? ScriptErrors(errors: errors).rendered
        interpreter.output.diagnose(interpreter.redactor.redacted(text).losslessBytes)
    }

    private func handle(_ signal: Int32, _ keyboard: Keyboard, _ interpreter: Interpreter) -> Bool {
        switch signal {
        case SIGINT:
            if shell.files.waitsFor != nil {
                isInterrupted = true
                shell.files.cancel()
            } else if interpreter.isRunning {
                isInterrupted = true
                keyboard.dropTypedAhead()
                interpreter.cancel()
            } else {
                keyboard.interrupt()
            }
            return true
        case SIGWINCH: keyboard.editor?.resize()
        case SIGTSTP: keyboard.suspend()
        case SIGCONT: keyboard.editor?.resume()
        default:
            keyboard.editor?.close()
            return false
        }
        return true
    }

    private func showPartLater(of session: Session, in interpreter: Interpreter) {
        if let timer = pauseTimers[session.name] { shell.loop.cancel(timer) }
        pauseTimers[session.name] = shell.loop.schedule(after: Self.partPause) { [unowned self] in
            // While the screen is behind nothing is read: the pause is ours.
            if interpreter.isHolding { return showPartLater(of: session, in: interpreter) }
            interpreter.transcript.showPart(of: session)
        }
    }
}
