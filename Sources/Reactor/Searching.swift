// The few searches in text that the standard library has only in a module that would add a regex engine of a megabyte.
extension Collection where Element: Equatable {
    /// Returns the first place where `pattern` occurs, or nil.
    package func range<Pattern: Collection<Element>>(of pattern: Pattern) -> Range<Index>? {
        var start = startIndex
        while true {
            var (index, rest) = (start, pattern[...])
            while let element = rest.first, index < endIndex, self[index] == element {
                formIndex(after: &index)
                rest.removeFirst()
            }
            if rest.isEmpty { return start..<index }
            // A longer rest is not there at a later place either.
            guard index < endIndex else { return nil }
            formIndex(after: &start)
        }
    }

    /// Returns whether `pattern` occurs.
    package func includes(_ pattern: some Collection<Element>) -> Bool { range(of: pattern) != nil }
}

extension String {
    /// Returns the text between the places of `separator`, which must not be empty.
    package func parts(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let place = rest.range(of: separator) {
            parts.append(String(rest[..<place.lowerBound]))
            rest = rest[place.upperBound...]
        }
        return parts + [String(rest)]
    }

    /// Returns the text with `new` in each place of `old`, which must not be empty.
    package func replacing(_ old: String, by new: String) -> String {
        parts(separatedBy: old).joined(separator: new)
    }
}
