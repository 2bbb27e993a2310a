import Engine
import Results
import Script
import Sessions
import VM

/// `talk`: sends typed lines to sessions unchanged.
struct TalkCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "talk", summary: "send every typed line to sessions",
            forms: [Form(.parameter(.target))],
            text: """
                The prompt shows the sessions. Each line is sent unchanged. A line that begins with ':' is a command \
                (':list'), '::' sends a line that begins with ':', and ':' alone or Ctrl-D returns to commands. With \
                several sessions the prompt counts their answers.
                """,
            examples: ["talk a", "talk a,b", "talk *"],
            caveats: [
                "Works only at the prompt."
            ])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(TalkInstruction(target: try call.target(), range: call.range))
    }
}

private struct TalkInstruction: Instruction {
    let target: Target
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard world.history != nil || strand.isGuest else {
            throw Failure(.expectation, "'talk' works only at the prompt; in a script write: T> TEXT", range: range)
        }
        for session in try strand.sessions(target, orFail: .connection)
        where world.transcript.isMuted(session.name) {
            world.transcript.hint("\(session.name) is muted; to see its answers: unmute \(session.name)")
        }
        var targets: [String] = []
        for item in target.items { targets.append(try strand.text(item.template)) }
        let seat = strand.seat
        if !seat.hasHintedTalk, !strand.isGuest { world.transcript.hint(Talk.hint) }
        seat.hasHintedTalk = true
        if strand.isGuest { seat.talk = Talk(targets: targets) } else { world.talk = Talk(targets: targets) }
        return .next
    }
}

/// `history`: shows the lines typed before.
struct HistoryCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "history", summary: "show typed lines",
            forms: [Form(.optional([.parameter(Parameter("N", .count))]))],
            text: """
                Shows the last N lines, or all. The history is kept between runs, except lines that begin with a \
                space and secrets. 'set history N' sets how many lines are kept.
                """,
            examples: ["history 20"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(HistoryInstruction(count: call.argument("N").map { Value(count: $0) }, range: call.range))
    }
}

private struct HistoryInstruction: Instruction {
    let count: Value<Int>?
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        guard let lines = world.history?() else {
            throw Failure(.expectation, "'history' works only at the prompt", range: range)
        }
        let count = try count?.evaluate(in: strand) ?? lines.count
        let width = String(lines.count).count
        for (index, line) in lines.enumerated().suffix(count) {
            let number = String(index + 1)
            let text = String(repeating: " ", count: width - number.count) + number + "  " + line
            world.page(text.replacing("\n", by: "\n" + String(repeating: " ", count: width + 2)))
        }
        return .next
    }
}
