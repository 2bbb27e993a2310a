import Engine
import Results
import Script
import Sessions
import VM

/// `mute` and `unmute`: hide the lines of sessions, or show them again.
struct MuteCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "mute", summary: "hide the lines of sessions",
            forms: [Form(.parameter(.target))],
            text: """
                Lines that the sessions send and receive are counted and kept in the log, but not shown. Files \
                (--transcript) still get them.
                """,
            examples: ["mute a", "mute replica*"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(MuteInstruction(target: try call.target(), isMuted: true, range: call.range))
    }
}

struct UnmuteCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "unmute", summary: "show the lines of sessions again",
            forms: [Form(.parameter(.target))],
            text: "Says how many lines were hidden; 'show NAME --log' shows them.",
            examples: ["mute a\nunmute a"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(MuteInstruction(target: try call.target(), isMuted: false, range: call.range))
    }
}

private struct MuteInstruction: Instruction {
    let target: Target
    let isMuted: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let transcript = strand.world.transcript
        for session in try strand.sessions(target, orFail: .expectation) {
            session.voice.showPart()
            let hidden = isMuted ? transcript.mute(session.name) : transcript.unmute(session.name)
            guard !isMuted, let hidden else { continue }
            transcript.hint("\(session.name): \(counted(hidden, "line")) hidden meanwhile: show \(session.name) --log")
        }
        return .next
    }
}

/// `find`: searches the logs of sessions.
struct FindCommand: Command {
    static var description: CommandDescription {
        let pattern = Parameter("PATTERN", .pattern)
        return CommandDescription(
            name: "find", summary: "search what sessions have sent and received",
            forms: [Form(.parameter(pattern), .optional([.keyword("in"), .parameter(.target)]))],
            text: """
                Shows the lines that contain PATTERN, a text or a /regex/, of all sessions or those of T. The log of a \
                session keeps its last 4 MiB, as shown, also after it is closed.
                """,
            examples: ["find \"timeout\"", "find /^a< -ERR/ in a"],
            caveats: ["Works only at the prompt."])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let argument = try call.required("PATTERN")
        compiler.emit(
            FindInstruction(
                pattern: call.regex("PATTERN"), text: Value(text: argument),
                target: call.argument("T") == nil ? nil : try call.target(), range: call.range))
    }
}

private struct FindInstruction: Instruction {
    let pattern: PatternSource?
    let text: Value<[UInt8]>
    let target: Target?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard let logs = world.transcript.logs else {
            throw Failure(.expectation, "'find' works only at the prompt", range: range)
        }
        let names = try target.map { target throws(Failure) in try loggedNames(of: target, strand, logs) } ?? logs.names
        let regex = try pattern.map { source throws(Failure) in try strand.regex(source) }
        let wanted = regex == nil ? try text.evaluate(in: strand) : []
        var count = 0
        for line in names.flatMap(logs.lines(of:)) {
            let isFound =
                regex.map { regex in
                    let outcome = line.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
                    if case .match = outcome { return true }
                    return false
                } ?? (line.range(of: wanted) != nil)
            guard isFound else { continue }
            count += 1
            world.page(String(lossless: line))
        }
        if count == 0 { world.print(Array("nothing found".utf8)) }
        return .next
    }

    private func loggedNames(of target: Target, _ strand: Strand, _ logs: SessionLogs) throws(Failure) -> [String] {
        var names: [String] = []
        for item in target.items {
            let name = try strand.text(item.template)
            let matching = logs.names.filter { $0 == name || isGlob(name) && globMatches(name, $0) }
            guard !matching.isEmpty || !strand.world.sessions.matching(name).isEmpty else {
                throw Failure(.expectation, "no session '\(name)' is or was open", range: item.range)
            }
            names += matching
        }
        return names
    }
}

/// `reopen`: connects again as `open` did.
struct ReopenCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "reopen", summary: "connect a session again",
            forms: [Form(.optional([.parameter(Parameter("NAME", .session))]))],
            text: """
                Closes session NAME if it is still open, and opens it with the address and the options of its last \
                'open'. Without NAME it is the session of 'talk', or the one that ended last. In 'talk', Enter on an \
                empty line reopens a session that has ended.
                """,
            examples: ["reopen a"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(ReopenInstruction(name: call.argument("NAME").map { Value(name: $0) }, range: call.range))
    }
}

private struct ReopenInstruction: Instruction {
    let name: Value<String>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard let name = try name?.evaluate(in: strand) ?? world.lastEnded(at: strand.seat) else {
            throw Failure(.connection, "no session has ended; write: reopen NAME", range: range)
        }
        guard let request = world.openings[name] else {
            throw Failure(.connection, "'\(name)' was not opened with 'open'", range: range)
        }
        if world.sessions[name] != nil {
            world.sessions.remove(name)
            world.transcript.statement("close \(name)")
        }
        return .wait(try Opening(request, world))
    }
}
