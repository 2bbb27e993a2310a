import Engine
import Reactor
import Results
import Script
import VM

/// `save`: writes what was done at the prompt as a script.
struct SaveCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "save", summary: "write what was done as a script",
            forms: [Form(.parameter(Parameter("FILE", .path)))],
            options: [CommandOption("--last", Parameter("N", .count), "only the last N entries")],
            text: """
                The script repeats what was done at this prompt: it opens the sessions, sends, and expects what was \
                received. A typed 'expect' replaces the lines that it consumed. What failed, and commands \
                such as 'help', are left out, and so are the lines of muted sessions. A secret is taken from the \
                environment variable of its name, and an address that was opened more than once is a variable at the \
                top. An existing FILE is replaced.
                """,
            examples: ["save login.mux", "save login.mux --last 5"],
            caveats: ["The newest 16 MiB are kept.", "Blocks of 'on' are saved as the answers that they sent."])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            SaveInstruction(
                path: Value(path: try call.required("FILE")),
                count: call.value(ofOption: "--last").map { Value(count: $0) }, range: call.range))
    }
}

private struct SaveInstruction: Instruction {
    let path: Value<SystemString>
    let count: Value<Int>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard let recording = world.transcript.recording else {
            throw Failure(
                .expectation, "'save' works only at the prompt; for a script use --transcript FILE", range: range)
        }
        let path = try path.evaluate(in: strand)
        for session in world.sessions.all { session.voice.showPart() }
        let count = try count?.evaluate(in: strand)
        let (text, lines) = count.map { recording.script(last: $0) } ?? recording.script()
        try writeFile(path, text)
        world.transcript.hint(message(saved: lines, in: path, secrets: recording.secrets(in: text)))
        return .next
    }
}

private func message(saved lines: Int, in path: SystemString, secrets: [String]) -> String {
    let file = quotedArgument(path.description)
    let variables = secrets.map { "\($0)=VALUE " }.joined()
    return "saved \(counted(lines, "line")) in \(file); to run the script: \(variables)muxsh \(file)"
}

/// `record`: writes what is done from here on as a script.
struct RecordCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "record", summary: "write what is done from here on as a script",
            forms: [Form(.keyword("off")), Form(.parameter(Parameter("FILE", .path)))],
            text: """
                FILE is written at 'record off', or at the end, in the form of 'save'. In a script everything that was \
                received is recorded as an expectation.
                """,
            examples: ["record login.mux\nopen a localhost:8080\na> hello\na< HELLO\nrecord off"],
            caveats: ["--transcript writes a file line by line, which is complete even if muxsh is killed."])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(RecordInstruction(path: call.argument("FILE").map { Value(path: $0) }, range: call.range))
    }
}

private struct RecordInstruction: Instruction {
    /// Nil to end the record.
    let path: Value<SystemString>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard let path = try path?.evaluate(in: strand) else {
            guard world.record != nil else { throw Failure(.expectation, "nothing is being recorded", range: range) }
            try world.endRecord()
            return .next
        }
        if let record = world.record {
            throw Failure(
                .expectation, "already recording to \(record.path)", details: ["end that first: record off"],
                range: range)
        }
        if world.transcript.recording == nil { world.transcript.record() }
        // A file that cannot be written is a failure now, not at the end.
        try writeFile(path, [])
        if let recording = world.transcript.recording { world.record = (path, recording.here) }
        return .next
    }
}

extension World {
    /// Writes what has been recorded since 'record FILE', if anything is being recorded.
    package func endRecord() throws(Failure) {
        guard let (path, mark) = record, let recording = transcript.recording else { return }
        record = nil
        for session in sessions.all { session.voice.showPart() }
        let (text, lines) = recording.script(since: mark)
        try writeFile(path, text)
        transcript.hint(message(saved: lines, in: path, secrets: recording.secrets(in: text)))
    }
}
