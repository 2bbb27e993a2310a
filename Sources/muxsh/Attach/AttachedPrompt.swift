import Commands
import Engine
import Glibc
import Reactor
import Results
import Script
import Sockets
import Terminal
import Wire

/// `muxsh attach PATH`: a prompt whose entries run in another muxsh, or its -c lines.
final class AttachedPrompt {
    private let shell: Shell
    private let path: SystemString
    private var connector: Connector?
    private var channel: ControlChannel?
    private var problem: String?
    private var editor: LineEditor?
    private var input: StandardInput?
    /// Why the run has ended the connection; empty for `quit`.
    private var goodbye: String?
    /// Whether an entry runs, and the statuses of those that have ended.
    private var isRunning = false
    /// Whether the run has ended before all entries had.
    private var isCut = false
    private var status: Int32 = 0
    private var pages: [UInt8] = []
    private var isInterrupted = false

    // The state of the run, as last received.
    private var prompt = "muxsh> "
    private var talkPrefix = ""
    private var hidesTyping = false
    private var waiting = ""
    private var live: [UInt32] = []
    private var beganAt: Instant
    private var sessions: [(name: String, peer: String, color: String)] = []
    private var definitions: [(name: String, parameters: [String])] = []
    private var variables: [String] = []

    init(_ shell: Shell, _ path: SystemString) {
        self.shell = shell
        self.path = path
        beganAt = shell.loop.now
    }

    /// Runs until its user leaves or the run ends; returns the exit status.
    func run() -> Int32 {
        guard connect() else { return Failure.Status.connection.rawValue }
        let isTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && shell.invocation.lines.isEmpty
        shell.handleSignal = { [unowned self] in handle($0) }
        defer { shell.handleSignal = { _ in false } }
        if isTerminal { openEditor() }
        send(.hello, isTerminal ? "prompt" : "command", editor.map { String($0.width) } ?? "")
        if !shell.invocation.lines.isEmpty {
            runLines()
        } else if editor != nil {
            readEntries()
        } else {
            readInput()
        }
        channel?.close()
        let hasPrompt = editor != nil
        editor?.end()
        editor = nil
        if let goodbye, !goodbye.isEmpty { shell.say("muxsh: \(visible(goodbye))\n") }
        return shell.interruption?.rawValue
            ?? (isLost || isCut && !hasPrompt ? Failure.Status.connection.rawValue : status)
    }

    /// Whether the connection ended without a word.
    private var isLost: Bool { channel == nil && goodbye == nil }

    private func connect() -> Bool {
        do throws(AddressError) {
            _ = try Address(parsing: Array("unix:".utf8) + path.bytes)
        } catch {
            shell.say("muxsh: \(error.message)\n")
            return false
        }
        let asked = "unix:\(path)"
        let connector = Connector(addresses: [.unix(path: path)], localAddress: nil, on: shell.loop) { [unowned self] in
            switch $0 {
            case .success(let connection): connected(connection.transport)
            case .failure(let failure): problem = "cannot attach to \(path.shown): \(failure.message(for: asked))"
            }
        }
        self.connector = connector
        connector.start()
        while channel == nil, problem == nil, shell.interruption == nil { shell.loop.turn() }
        self.connector = nil
        if let problem { shell.say("muxsh: \(visible(problem))\n") }
        return channel != nil
    }

    private func connected(_ transport: any Transport) {
        let channel = ControlChannel(transport, on: shell.loop)
        channel.receive = { [unowned self] in receive($0) }
        channel.onEnd = { [unowned self] in
            if self.goodbye == nil, isRunning || editor != nil { shell.say("muxsh: the run has ended\n") }
            self.channel = nil
            editor?.close()
        }
        self.channel = channel
    }

    private func send(_ kind: ControlMessage.Kind, _ texts: String...) {
        channel?.send(ControlMessage(kind, texts.map(\.losslessBytes)))
    }

