/// The candidate that a misspelt `word` most likely means, or nil when none is near.
///
/// Near is an edit distance (insert, delete, change, swap neighbours) of at most a third of the word's length, and
/// at least 1; a word of one letter is near to nothing, and of a very long one it would take long to find out.
package func nearestSpelling(of argument: String, among candidates: some Sequence<String>) -> String? {
    guard argument.count > 1, argument.utf8.count <= longestArgument else { return nil }
    let limit = max(1, argument.count / 3)
    var best: (distance: Int, candidate: String)?
    for candidate in candidates where abs(candidate.count - argument.count) <= limit {
        let distance = editDistance(Array(argument.utf8), Array(candidate.utf8))
        guard distance <= limit, distance <= (best?.distance ?? .max) else { continue }
        // Of equally near ones the first by name, in whatever order they come.
        if let best, distance == best.distance, candidate > best.candidate { continue }
        best = (distance, candidate)
    }
    return best?.candidate
}

private let longestArgument = 64

/// The Damerau-Levenshtein distance, restricted to swaps of neighbours.
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
