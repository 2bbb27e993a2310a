/// The barriers of a script, by name: strands that wait until enough of them have come.
final class Barriers {
    private var arrived: [String: [Strand]] = [:]

    /// How many wait there.
    func count(at name: String) -> Int { arrived[name]?.count ?? 0 }

    /// `strand` has come. The strands that may go on now, which is none as long as fewer than `count` have come.
    func arrive(_ strand: Strand, at name: String, count: Int) -> [Strand] {
        arrived[name, default: []].append(strand)
        guard let strands = arrived[name], strands.count >= count else { return [] }
        arrived[name] = nil
        return strands
    }

    /// `strand` waits there no longer.
    func leave(_ strand: Strand, _ name: String) {
        arrived[name]?.removeAll { $0 === strand }
    }
}