    private func receive(_ message: ControlMessage) {
        switch message.kind {
        case .show: show(message.fields.first ?? [])
        case .page: pages += message.fields.first ?? []
        case .diagnose: tell(message.fields.first ?? [])
        case .prompt:
            (prompt, talkPrefix, hidesTyping) = (message.text(0), message.text(1), message.text(2) == "hidden")
        case .names: takeNames(message.fields.map { String(lossless: $0) })
        case .waiting: waiting = message.text(0)
        case .live: live = message.text(0).unicodeScalars.map(\.value)
        case .done:
            isRunning = false
            let ended = Int32(message.text(0)) ?? 0
            if status == 0 { status = ended }
        case .bye:
            goodbye = message.text(0)
            isCut = isRunning
            isRunning = false
            editor?.close()
        default: break
        }
    }

    private func tell(_ text: [UInt8]) {
        guard let editor else { return shell.say(String(lossless: text)) }
        editor.show(shell.invocation.color.isColored(STDOUT_FILENO) ? DiagnosticColors.painted(text) : text)
    }

    private func show(_ text: [UInt8]) {
        if let editor { editor.show(text) } else { shell.standardOutput.write(text) }
    }

    private func takeNames(_ fields: [String]) {
        (sessions, definitions, variables) = ([], [], [])
        for index in stride(from: 0, to: fields.count - 3, by: 4) {
            switch fields[index] {
            case "S": sessions.append((fields[index + 1], fields[index + 2], fields[index + 3]))
            case "D":
                let parameters = fields[index + 2].split(separator: " ").map(String.init)
                definitions.append((fields[index + 1], parameters))
            default: variables.append(fields[index + 1])
            }
        }
    }

    private func turn() {
        if let editor { editor.refresh() } else { shell.standardOutput.flush() }
        shell.loop.turn()
    }

    /// Whether anything more can happen.
    private var isOver: Bool { channel == nil || goodbye != nil || shell.interruption != nil }

    // MARK: Entries

    private func runLines() {
        var parser = shell.reader.parser(for: SourceText(name: "-c"), opensFiles: false)
        var entry: [String] = []
        for (index, line) in shell.invocation.lines.enumerated() {
            entry.append(line.description)
            parser.feed(line.bytes)
            if parser.isInsideStatement { continue }
            run(entry.joined(separator: "\n"))
            entry = []
            if status != 0 { return }
            if isOver {
                isCut = isCut || index < shell.invocation.lines.count - 1
                return
            }
        }
        if !entry.isEmpty { run(entry.joined(separator: "\n")) }
    }

    private func readInput() {
        let input = StandardInput(on: shell.loop)
        self.input = input
        defer { input.end() }
        var parser = shell.reader.parser(for: SourceText(name: "<stdin>"), opensFiles: false)
        var entry: [String] = []
        while !isOver {
            guard let line = input.nextLine() else {
                if input.isAtEnd { break }
                turn()
                continue
            }
            entry.append(String(lossless: line))
            parser.feed(line)
            if parser.isInsideStatement { continue }
            run(entry.joined(separator: "\n"))
            entry = []
            if status != 0, isatty(STDIN_FILENO) == 0 { return }
        }
        if !entry.isEmpty, !isOver { run(entry.joined(separator: "\n")) }
    }

    /// Runs an entry in the run and waits for its end.
    private func run(_ text: String, isHidden: Bool = false) {
        isRunning = true
        beganAt = shell.loop.readClock()
        waiting = ""
        send(.entry, text, isHidden ? "hidden" : "")
        var timer: Timer?
        func tick() { timer = shell.loop.schedule(after: .milliseconds(500)) { tick() } }
        tick()
        while isRunning, !isOver { turn() }
        if let timer { shell.loop.cancel(timer) }
        if editor == nil { shell.standardOutput.flush() }
    }

    // MARK: The prompt

