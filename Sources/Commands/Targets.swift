import Results
import Script
import Sessions
import VM

extension Strand {
    /// Returns the sessions that `target` denotes now; throws with `status` if a name or glob denotes none.
    func sessions(_ target: Target, orFail status: Failure.Status) throws(Failure) -> [Session] {
        var found: [Session] = []
        for item in target.items {
            let name = try text(item.template)
            let matching = world.sessions.matching(name)
            guard !matching.isEmpty else { throw missing(name, item.range, status) }
            for session in matching where !found.contains(where: { $0 === session }) {
                found.append(session)
            }
        }
        if let holdings {
            for session in found { holdings.touch(session) }
        }
        return found
    }

    private func missing(_ name: String, _ range: SourceRange, _ status: Failure.Status) -> Failure {
        if world.sessions.service(named: name) != nil {
            return Failure(status, "'\(name)' is a service, not a session; open a session to it first", range: range)
        }
        return Failure(
            status, isGlob(name) ? "no open session matches '\(name)'" : "no session '\(name)' is open", range: range)
    }
}
