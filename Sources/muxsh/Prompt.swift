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
    private var pauseTimers: [String: Timer] = [:]

    /// What a server has begun to say and not ended, such as `login: `, is shown after so long.
    private static let partPause = Duration.milliseconds(150)

    init(_ shell: Shell) {
        self.shell = shell
    }

    /// Runs until the end of input; returns the exit status.
    func run() -> Int32 {
        let output = SwitchedOutput(shell.makeOutput())
        let interpreter = shell.makeInterpreter(output: output)
        interpreter.settings.dropsOldest = true
        let status = shell.run(shell.openingStatements(), in: interpreter)
        return run(continuing: interpreter, on: output, status: status ?? 0)
    }

    /// Goes on with the sessions and variables of a script that has run.
    /// `status` is the exit status so far; `exit N` overrides it.
    func run(continuing interpreter: Interpreter, on output: SwitchedOutput, status: Int32) -> Int32 {
        interpreter.settings.dropsOldest = true
        output.flush()
        let keyboard = Keyboard(shell, interpreter, output)
        shell.handleSignal = { [unowned self] in handle($0, keyboard, interpreter) }
        interpreter.onChange = { [unowned self] in showPartLater(of: $0, in: interpreter) }
        self.status = status
        let final = readLines(from: keyboard, in: interpreter)
        shell.handleSignal = { _ in false }
        interpreter.onChange = nil
        keyboard.end()
        output.editor = nil
        let outputStatus = shell.finish(interpreter)
        return shell.interruption?.rawValue ?? outputStatus ?? final
    }

    private func readLines(from keyboard: Keyboard, in interpreter: Interpreter) -> Int32 {
        var parser = shell.reader.parser(for: SourceText(name: "<prompt>"))
        var checker = shell.reader.checker(
            sessions: interpreter.sessions.all.map(\.name), variables: interpreter.variables.names)
        while shell.interruption == nil {
            switch keyboard.readLine(prompt: parser.isInsideStatement ? ".....> " : "muxsh> ") {
            case .ended where parser.isInsideStatement && !keyboard.isClosed:
                // The end of the input ends the block, not the prompt.
                parser.finish()
                show(parser.errors, in: interpreter)
                parser.reset()
            case .ended: return status
            case .interrupted: parser.reset()
            case .text(let text):
                keyboard.remember(text, redactor: interpreter.redactor)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                for line in lines {
                    parser.feed(Array(line.utf8))
                    let isTyped = lines.count == 1
                    if let status = runCompleted(&parser, &checker, isTyped: isTyped, in: interpreter) { return status }
                }
            }
        }
        return status
    }

    /// Checks and runs what is whole; a status when the prompt is to be left.
    private func runCompleted(
        _ parser: inout Parser, _ checker: inout Checker, isTyped: Bool, in interpreter: Interpreter
    ) -> Int32? {
        let statements = parser.takeCompleted()
        var attempt = checker
        let errors = shell.reader.errors(in: statements, &attempt, parseErrors: parser.errors)
        guard errors.isEmpty else {
            show(errors, in: interpreter)
            parser.reset()
            return nil
        }
        guard !statements.isEmpty else { return nil }
        checker = attempt
        let status = shell.run(statements, in: interpreter, isTyped: isTyped)
        interpreter.printLatencies()
        if case .exited(let given) = interpreter.result { return given ?? self.status }
        return interpreter.output.isBroken ? status : nil
    }

    private func show(_ errors: [ScriptError], in interpreter: Interpreter) {
        let text = ScriptErrors(errors: errors).rendered
        interpreter.output.diagnose(Array(interpreter.redactor.redacted(text).utf8))
    }

    private func handle(_ signal: Int32, _ keyboard: Keyboard, _ interpreter: Interpreter) -> Bool {
        switch signal {
        case SIGINT:
            if interpreter.isRunning {
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

    private func showPartLater(of conversation: Conversation, in interpreter: Interpreter) {
        if let timer = pauseTimers[conversation.name] { shell.loop.cancel(timer) }
        pauseTimers[conversation.name] = shell.loop.schedule(after: Self.partPause) {
            interpreter.transcript.showPart(of: conversation)
        }
    }
}

/// Where the lines of a prompt come from: the line editor, or plain lines on a terminal that can do no more.
final class Keyboard {
    let editor: LineEditor?
    private let plain: StandardInput?
    private let shell: Shell
    private let interpreter: Interpreter
    private let output: SwitchedOutput
    private var isInterrupted = false

    init(_ shell: Shell, _ interpreter: Interpreter, _ output: SwitchedOutput) {
        self.shell = shell
        self.output = output
        self.interpreter = interpreter
        let isDumb = ["", "dumb"].contains(environmentValue("TERM") ?? "")
        let completer = Completer(
            table: shell.registry.table,
            sessions: { interpreter.sessions.all.map(\.name) + interpreter.sessions.allServices.map(\.name) },
            definitions: { interpreter.definitions.names })
        editor =
            isDumb
            ? nil
            : LineEditor(
                on: shell.loop, historyPath: Self.historyPath, completer: completer,
                usesColor: shell.invocation.color.isColored(STDOUT_FILENO), turn: { shell.turn(interpreter) })
        plain = editor == nil ? StandardInput(on: shell.loop) : nil
        output.editor = editor
    }

    /// ^C: drops the line being typed.
    func interrupt() {
        if let editor { editor.interrupt() } else { isInterrupted = true }
    }

    func end() {
        editor?.end()
        plain?.end()
    }

    /// Whether no more lines can come.
    var isClosed: Bool { editor?.isClosed ?? plain?.isAtEnd ?? true }

    func readLine(prompt: String) -> LineEditor.Line {
        if let editor { return editor.readLine(prompt: prompt) }
        guard let plain else { return .ended }
        output.plainPrompt = prompt
        defer { output.plainPrompt = nil }
        while shell.interruption == nil, !isInterrupted {
            if let line = plain.nextLine() { return .text(String(decoding: line, as: UTF8.self)) }
            if plain.isAtEnd { break }
            shell.turn(interpreter)
        }
        // What comes next begins on a line of its own.
        output.write([])
        defer { isInterrupted = false }
        return isInterrupted ? .interrupted : .ended
    }

    /// Keeps a typed line, unless it tells a secret.
    func remember(_ line: String, redactor: Redactor) {
        guard !line.contains("--secret") else { return }
        editor?.addToHistory(redactor.redacted(line))
    }

    func suspend() {
        if let editor { editor.suspend() } else { kill(getpid(), SIGSTOP) }
    }

    private static var historyPath: String? {
        let state = environmentValue("XDG_STATE_HOME").flatMap { $0.isEmpty ? nil : $0 }
        let home = environmentValue("HOME").map { $0 + "/.local/state" }
        return (state ?? home).map { $0 + "/muxsh/history" }
    }
}
