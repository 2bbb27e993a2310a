import Engine
import Results
import Script
import Sessions
import VM

/// `view`: sets how the screen shows data sent and received.
struct ViewCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "view", summary: "show data as text, bytes, JSON and more",
            forms: [Form(.parameter(.view)), Form(.parameter(.target), .parameter(.view))],
            text: """
                Sets how the data of the sessions T, or of all, is shown on displays. text, the default, shows lines; \
                hex shows data sent and received as hexadecimal bytes beside the text. For what is received, json \
                shows each line that is JSON with one member a row; resp shows the replies of Redis as values, as \
                redis-cli does; http shows the fields and bodies of answers, without chunks, JSON in rows, and only the \
                size of what is not text; colour keeps the colors of a program and leaves out all else that acts on a \
                terminal.

                Expectations, transcript files (--transcript), reports and 'show --log' always have the lines as they \
                are.
                """,
            examples: ["view hex", "view a resp", "view a colour", "view text"])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        compiler.emit(
            ViewInstruction(
                target: call.argument("T") == nil ? nil : try call.target(),
                view: Value(view: try call.required("VIEW")), range: call.range))
    }
}

extension Parameter {
    static var view: Parameter {
        Parameter(
            "VIEW", .choice(SessionViews.View.allCases.map(\.rawValue)),
            summaries: [
                "text": "lines", "hex": "bytes beside the text", "json": "JSON with one member a row",
                "resp": "the replies of Redis", "http": "answers of HTTP/1.1", "colour": "the colors of a program",
            ])
    }
}

extension Value where Result == SessionViews.View {
    convenience init(view argument: Argument) {
        self.init(argument, Parameter.view.kind) { SessionViews.View(rawValue: String(decoding: $0, as: UTF8.self)) }
    }
}

private struct ViewInstruction: Instruction {
    let target: Target?
    let view: Value<SessionViews.View>
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let view = try view.evaluate(in: strand)
        guard let target else {
            world.transcript.views.common = view
            return .next
        }
        for session in try strand.sessions(target, orFail: .expectation) { world.transcript.views[session.name] = view }
        return .next
    }
}
