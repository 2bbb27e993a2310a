import Reactor
import Engine
import Results
import Script
import Sessions
import VM
import Wire

/// `show`: shows the details of one session or service.
struct ShowCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "show", summary: "show the details of a session",
            forms: [Form(.parameter(Parameter("NAME", .session)))],
            options: [
                CommandOption("--screen", "show the screen of the program instead (spawn --pty)"),
                CommandOption("--log", "show the last lines of the session instead (at the prompt)"),
            ],
            text: "Shows address, state of both directions, settings, amounts sent and received, and unread data.",
            examples: ["show a", "spawn sh --pty sh\nshow sh --screen"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            ShowInstruction(
                target: try call.target("NAME"), showsScreen: call.has(option: "--screen"),
                showsLog: call.has(option: "--log"),
                range: call.range))
    }
}

private struct ShowInstruction: Instruction {
    let target: Target
    let showsScreen: Bool
    let showsLog: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        if showsLog {
            try showLog(in: strand)
            return .next
        }
        if !showsScreen, let item = target.items.first,
            let service = world.sessions.service(named: try strand.text(item.template))
        {
            if let tunnel = service as? Tunnel {
                show(facts(of: tunnel), world)
                return .next
            }
            show(
                [(service.kind, try strand.text(item.template)), ("address", service.location)], world)
            return .next
        }
        if !showsScreen, let item = target.items.first,
            let bridge = world.faultTarget(named: try strand.text(item.template))?.target as? NamedBridge
        {
            show([("bridge", bridge.name), ("faults", bridge.faultText.isEmpty ? "none" : bridge.faultText)], world)
            return .next
        }
        for session in try strand.sessions(target, orFail: .expectation) {
            guard showsScreen else {
                show(facts(of: session, world), world)
                continue
            }
            guard let picture = session.screenPicture else {
                throw Failure(
                    .expectation, "\(session.name): \(session.screenProblem)", range: range)
            }
            for line in picture { world.page(line) }
        }
        return .next
    }

    private func showLog(in strand: Strand) throws(Failure) {
        guard let logs = strand.world.transcript.logs else {
            throw Failure(.expectation, "'show --log' works only at the prompt", range: range)
        }
        let name = try target.items.first.map { item throws(Failure) in try strand.text(item.template) } ?? ""
        // A session that is closed still has its log.
        if !logs.names.contains(name) { _ = try strand.sessions(target, orFail: .expectation) }
        for line in logs.lines(of: name) { strand.world.page(String(lossless: line)) }
    }

    private func facts(of tunnel: Tunnel) -> [(String, String)] {
        let head = [
            ("tunnel", tunnel.name), ("address", tunnel.location), ("to", tunnel.destination),
            ("faults", tunnel.faultText.isEmpty ? "none" : tunnel.faultText),
        ]
        return head
            + tunnel.rows.map { row in
                let faults = row.faults.isEmpty ? "" : ", \(row.faults)"
                return (row.name, "\(row.peer), \(shown(bytes: row.up)) up, \(shown(bytes: row.down)) down\(faults)")
            }
    }

    private func facts(of session: Session, _ world: World) -> [(String, String)] {
        let channel = session.channel
        let limit = world.defaultLimit(for: [session])
        return [
            ("session", session.name),
            ("kind", channel.kind.rawValue),
            ("address", "\(session.address) (\(channel.peer))"),
            ("open for", shown(world.loop.readClock() - session.openedAt)),
            ("peer's side", session.inputState),
            ("our side", session.outputState),
            ("sent", "\(shown(bytes: channel.bytesSent)), \(counted(session.linesSent, "line"))"),
            ("received", "\(shown(bytes: channel.bytesReceived)), \(counted(session.linesReceived, "line"))"),
            ("queued to send", shown(bytes: channel.bytesWaiting)),
            ("unread", "\(shown(bytes: session.unreadCount)) (limit \(shown(bytes: channel.inbox.limit)))"),
            ("eol", session.lineEnding.rawValue),
            ("frame", session.framing.name),
            ("timeout", shown(limit)),
        ] + world.triggers.rows(of: session).map { ("trigger", "\($0.line) (\($0.use))") } + (channel.tls?.facts ?? [])
            + channel.facts
    }

    private func show(_ facts: [(String, String)], _ world: World) {
        for (name, value) in facts {
            let padding = String(repeating: " ", count: max(1, 20 - name.count))
            world.page(name + padding + value.replacing("\n", by: " "))
        }
    }
}
