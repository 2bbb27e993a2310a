/// A value that conditions compare by size: a number, a duration or a size. Most are small whole numbers.
package enum Quantity {
    case integer(Int)
    case decimal(Literals.Decimal)
    case duration(Duration)
    /// In bytes.
    case size(Int)

    /// Only quantities of the same kind can be compared.
    package enum Kind: String {
        case number, duration, size
    }

    /// Nil for any other text. A number without a unit is a number, not a size.
    package init?(_ bytes: [UInt8]) {
        if let integer = Literals.integer(bytes) {
            self = .integer(integer)
        } else if let decimal = Literals.Decimal(bytes) {
            self = .decimal(decimal)
        } else {
            let text = String(decoding: bytes, as: UTF8.self)
            if let duration = Literals.duration(text) {
                self = .duration(duration)
            } else if let size = Literals.size(text) {
                self = .size(size)
            } else {
                return nil
            }
        }
    }

    package var kind: Kind {
        switch self {
        case .integer, .decimal: .number
        case .duration: .duration
        case .size: .size
        }
    }

    /// Whether the comparison holds; nil if the kinds differ.
    package static func compare(_ left: Quantity, _ operation: Condition.Operator, _ right: Quantity) -> Bool? {
        switch (left, right) {
        case (.integer(let left), .integer(let right)): order(left, operation, right)
        case (.duration(let left), .duration(let right)): order(left, operation, right)
        case (.size(let left), .size(let right)): order(left, operation, right)
        default:
            left.decimal.flatMap { left in right.decimal.map { order(left, operation, $0) } }
        }
    }

    /// A number as a decimal; nil for a duration or a size.
    private var decimal: Literals.Decimal? {
        switch self {
        case .integer(let integer): Literals.Decimal(Array(String(integer).utf8))
        case .decimal(let decimal): decimal
        case .duration, .size: nil
        }
    }

    private static func order<N: Comparable>(_ left: N, _ operation: Condition.Operator, _ right: N) -> Bool {
        switch operation {
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        case .equal: left == right
        case .unequal: left != right
        }
    }
}
