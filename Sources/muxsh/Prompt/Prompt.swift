import Engine
import Results
import Sessions
import VM
import Glibc
import Options
import Reactor
import Script
import Terminal

/// The prompt: typed lines run one after the other in one world, while its sessions stay active.
final class Prompt {
    private let shell: Shell
    /// The exit status, unless `exit` specifies another.
    private var status: Int32 = 0
    /// The last typed line, while it is checked and runs.
    private var typedLine: TypedLine?
    /// The typed lines of an unfinished statement.
    private var unfinished: [String] = []
    /// The lines of the entry that is being typed or runs.
    private var entry: [String] = []
    /// The timers of terminals without a live row: they show a part of a line when nothing has followed for a while.
    private var pauseTimers: [String: Timer] = [:]
    /// The session whose unfinished line is shown in a row of its own, with that row as last shown.
    private weak var liveSession: Session?
    private var liveText: [UInt32] = []
    /// How many whole lines had arrived before it: with the next one the row is that of another line.
    private var liveLine = 0
    private var liveTimer: Timer?
    /// The password that was just typed; nil for any other line.
    private var password: String?
    private var shownData = ShownData()
    /// What is known before the next entry: its sessions, variables and commands.
    private lazy var checker = shell.reader.checker()
    /// Whether ^C has stopped the execution of a line.
    private var isInterrupted = false

    /// How long an unterminated line from a server, such as `login: `, is held back before it is shown.
    private static let partPause = Duration.milliseconds(150)
    /// The least time between two updates of the live row.
    private static let livePause = Duration.milliseconds(100)

    init(_ shell: Shell) {
        self.shell = shell
    }

    /// Runs until the end of input; returns the exit status.
    func run() -> Int32 {
        let output = shell.makeOutput()
        let world = shell.makeWorld(output: output)
        world.settings.isAtPrompt = true
        world.transcript.record()
        let status = shell.openSessions(in: world)
        if status == nil, !shell.invocation.talks.isEmpty { talk(to: shell.invocation.talks, in: world) }
        return run(continuing: world, on: output, status: status ?? 0)
    }

    /// Continues with the sessions and variables of a script that has run. `status` is the exit status so far; `exit N`
    /// overrides it.
    func run(continuing world: World, on output: SwitchedOutput, status: Int32) -> Int32 {
        self.status = status
        world.settings.isAtPrompt = true
        // How the script ended has been told.
        _ = world.takeStrayOutcome()
        world.transcript.keepLogs()
        world.transcript.hasFocus = { [unowned world] in
            !world.isInteracting && world.talk?.includes($0) ?? true
        }
        output.flush()
        let keyboard = Keyboard(shell, world, output)
        world.history = { keyboard.editor?.historyLines ?? [] }
        world.transcript.width = { output.width }
        world.diagnostics.wording = { [unowned self] in typedLine?.rendered($0) }
        shell.handleSignal = { [unowned self] in handle($0, keyboard, world) }
        shell.onExit = { [unowned self] in
            self.status = $0
            keyboard.close()
        }
        keyboard.editor?.hidesTyping = { world.talk?.asksForPassword(in: world) == true }
        keyboard.editor?.switchTo = { [unowned self] in switchTalk($0, in: world) }
        keyboard.editor?.willFinish = { [unowned self] in willFinish($0, isHidden: $1, in: world) }
        if let editor = keyboard.editor, editor.hasLiveRow {
            world.transcript.rewindsAtReturn = true
            world.transcript.folds = true
            editor.liveRow = { [unowned self] in isLiveTextValid ? liveText : [] }
            world.onChange = { [unowned self] in showLive($0) }
        } else {
            world.onChange = { [unowned self] in showPartLater(of: $0, in: world) }
        }
        greet(keyboard, world)
        checker = shell.reader.checker(of: world)
        keyboard.editor?.openBlocks = { [unowned self] in entryText($0, in: world)?.openness ?? .whole }
        keyboard.editor?.wrongRows = { [unowned self] in entryText($0, in: world)?.wrongRows ?? [] }
        let final = readInitialFile(in: world, keyboard) ?? readLines(from: keyboard, in: world)
        let status = shell.runDeferred(in: world, after: final) ?? final
        shell.handleSignal = { _ in false }
        world.onChange = nil
        world.history = nil
        keyboard.end()
        output.editor = nil
        let outputStatus = shell.finish(world)
        return shell.interruption?.rawValue ?? outputStatus ?? status
    }

