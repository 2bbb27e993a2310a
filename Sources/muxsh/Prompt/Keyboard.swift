import Commands
import Engine
import Results
import Glibc
import Reactor
import Script
import Terminal

/// The source of a prompt's lines: the line editor, or plain lines on a terminal with no further capabilities.
final class Keyboard {
    let editor: LineEditor?
    private let plain: StandardInput?
    private let shell: Shell
    private let world: World
    private let output: SwitchedOutput
    private var isInterrupted = false

    init(_ shell: Shell, _ world: World, _ output: SwitchedOutput) {
        self.shell = shell
        self.output = output
        self.world = world
        let isDumb = ["", "dumb"].contains(Environment.setting("TERM")?.description ?? "")
        var sources = CompletionSources()
        sources.sessions = {
            world.sessions.all.map { ($0.name, $0.channel.peer) }
                + world.sessions.allServices.map { ($0.name, $0.service.location) }
        }
        sources.definitions = { world.definitions.names }
        sources.variables = {
            world.variables.names.map { ($0, Self.preview(of: $0, world)) }
                + world.builtInNames.map { ($0, "built in") }
        }
        sources.history = { world.history?() ?? [] }
        sources.addresses = {
            world.sessions.all.map { ($0.channel.peer, "peer of \($0.name)") }
                + world.sessions.allServices.map { ($0.service.location, "listener \($0.name)") }
        }
        sources.words = { Self.words(of: world) }
        sources.isTalking = { world.talk != nil }
        sources.color = { world.sessions[$0]?.voice.color }
        editor =
            isDumb
            ? nil
            : shell.makeEditor(&sources) { shell.turn(world) }
        editor?.talkPrefix = { world.talk?.prefix ?? "" }
        plain = editor == nil ? StandardInput(on: shell.loop) : nil
        output.editor = editor
        world.terminal = (
            lend: { [unowned self] in
                editor?.lend()
                plain?.pause(true)
            },
            takeBack: { [unowned self] in
                editor?.takeBack()
                plain?.pause(false)
            }
        )
    }

    /// Returns the value of a variable as far as a list has room for it, with secrets hidden.
    private static func preview(of name: String, _ world: World) -> String {
        guard let value = world.variables[name] else { return "" }
        guard value.count <= longestPreview else { return shown(bytes: value.count) }
        return visible(world.diagnostics.hidden(String(lossless: value)))
    }

    private static let longestPreview = 200

    /// Returns the words that the sessions talked to have sent or been sent, the newest first.
    private static func words(of world: World) -> [String] {
        guard let talk = world.talk, let logs = world.transcript.logs else { return [] }
        var words: [String] = []
        for name in logs.names where talk.includes(name) {
            for line in logs.newestLines(of: name, wordLines) {
                let text = String(decoding: line.drop { $0 != 0x20 }, as: UTF8.self)
                words += text.split { !($0.isLetter || $0.isNumber || "_-./:@%".contains($0)) }.map(String.init)
            }
        }
        return words.filter { $0.count > 1 }
    }

    /// How many lines of a session completion looks at.
    private static let wordLines = 1000

    /// Handles ^C: discards the line being typed.
    func interrupt() {
        if let editor { editor.interrupt() } else { isInterrupted = true }
    }

    /// Discards type-ahead.
    func dropTypedAhead() {
        editor?.dropTypedAhead()
        plain?.drop()
    }

    func end() {
        world.terminal = nil
        editor?.end()
        plain?.end()
    }

    /// Ends the input.
    func close() {
        editor?.close()
        plain?.close()
    }

    /// Whether there can be no more lines.
    var isClosed: Bool { editor?.isClosed ?? plain?.isAtEnd ?? true }

    /// The width of the screen in columns.
    var width: Int { editor?.width ?? 80 }

    /// The prompt before a line that begins a statement.
    var prompt: String {
        if let prompt = world.settings.prompt {
            return world.diagnostics.hidden(PromptText(template: prompt).text(in: world))
        }
        return world.talk.map { world.diagnostics.hidden($0.prompt(in: world, width: width)) } ?? "muxsh> "
    }

    /// Shows the paged output of commands, one screen at a time.
    func showPages() {
        let text = output.takePages()
        if !text.isEmpty { editor?.page(text) }
    }

    func readLine(prompt: @escaping () -> String) -> LineEditor.Line {
        if let editor { return editor.readLine(prompt: prompt) }
        guard let plain else { return .ended }
        output.plainPrompt = prompt()
        defer { output.plainPrompt = nil }
        while shell.interruption == nil, !isInterrupted {
            if let line = plain.nextLine() { return .text(String(lossless: line)) }
            if plain.isAtEnd { break }
            shell.turn(world)
        }
        // Later output begins on a new line.
        output.write([])
        defer { isInterrupted = false }
        return isInterrupted ? .interrupted : .ended
    }

    /// Adds a typed line to the history, with its secrets hidden. A possible answer to a password prompt is not written
    /// to the file.
    func remember(_ line: String) {
        let isPrivate = world.talk?.isAsked(in: world) == true
        let entry = line.first == " " ? line : world.talk?.entry(for: line) ?? line
        editor?.addToHistory(world.diagnostics.hidden(entry), isPrivate: isPrivate)
    }

    func suspend() {
        if let editor { editor.suspend() } else { kill(getpid(), SIGSTOP) }
    }
}

extension Shell {
    /// Returns the line editor of a prompt; nil if the terminal cannot be set up.
    ///
    /// - Parameters:
    ///   - sources: what the prompt completes; what is the same for all prompts is added.
    ///   - turn: turns the loop once.
    func makeEditor(_ sources: inout CompletionSources, turn: @escaping () -> Void) -> LineEditor? {
        sources.environment = { Environment.names.map(\.description).filter(isSessionName) }
        sources.topics = Manual.topics.map { ($0.name, $0.summary) }
        let editor = LineEditor(
            on: loop, historyPath: historyPath, completer: Completer(table: registry.table, sources: sources),
            highlighter: Highlighter(table: registry.table, sources: sources),
            usesColor: invocation.color.isColored(STDOUT_FILENO), isPlain: invocation.color == .never, turn: turn)
        editor?.takeSignal = { [unowned self] in take($0) }
        return editor
    }

    /// The path of the history file: below XDG_STATE_HOME, or below an existing home directory, since none is created.
    private var historyPath: SystemString? {
        if let state = Environment.setting("XDG_STATE_HOME") { return state + "/muxsh/history" }
        var status = stat()
        guard let home = Environment.setting("HOME"), home.withCString({ stat($0, &status) }) == 0,
            status.st_mode & S_IFMT == S_IFDIR
        else { return nil }
        return home + "/.local/state/muxsh/history"
    }
}
