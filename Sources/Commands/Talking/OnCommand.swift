import Engine
import Results
import Script
import VM

/// `on`: runs a block whenever a line matches.
struct OnCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "on", summary: "run a block whenever a line matches",
            forms: [Form(.parameter(.target), .parameter(Expectation.pattern), content: .statements)],
            blockNames: ["session"],
            text: """
                Each whole line from T that the script has not read is tested once, sessions opened later included. When \
                it matches, the block runs beside the script, with ${session} and the captures set, and the line is \
                consumed; other lines stay for the script. The blocks of one session run one after the other, and lines \
                that have to wait for one hold back what follows them. A block that may read from the session reads what \
                follows its line; what it leaves unread is tested from there. A failure in a block fails the script; but \
                when a client of a listener has gone before its answer, only that block is aborted, with a note. Lines \
                that match no trigger are discarded unless the script reads the session. A line waits for \
                its end before the script can read it, unless no trigger can match it any more: begin the pattern with \
                ^ where the peer asks without a newline, such as 'login: '. A line that does not fit into the inbox is \
                a failure. One set in a test ends with it. The same 'on' run again replaces what it had set; 'off T' ends it.
                """,
            examples: [
                "listen fake :0\non fake.* /^GET (\\w+)/ {\n    ${session}> VALUE ${1}\n}",
                "on irc /^PING (.*)/ {\n    irc> PONG ${1}\n}",
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        guard !compiler.place.isInStrand else {
            throw ScriptError(call.range, "'on' stands in no strand", hint: "put it before 'parallel'")
        }
        let pattern = try call.required("PATTERN")
        if let word = pattern.bareLiteral, Expectation.keywords.contains(word) || word == "timeout" {
            throw ScriptError(
                pattern.range, "'on' looks at lines, not at '\(word)'",
                hint: "to look for the text, quote it: \"\(word)\"")
        }
        compiler.emit(
            OnInstruction(
                target: try call.target(), word: pattern, pattern: call.regex("PATTERN"),
                program: compiler.subprogram(call.block) { $0.isInStrand = true }, range: call.range))
    }
}

private struct OnInstruction: Instruction {
    let target: Target
    let word: Word
    let pattern: PatternSource?
    let program: Program
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let text = try pattern == nil ? strand.expand(word.template) : []
        guard pattern != nil || !text.isEmpty else {
            throw Failure(.expectation, "the search text is empty", range: word.range)
        }
        let trigger = Trigger(
            targets: try strand.names(of: target),
            pattern: try pattern.map { pattern throws(Failure) in .regex(try strand.regex(pattern)) } ?? .text(text),
            program: program, surroundings: strand.surroundings, range: range)
        world.triggers.add(trigger)
        strand.holdings?.open(trigger)
        return .next
    }
}

/// `off`: ends triggers.
struct OffCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "off", summary: "remove the triggers of these sessions",
            forms: [Form(.parameter(.target))],
            text: "What 'on' has set for sessions of T ends; a block that runs comes to its end.",
            examples: ["off irc", "off *"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(OffInstruction(target: try call.target(), range: call.range))
    }
}

private struct OffInstruction: Instruction {
    let target: Target
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        world.triggers.remove(targets: try strand.names(of: target))
        return .next
    }
}

extension Strand {
    /// The names and globs of a target, whether sessions of them are open or not.
    fileprivate func names(of target: Target) throws(Failure) -> [String] {
        var names: [String] = []
        for item in target.items { names.append(try text(item.template)) }
        return names
    }
}