    /// Begins in talk mode with the sessions of the command line.
    private func talk(to names: [String], in world: World) {
        world.talk = Talk(targets: names)
        guard !shell.invocation.isQuiet else { return }
        world.seat.hasHintedTalk = true
        world.transcript.hint(Talk.hint)
    }

    /// Shows the initial hints.
    private func greet(_ keyboard: Keyboard, _ world: World) {
        guard !shell.invocation.isQuiet, world.sessions.all.isEmpty else { return }
        world.transcript.hint(
            keyboard.width < 76
                ? "muxsh \(version): open, talk, help, ^D"
                : "muxsh \(version): 'open a HOST:PORT' connects, 'talk a' talks, 'help', ^D quits")
        if let problem = keyboard.editor?.settingsProblem { world.transcript.hint(visible(problem)) }
        if let problem = keyboard.editor?.historyProblem {
            world.transcript.hint("history not saved: \(visible(problem))")
        }
    }

    /// Runs init.mux, if it exists. Returns a status when it ends the prompt.
    private func readInitialFile(in world: World, _ keyboard: Keyboard) -> Int32? {
        guard let path = Self.initialFile, let file = shell.reader.load(path) else { return nil }
        let source = SourceText(path: path.bytes, directory: directory(of: path.bytes), identity: file.identity)
        var parser = shell.reader.parser(for: source)
        for line in SourceText.lines(of: file.bytes) { parser.feed(line) }
        parser.finish()
        return runCompleted(&parser, in: world, keyboard, file: path)
    }

    private static var initialFile: SystemString? {
        let home = Environment.setting("HOME").map { $0 + "/.config" }
        return (Environment.setting("XDG_CONFIG_HOME") ?? home).map { $0 + "/muxsh/init.mux" }
    }

    private func entryText(_ text: String, in world: World) -> EntryText? {
        EntryText(text, isTalking: world.talk != nil, shell.reader, checker)
    }

    private func readLines(from keyboard: Keyboard, in world: World) -> Int32 {
        var parser = shell.reader.parser(for: SourceText(name: "<prompt>"))
        while shell.interruption == nil {
            let isInside = parser.isInsideStatement
            let line = keyboard.readLine { isInside ? ".....> " : keyboard.prompt }
            switch line {
            case .ended where isInside && !keyboard.isClosed:
                // The end of input ends the block, not the prompt.
                parser.finish()
                show(parser.errors, in: world)
                parser.reset()
                remember([], keyboard, world)
            case .ended where world.talk != nil && !keyboard.isClosed: world.talk = nil
            case .ended: return status
            case .interrupted:
                parser.reset()
                remember([], keyboard, world)
            case .edit(let text): edit(text, keyboard, world)
            case .text(let text):
                if let status = take(text, &parser, isInside: isInside, from: keyboard, in: world) { return status }
                if let text = world.editRequest {
                    world.editRequest = nil
                    edit(text, keyboard, world)
                }
            }
        }
        return status
    }

    /// Has the user edit a text, with which the next line begins.
    private func edit(_ text: String, _ keyboard: Keyboard, _ world: World) {
        guard let editor = keyboard.editor else {
            return world.diagnostics.report(line: "muxsh: 'edit' needs a terminal that can move its cursor (TERM)")
        }
        do throws(Failure) {
            let edited = try TextEditor(world, in: try shell.temporary.path()).edit(text) { shell.turn(world) }
            editor.begin(with: edited)
        } catch {
            editor.begin(with: text)
            world.report(error)
        }
    }

