/// Returns the candidate that a misspelled `argument` most likely means, or nil if none is close.
///
/// A candidate is close if its edit distance (insert, delete, change, swap neighbors) is at most a third of the
/// argument's length, or 1 for a short argument. An argument of one letter has no close candidate; a very long one is
/// not compared, because that would take too long.
package func nearestSpelling(of argument: String, among candidates: some Sequence<String>) -> String? {
    guard argument.count > 1, argument.utf8.count <= longestArgument else { return nil }
    let limit = max(1, argument.count / 3)
    var best: (distance: Int, candidate: String)?
    for candidate in candidates where abs(candidate.count - argument.count) <= limit {
        let distance = editDistance(Array(argument.utf8), Array(candidate.utf8))
        guard distance <= limit, distance <= (best?.distance ?? .max) else { continue }
        // Of equally close candidates, the first by name is chosen, independently of their order.
        if let best, distance == best.distance, candidate > best.candidate { continue }
        best = (distance, candidate)
    }
    return best?.candidate
}

private let longestArgument = 64

/// Returns the Damerau-Levenshtein distance, restricted to swaps of neighbors.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        for column in right.indices {
            let change = last[column] + (left[row] == right[column] ? 0 : 1)
            var cost = min(change, last[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                cost = min(cost, beforeLast[column - 1] + 1)
            }
            current.append(cost)
        }
        beforeLast = last
        last = current
    }
    return last[right.count]
}
