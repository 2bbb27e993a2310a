import Engine
import Script
import Sessions

/// Records one typed entry, for `save`: as typed if it waits, checks or decides, otherwise by what it did.
struct EntryRecorder {
    private let world: World
    private let recording: Recording
    private let mark: Recording.Mark
    /// How far each session was read.
    private let before: [Int: Int]
    /// How many tests had ended.
    private let tests: Int

    /// Commands that are recorded by their effects: those of the transcript, or none.
    private static let byEffect: Set<String> = [
        "open", "listen", "serve", "spawn", "send", "close", "starttls", "accept", "bridge", "reserve", "on", "off",
        "source", "print", "list", "show", "help", "history", "edit", "control", "find", "mute", "unmute", "interact",
        "reopen", "view", "talk", "quit", "exit", "save",
        "record",
    ]

    /// Nil if nothing is recorded.
    init?(_ world: World) {
        guard let recording = world.transcript.recording else { return nil }
        self.world = world
        self.recording = recording
        mark = recording.begin()
        before = Self.readings(world)
        tests = world.results.records.count
    }

    /// Records the entry after its run. `text` is what was typed.
    func end(_ text: String, _ statements: [Statement], hasPassed: Bool) {
        for case .command(let call) in statements.flatMap(\.withAllInside) where call.has(option: "--secret") {
            if let name = call.argument("NAME")?.template.literalText { recording.add(secret: name) }
        }
        let status = world.results.status(from: tests) ?? 0
        guard hasPassed, status == 0 else {
            // What was sent and received stays; a session that could not be opened is none.
            recording.dropOpens(since: mark) { world.sessions[$0] == nil }
            return
        }
        guard statements.contains(where: isAsTyped) else { return }
        let after = Self.readings(world)
        let consumed = before.compactMap { number, start in
            after[number].map { (session: number, range: start..<max(start, $0)) }
        }
        recording.replace(since: mark, with: text, consumed: consumed)
    }

    private func isAsTyped(_ statement: Statement) -> Bool {
        switch statement {
        case .arrow(let arrow): arrow.reads
        case .command(let call): !Self.byEffect.contains(call.description.name) && !call.has(option: "--secret")
        case .invocation: true
        }
    }

    private static func readings(_ world: World) -> [Int: Int] {
        Dictionary(world.sessions.all.map { ($0.reading.number, $0.reading.position) }) { first, _ in first }
    }
}