    /// Runs a typed line or several pasted lines. Returns a status when the prompt ends.
    private func take(
        _ text: String, _ parser: inout Parser, isInside: Bool, from keyboard: Keyboard, in world: World
    ) -> Int32? {
        let text = isInside ? text : repeated(text, world)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // The newline at the end of a paste and the Enter after it count as one.
        if lines.count > 1, lines.last?.isEmpty == true { lines.removeLast() }
        let isPassword = password != nil
        if let password {
            shell.passwords.keep(password, in: world)
            lines = [password[...]]
        }
        var isRemembered = isPassword || lines.count > 1 && unfinished.isEmpty && !Self.mayTellSecret(text, lines.last)
        if isRemembered, !isPassword { keyboard.remember(text) }
        isInterrupted = false
        shownData = ShownData()
        for line in lines where !isInterrupted {
            let prompt = isInside || lines.count > 1 ? nil : keyboard.prompt
            let reading = LineReading(world, world.seat, shell.registry.table)
            let sent = password.map { reading.statement(ofPassword: $0) }
            guard let statement = sent ?? reading.statement(of: String(line), isInside: parser.isInsideStatement) else {
                isRemembered = true
                continue
            }
            if !parser.isInsideStatement {
                entry = []
                if line == lines[0] { parser.restartLines() }
            }
            entry.append(statement)
            parser.feed(statement.losslessBytes)
            if lines.count == 1, !isPassword {
                isRemembered = true
                remember([text], isUnfinished: parser.isInsideCommand, keyboard, world)
            }
            typedLine =
                isPassword
                ? nil
                : prompt.map {
                    TypedLine(prompt: $0, typed: String(line), statement: statement, width: keyboard.width)
                }
            defer { typedLine = nil }
            if let status = runCompleted(&parser, in: world, keyboard) { return status }
        }
        if !isRemembered { remember([text], isUnfinished: parser.isInsideCommand, keyboard, world) }
        return nil
    }

    /// Returns a typed line, or the last entry of the history for `!!`, which is shown.
    private func repeated(_ text: String, _ world: World) -> String {
        guard text == "!!", world.talk == nil, let last = world.history?().last else { return text }
        world.output.write(world.diagnostics.hidden(last).losslessBytes + [UInt8(ascii: "\n")])
        return last
    }

    /// Adds the lines of a complete statement to the history, unless it defines a secret: then none of them.
    private func remember(
        _ texts: [String], isUnfinished: Bool = false, _ keyboard: Keyboard, _ world: World
    ) {
        unfinished += texts
        if isUnfinished { return }
        let whole = unfinished
        unfinished = []
        if whole.contains(where: { $0.includes("--secret") }) { return }
        for text in whole { keyboard.remember(text) }
    }

    /// Whether pasted lines define a secret, or end in an unfinished statement that may still do so.
    private static func mayTellSecret(_ text: String, _ last: Substring?) -> Bool {
        text.includes("--secret") || last?.hasSuffix("\\") == true || last?.includes("<<") == true
    }