    private func openEditor() {
        var sources = CompletionSources()
        sources.sessions = { [unowned self] in sessions.map { ($0.name, $0.peer) } }
        sources.definitions = { [unowned self] in definitions.map(\.name) }
        sources.variables = { [unowned self] in variables.map { ($0, "") } }
        sources.history = { [unowned self] in editor?.historyLines ?? [] }
        sources.addresses = { [unowned self] in sessions.map { ($0.peer, "peer of \($0.name)") } }
        sources.isTalking = { [unowned self] in !talkPrefix.isEmpty }
        sources.color = { [unowned self] name in sessions.first { $0.name == name }?.color }
        editor = shell.makeEditor(&sources) { [unowned self] in turn() }
        guard let editor else { return }
        editor.talkPrefix = { [unowned self] in talkPrefix }
        editor.hidesTyping = { [unowned self] in hidesTyping }
        var isHidden = false
        editor.willFinish = { isHidden = $1 }
        editor.openBlocks = { [unowned self] in entryText($0)?.openness ?? .whole }
        editor.wrongRows = { [unowned self] in entryText($0)?.wrongRows ?? [] }
        editor.switchTo = { [unowned self] in switchTo($0) }
        editor.liveRow = { [unowned self] in live }
        editor.waitingRow = { [unowned self] _ in waitingText }
        takeHidden = {
            defer { isHidden = false }
            return isHidden
        }
        if !shell.invocation.isQuiet {
            editor.show(Array("# attached to \(path.shown): 'list' shows the sessions, ^D leaves\n".utf8))
        }
    }

    private func entryText(_ text: String) -> EntryText? {
        var checker = shell.reader.checker(sessions: sessions.map(\.name), variables: variables)
        for (name, parameters) in definitions { checker.know(command: name, parameters: parameters) }
        return EntryText(text, isTalking: !talkPrefix.isEmpty, shell.reader, checker)
    }

    /// Returns, once, whether the last line was a password.
    private var takeHidden: () -> Bool = { false }

    private var waitingText: String? {
        let time = shell.loop.readClock() - beganAt
        guard isRunning, time > .milliseconds(400) else { return nil }
        let seconds = Int(time.inSeconds)
        return waiting.isEmpty ? "running for \(seconds) s; ^C stops" : "waiting for \(waiting): \(seconds) s; ^C stops"
    }

    private func readEntries() {
        while let editor, !isOver {
            switch editor.readLine(prompt: { [unowned self] in prompt }) {
            case .text(let text): take(text, editor)
            case .edit(let text): editor.begin(with: text)
            case .interrupted: break
            case .ended where !talkPrefix.isEmpty && !editor.isClosed: run(":")
            case .ended: return
            }
        }
    }

    private func take(_ text: String, _ editor: LineEditor) {
        let isHidden = takeHidden()
        guard !text.isEmpty || !talkPrefix.isEmpty else { return }
        if !isHidden, !text.includes("--secret") {
            let isSent = !talkPrefix.isEmpty && (!text.hasPrefix(":") || text.hasPrefix("::"))
            editor.addToHistory(isSent ? talkPrefix + text : talkPrefix.isEmpty ? text : String(text.dropFirst()))
        }
        run(text, isHidden: isHidden)
        if !pages.isEmpty { editor.page(pages) }
        pages = []
    }

    /// Talks to another session, without an entry of its own.
    private func switchTo(_ step: LineEditor.Switch) -> Bool {
        let current = sessions.firstIndex { "\($0.name)> " == talkPrefix }
        guard let index = step.index(from: current, of: sessions.count) else { return false }
        send(.entry, (talkPrefix.isEmpty ? "" : ":") + "talk \(sessions[index].name)", "")
        return true
    }

    private func handle(_ signal: Int32) -> Bool {
        switch signal {
        case SIGINT where isRunning: send(.interrupt)
        case SIGINT where editor != nil: editor?.interrupt()
        case SIGWINCH:
            editor?.resize()
            send(.width, String(editor?.width ?? 80))
        case SIGTSTP: if let editor { editor.suspend() } else { kill(getpid(), SIGSTOP) }
        case SIGCONT: editor?.resume()
        default:
            editor?.close()
            return false
        }
        return true
    }
}
