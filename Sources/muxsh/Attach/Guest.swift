import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// An attached prompt, as the run sees it: what it shows, and its entries, of which one runs at a time.
final class Guest {
    let channel: ControlChannel
    let seat: Seat
    /// Whether it is a prompt, which shows everything; otherwise it shows only the output of its own commands.
    private(set) var isPrompt = false
    /// The width of its screen in columns; nil if lines may have any length.
    private(set) var width: Int?
    private(set) var hasGreeted = false
    /// The entries that wait for their turn.
    var entries: [ControlMessage] = []
    /// The entry that runs.
    var strand: Strand?
    /// Whether the entry that runs is one line, which its prompt already shows.
    var isTyped = false
    /// How many changes were sent.
    private var sentCount = 0
    /// Until the next update is due.
    private var pause: Timer?
    private var sent: [ControlMessage.Kind: ControlMessage] = [:]

    init(_ channel: ControlChannel, _ seat: Seat) {
        self.channel = channel
        self.seat = seat
    }

    func greet(_ message: ControlMessage) {
        isPrompt = message.text(0) == "prompt"
        resize(message.text(1))
        hasGreeted = true
    }

    func resize(_ text: String) {
        width = Int(text).map { min(max($0, 2), 10_000) }
    }

    /// Whether an entry runs or waits.
    var isBusy: Bool { strand != nil || !entries.isEmpty }

    func send(_ kind: ControlMessage.Kind, _ bytes: [UInt8]) {
        channel.send(ControlMessage(kind, [bytes]))
    }

    /// Sends the state of something, if it has changed.
    func update(_ message: ControlMessage) {
        guard sent[message.kind] != message else { return }
        sent[message.kind] = message
        sentCount += 1
        channel.send(message)
    }

    /// Sends the state of the prompt soon, twenty times a second at most.
    func updateSoon(in world: World) {
        guard isPrompt, pause == nil else { return }
        sentCount = 0
        updateState(in: world)
        // Without a change there is nothing to limit, and the timer would wake the loop endlessly.
        guard sentCount > 0 else { return }
        pause = world.loop.schedule(after: .milliseconds(50)) { [weak self] in self?.pause = nil }
    }

    /// Sends what the prompt shows besides output: its text, names to complete, what its entry waits for.
    func updateState(in world: World) {
        guard isPrompt else { return }
        let diagnostics = world.diagnostics
        let text = seat.talk.map { $0.prompt(in: world, width: width ?? 80, countsOthers: false) } ?? "muxsh> "
        let hides = seat.talk?.asksForPassword(in: world) == true
        update(ControlMessage(.prompt, diagnostics.hidden(text), seat.talk?.prefix ?? "", hides ? "hidden" : ""))
        var names: [[UInt8]] = []
        for session in world.sessions.all {
            names += ["S", session.name, diagnostics.hidden(session.channel.peer), session.voice.color].map(
                \.losslessBytes)
        }
        for name in world.definitions.names.sorted() {
            let parameters = world.definitions[name]?.parameters.joined(separator: " ") ?? ""
            names += ["D", name, parameters, ""].map(\.losslessBytes)
        }
        for name in world.variables.names + world.builtInNames { names += ["V", name, "", ""].map(\.losslessBytes) }
        update(ControlMessage(.names, names))
        let unfinished = world.sessions.all.filter { seat.talk?.includes($0.name) ?? true }
        let last = unfinished.filter { $0.voice.unfinished != nil }.max { $0.silentSince < $1.silentSince }
        update(ControlMessage(.live, last?.voice.liveAnywhere ?? ""))
        if let strand {
            update(ControlMessage(.waiting, strand.wait.map { visible(diagnostics.hidden($0.wanted)) } ?? ""))
        }
    }
}