    /// Checks and runs the complete statements. Returns a status when the prompt ends. `file` is their source.
    private func runCompleted(
        _ parser: inout Parser, in world: World, _ keyboard: Keyboard, file: SystemString? = nil
    ) -> Int32? {
        let statements = parser.takeCompleted()
        var attempt = checker
        shell.reader.update(&attempt, from: world)
        let script: CompiledScript
        do throws(ScriptErrors) {
            script = try shell.reader.compile(statements, &attempt, parseErrors: parser.errors)
        } catch {
            show(error.errors, in: world)
            if let file {
                world.diagnostics.report(line: "muxsh: \(file.shown) was not run")
            }
            parser.reset()
            return nil
        }
        guard !statements.isEmpty else { return nil }
        checker = attempt
        let isTyped = typedLine != nil && statements.count == 1 && statements.allSatisfy(\.isSingleLine)
        if file == nil { shownData.forget(for: statements, in: world) }
        let recorder = EntryRecorder(world)
        let waiting = WaitingRow(world, isTold: keyboard.editor?.hasLiveRow != true) { [shell] in
            shell.control.isBusy ? "the entry of an attached prompt" : nil
        }
        keyboard.editor?.waitingRow = { waiting.text(in: $0) }
        while shell.control.isBusy, !isInterrupted, shell.interruption == nil { shell.turn(world) }
        guard !isInterrupted, shell.interruption == nil else {
            keyboard.editor?.waitingRow = { _ in nil }
            waiting.end()
            return nil
        }
        let status = shell.run(script, in: world, as: isTyped ? .typed : .script(isWhole: false))
        keyboard.editor?.waitingRow = { _ in nil }
        waiting.end()
        let hasPassed = if case .passed = world.outcome { true } else { false }
        if file == nil {
            recorder?.end(entry.joined(separator: "\n"), statements, hasPassed: hasPassed)
            entry = []
        }
        shell.report(latenciesOf: world)
        keyboard.showPages()
        keyboard.editor?.setHistorySize(world.settings.historySize)
        if case .exited(let given) = world.outcome { return given ?? self.status }
        // This outcome has been reported already; later ones have not.
        _ = world.takeStrayOutcome()
        return world.output.isBroken ? status : nil
    }

    private func show(_ errors: [ScriptError], in world: World) {
        let text = typedLine?.rendered(errors) ?? ScriptErrors(errors: errors).rendered
        world.diagnostics.report(text)
    }

    private func handle(_ signal: Int32, _ keyboard: Keyboard, _ world: World) -> Bool {
        switch signal {
        case SIGINT:
            if shell.files.waitsFor != nil {
                isInterrupted = true
                shell.files.cancel()
            } else if world.isRunning {
                isInterrupted = true
                keyboard.dropTypedAhead()
                world.cancel()
            } else {
                isInterrupted = true
                keyboard.interrupt()
            }
            return true
        case SIGWINCH:
            keyboard.editor?.resize()
            world.onResize?()
        case SIGTSTP: keyboard.suspend()
        case SIGCONT: keyboard.editor?.resume()
        default:
            keyboard.editor?.close()
            return false
        }
        return true
    }

    private func showPartLater(of session: Session, in world: World) {
        if let timer = pauseTimers[session.name] { shell.loop.cancel(timer) }
        pauseTimers[session.name] = shell.loop.schedule(after: Self.partPause) { [unowned self] in
            // While the screen is congested, nothing is read: the pause is caused by muxsh.
            if world.isHolding { return showPartLater(of: session, in: world) }
            session.voice.showPart()
        }
    }

    /// Talks to another session: the one with a number, counted from 1, or the next one in a direction. Returns false if
    /// there is none.
    private func switchTalk(_ step: LineEditor.Switch, in world: World) -> Bool {
        let names = world.sessions.all.map(\.name)
        let current = world.talk?.onlyTarget.flatMap { names.firstIndex(of: $0) }
        guard let index = step.index(from: current, of: names.count) else { return false }
        if index != current { world.talk = Talk(targets: [names[index]]) }
        return true
    }

    /// Notes whether a typed line is a password, and shows what it answers before it takes its place on the screen.
    private func willFinish(_ line: String, isHidden: Bool, in world: World) {
        password = isHidden ? LineReading(world, world.seat, shell.registry.table).password(in: line) : nil
        if !line.isEmpty, world.talk != nil || line.includes("> ") { liveSession?.voice.showPart() }
    }

    /// Updates the live row, now or when the last update is long enough ago.
    private func showLive(_ session: Session) {
        guard session.voice.live != nil else { return }
        liveSession = session
        guard liveTimer == nil else { return }
        liveTimer = shell.loop.schedule(after: Self.livePause) { [unowned self] in
            liveTimer = nil
            liveText = (liveSession?.voice.live ?? "").unicodeScalars.map(\.value)
            liveLine = liveSession?.linesReceived ?? 0
        }
    }

    private var isLiveTextValid: Bool {
        guard let liveSession, liveSession.linesReceived == liveLine else { return false }
        return liveSession.voice.live != nil
    }
}
