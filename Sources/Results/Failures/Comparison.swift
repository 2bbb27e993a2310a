/// Two values that a condition compared, for a failure.
package struct Comparison {
    let left: [UInt8]
    let right: Right

    /// What the left value was compared with.
    enum Right {
        case value([UInt8])
        /// A value compared by size, where the first different byte means nothing.
        case quantity([UInt8])
        /// The pattern as written, and whether it matched.
        case pattern(String, matches: Bool)
    }

    package init(_ left: [UInt8], _ right: [UInt8], isOrder: Bool = false) {
        self.left = left
        self.right = isOrder ? .quantity(right) : .value(right)
    }

    package init(_ left: [UInt8], pattern: String, matches: Bool) {
        self.left = left
        right = .pattern(pattern, matches: matches)
    }
}
