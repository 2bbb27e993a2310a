import Engine
import Results
import Script
import Sessions
import VM
import Wire

/// `set`: changes a setting, for all sessions or for some.
struct SetCommand: Command {
    static var description: CommandDescription {
        let session = Element.parameter(.target)
        let duration = Element.parameter(.duration)
        let ending = Element.parameter(.lineEnding)
        let framing = Element.parameter(.framing)
        let size = Element.parameter(Parameter("SIZE", .size))
        let cut = Element.parameter(Parameter("STATE", .choice(["on", "off"])))
        let idle = Element.keyword("idle")
        let when = Element.parameter(
            Parameter(
                "WHEN", .choice(["auto", "always", "never"]),
                summaries: ["auto": "on a terminal that has colors", "always": "also in pipes", "never": "nowhere"]))
        return CommandDescription(
            name: "set", summary: "change settings, for all sessions or some",
            forms: [
                Form(.keyword("timeout"), duration), Form(.keyword("eol"), ending), Form(.keyword("inbox"), size),
                Form(.keyword("frame"), framing), Form(.keyword("linger"), duration), Form(.keyword("color"), when),
                Form(.keyword("cut-is-eof"), cut), Form(.keyword("view"), .parameter(.view)),
                Form(.keyword("history"), .parameter(Parameter("N", .count))), Form(idle, duration),
                Form(.keyword("prompt"), .parameter(Parameter("TEXT", .text))),
                Form(session, .keyword("timeout"), duration), Form(session, .keyword("eol"), ending),
                Form(session, .keyword("frame"), framing), Form(session, .keyword("inbox"), size),
                Form(session, .keyword("cut-is-eof"), cut), Form(session, .keyword("pace"), duration),
            ],
            keywordSummaries: [
                "timeout": "the default time limit of a wait", "eol": "the line ending to send",
                "inbox": "how much unread data a session holds", "frame": "how received bytes are divided",
                "linger": "the longest silence at the end of input", "color": "whether the prompt is colored",
                "cut-is-eof": "whether TLS may end without close_notify", "view": "how data is shown",
                "history": "how many typed lines are kept", "idle": "when a silent UDP peer is removed",
                "prompt": "the text of the prompt",
                "pace": "the least time between two sent lines",
            ],
            text: """
                timeout: the default time limit of a wait (5s). eol: the line ending to send (lf, crlf, cr, nul or \
                none). frame: the framing (see 'help frames'). inbox: how \
                much unread data a session holds before the peer is made to wait (16MiB). linger: the longest \
                silence at the end of input (1s). idle: how long a peer of a UDP listener may be silent before it is \
                removed, unless accepted (60s). cut-is-eof on: treat a TLS connection closed without close_notify as \
                an ordinary end of the stream. pace: the least time between two lines that are sent, for peers that \
                lose what comes too fast; the script waits meanwhile (0s ends that).

                For the prompt: color (auto, always or never), view (see 'help view'), history, the number of typed \
                lines kept (10000), and prompt, its text, in single quotes: the variables in it are expanded whenever it \
                is shown. ${prompt.target} is the session that typed lines are sent to, or muxsh; ${prompt.unseen} and \
                ${prompt.unread} count the data of other sessions; ${prompt.closed} lists the sessions whose peers have \
                ended; ${prompt.latency} is how long the last answer took. An empty text is the usual prompt.
                """,
            examples: [
                "set timeout 2s", "set a eol crlf", "set inbox 64MiB", "set router pace 50ms",
                "set prompt '${prompt.target} ${prompt.latency}> '",
            ],
            caveats: [
                "Without T a setting applies to open sessions and to those opened later.",
                "eol and frame do not apply to UDP.",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let target: Target? = call.argument("T") == nil ? nil : try call.target()
        guard let option = call.keywords.first else { throw ScriptError(call.range, "set needs an option") }
        compiler.emit(
            SetInstruction(target: target, change: try change(option, call), option: option, range: call.range))
    }

    private static func change(
        _ option: String, _ call: CommandCall
    ) throws(ScriptError) -> (Strand) throws(Failure) -> SetInstruction.Change {
        switch option {
        case "timeout":
            let value = Value(duration: try call.required("D"))
            return { strand throws(Failure) in .timeout(try value.evaluate(in: strand)) }
        case "pace":
            let value = Value(duration: try call.required("D"))
            return { strand throws(Failure) in .pace(try value.evaluate(in: strand)) }
        case "linger":
            let value = Value(duration: try call.required("D"))
            return { strand throws(Failure) in .linger(try value.evaluate(in: strand)) }
        case "idle":
            let value = Value(duration: try call.required("D"))
            return { strand throws(Failure) in .idle(try value.evaluate(in: strand)) }
        case "eol":
            let value = Value(lineEnding: try call.required("E"))
            return { strand throws(Failure) in .lineEnding(try value.evaluate(in: strand)) }
        case "frame":
            let value = Value(framing: try call.required("F"))
            return { strand throws(Failure) in .framing(try value.evaluate(in: strand)) }
        case "cut-is-eof":
            let value = Value(text: try call.required("STATE"))
            return { strand throws(Failure) in .cutIsEnd(try value.evaluate(in: strand) == Array("on".utf8)) }
        case "prompt":
            let value = Value(text: try call.required("TEXT"))
            return { strand throws(Failure) in .prompt(try value.evaluate(in: strand)) }
        case "view":
            let value = Value(view: try call.required("VIEW"))
            return { strand throws(Failure) in .view(try value.evaluate(in: strand)) }
        case "history":
            let value = Value(count: try call.required("N"))
            return { strand throws(Failure) in .historySize(try value.evaluate(in: strand)) }
        case "inbox":
            let value = Value(size: try call.required("SIZE"))
            return { strand throws(Failure) in .inbox(try value.evaluate(in: strand)) }
        default:
            let value = Value(text: try call.required("WHEN"))
            return { strand throws(Failure) in .color(String(decoding: try value.evaluate(in: strand), as: UTF8.self)) }
        }
    }
}

private struct SetInstruction: Instruction {
    enum Change {
        case timeout(Duration)
        case pace(Duration)
        case linger(Duration)
        case idle(Duration)
        case lineEnding(LineEnding)
        case framing(Framing)
        case inbox(Int)
        case color(String)
        case cutIsEnd(Bool)
        case view(SessionViews.View)
        case historySize(Int)
        case prompt([UInt8])

        /// Whether a change for all sessions applies to this one: line settings of streams do not apply to datagrams.
        func concerns(_ session: Session) -> Bool {
            switch self {
            case .lineEnding, .framing: !session.framing.keepsMessages
            case .timeout, .pace, .linger, .idle, .inbox, .color, .cutIsEnd, .view, .historySize, .prompt: true
            }
        }
    }

    let target: Target?
    let change: (Strand) throws(Failure) -> Change
    let option: String
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let change = try change(strand)
        guard let target else {
            applyToAll(change, world)
            return .next
        }
        for session in try strand.sessions(target, orFail: .expectation) {
            if case .framing(let framing) = change, let problem = session.problem(with: framing) {
                throw Failure(.expectation, "\(session.name): \(problem)")
            }
            apply(change, to: session, world)
        }
        return .next
    }

    private func applyToAll(_ change: Change, _ world: World) {
        switch change {
        case .timeout(let limit): world.settings.timeout = limit
        case .linger(let limit): world.settings.linger = limit
        case .pace: break
        case .idle(let limit): world.settings.idle = limit
        case .lineEnding(let ending): world.settings.lineEnding = ending
        case .framing(let framing): world.settings.framing = framing
        case .inbox(let size): world.settings.inboxLimit = size
        case .cutIsEnd(let isEnd): world.settings.cutIsEnd = isEnd
        case .view(let view): world.transcript.views.common = view
        case .historySize(let size): world.settings.historySize = size
        case .prompt(let text): world.settings.prompt = text.isEmpty ? nil : String(lossless: text)
        case .color(let when):
            world.transcript.usesColor = when == "always" || when == "auto" && world.settings.autoColor
        }
        for session in world.sessions.all where change.concerns(session) {
            apply(change, to: session, world)
        }
    }

    private func apply(_ change: Change, to session: Session, _ world: World) {
        switch change {
        case .timeout(let limit): session.timeout = limit
        case .lineEnding(let ending):
            session.setLineEnding(ending)
            world.transcript.statement("set \(session.name) eol \(ending.rawValue)")
        case .framing(let framing):
            session.voice.showPart()
            session.setFraming(world.settings.framing(framing, over: session.framing.medium))
            world.transcript.statement("set \(session.name) frame \(quotedArgument(framing.name))")
        case .pace(let pace):
            session.pace = pace > .zero ? pace : nil
            world.transcript.statement("set \(session.name) pace \(microseconds(pace))")
        case .inbox(let size): session.channel.setInboxLimit(size)
        case .cutIsEnd(let isEnd): session.channel.cutIsEnd = isEnd
        case .linger, .idle, .color, .view, .historySize, .prompt: break
        }
    }
}

extension Session {
    /// Returns why the session cannot have a framing, or nil.
    fileprivate func problem(with framing: Framing) -> String? {
        switch self.framing.medium {
        case .stream: nil
        case .datagrams:
            [.line, .raw].contains(framing)
                ? nil : "over UDP each datagram is one line: the only frame allowed is raw"
        case .messages: "over WebSocket each message is one line: no frame applies"
        }
    }
}
