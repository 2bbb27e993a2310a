import Results
import Script

/// A number in the form that conditions compare: most are whole and small.
package enum Number {
    case integer(Int)
    case decimal(Literals.Decimal)

    package init?(_ bytes: [UInt8]) {
        if let integer = Literals.integer(bytes) {
            self = .integer(integer)
        } else if let decimal = Literals.Decimal(bytes) {
            self = .decimal(decimal)
        } else {
            return nil
        }
    }

    /// The number as a decimal, a form that every number has.
    package var decimal: Literals.Decimal? {
        switch self {
        case .integer(let integer): Literals.Decimal(Array(String(integer).utf8))
        case .decimal(let decimal): decimal
        }
    }
}

extension Value where Result == Number {
    package func evaluate(in strand: Strand) throws(Failure) -> Number { try value(in: strand) }
}
