import Script

/// A pattern and a text, separated by a newline: it is compiled or rejected with a message, and the first match is the
/// same whether the text is whole or arrives in two pieces.
enum PatternsTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        let parts = input.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count < 64, parts[1].count < 256 else { return }
        guard let regex = try? Regex(Array(parts[0])) else { return }
        let text = Array(parts[1])
        let whole = text.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
        guard case .match(let groups) = whole, let range = groups.first ?? nil else { return }
        require(range.lowerBound >= 0 && range.upperBound <= text.count, "a match lies outside of its text")
        for cut in 0...text.count {
            let piece = text[..<cut]
            let partial = piece.withUnsafeBytes { regex.search($0, from: 0, isWhole: false, beginsLine: true) }
            switch partial {
            // No match can begin before the cut, so this one may not.
            case .none: require(range.upperBound > cut || range.lowerBound >= cut, "a partial search misses a match")
            // A pattern that takes a tenth of a second here does so for each of the pieces.
            case .limit, .paused: return
            case .match, .partial: break
            }
        }
    }
}
