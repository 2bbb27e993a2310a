import Engine
import Results
import Script
import Sessions

/// The prompt as `set prompt` wrote it: text with variables, which are expanded whenever it is shown.
struct PromptText {
    let template: String

    /// Returns the text with its variables expanded: `${prompt.target}` and the like, and those of the script. Unknown
    /// ones are empty. Control characters are shown as escapes.
    func text(in world: World) -> String {
        var text = ""
        var rest = template[...]
        while let start = rest.range(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
            text += rest[..<start.lowerBound]
            text += value(String(rest[start.upperBound..<end]), world)
            rest = rest[rest.index(after: end)...]
        }
        return visible(text + rest)
    }

    private func value(_ name: String, _ world: World) -> String {
        switch name {
        case "prompt.target": world.talk?.targetText(in: world) ?? "muxsh"
        case "prompt.unseen": world.transcript.unseenCounts.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
        case "prompt.unread": unread(in: world)
        case "prompt.closed": world.sessions.all.filter(\.inputHasEnded).map(\.name).joined(separator: ",")
        case "prompt.latency": latency(in: world)
        default: world.variables[name].map { String(lossless: $0) } ?? ""
        }
    }

    /// The sessions that have unread data, with its size.
    private func unread(in world: World) -> String {
        world.sessions.all.filter { $0.channel.inbox.count > 0 }.map {
            "\($0.name) \(shown(bytes: $0.channel.inbox.count))"
        }.joined(separator: ", ")
    }

    /// How long the last answer took; while talking, that of the targets.
    private func latency(in world: World) -> String {
        let sessions = world.sessions.all.filter { world.talk?.includes($0.name) ?? true }
        let last = sessions.filter { $0.latency != nil }.max { $0.silentSince < $1.silentSince }
        return last?.latency.map { shown($0) } ?? ""
    }
}
