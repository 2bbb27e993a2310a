/// A pattern as written. A constant pattern is compiled here, any other pattern when its line runs.
package struct PatternSource {
    package let template: Template
    package let flags: String
    package let range: SourceRange
    /// The compiled regex of a constant pattern.
    package let compiled: Regex?
    /// The named groups, which become variables.
    package let groupNames: [String]

    /// `offset` is the byte of `range` at which the pattern begins.
    init(template: Template, flags: String, range: SourceRange, offset: Int) throws(ScriptError) {
        self.template = template
        self.flags = flags
        self.range = range
        // A variable's value matches literally, so it cannot add or remove groups.
        let isConstant = template.literal != nil
        let sample = template.expanded { _ in Array("(?:)".utf8) }
        do {
            let regex = try Regex(sample, flags: flags)
            compiled = isConstant ? regex : nil
            groupNames = regex.groups.map(\.name)
        } catch {
            throw ScriptError(
                isConstant
                    ? range.shifted(by: min(error.offset + offset, max(0, range.columns.count - 1)), count: 1) : range,
                "bad regex: \(error.message)")
        }
    }
}

extension PatternSource {
    /// Returns the regex, in which each variable's value matches literally.
    package func regex<Failure: Error>(
        _ value: (Expansion) throws(Failure) -> [UInt8]
    ) throws -> Regex {
        if let compiled { return compiled }
        let pattern = try template.expanded { expansion throws(Failure) in quoted(try value(expansion)) }
        return try Regex(pattern, flags: flags)
    }

    /// Returns a pattern that matches exactly `bytes`: ASCII bytes other than letters and digits are escaped.
    private func quoted(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            switch byte {
            case 0: Array("\\x00".utf8)
            case 48...57, 65...90, 97...122, 0x80...: [byte]
            default: [UInt8(ascii: "\\"), byte]
            }
        }
    }
}
