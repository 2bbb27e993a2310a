/// Reading the values that words stand for: durations, sizes, whole numbers and hexadecimal bytes.
package enum Literals {
    /// `5s`, `200ms`, `1.5s`, `1m`, `2h`, `50us`; nil for anything else.
    package static func duration(_ text: String) -> Duration? {
        let units: [(suffix: String, seconds: Double)] = [
            ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600),
        ]
        for unit in units where text.hasSuffix(unit.suffix) {
            guard let number = decimal(text.dropLast(unit.suffix.count)) else { continue }
            let seconds = number * unit.seconds
            // A year is far beyond any wait; the limit keeps every sum of instants in range.
            guard seconds <= 31_536_000 else { return nil }
            return .nanoseconds(Int64((seconds * 1e9).rounded()))
        }
        return nil
    }

    /// `4096`, `16KiB`, `4MiB`, `1GiB`; nil for anything else, and for zero.
    package static func size(_ text: String) -> Int? {
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1), ("", 1)]
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            guard let number = count(String(text.dropLast(suffix.count))) else { continue }
            let (size, overflow) = number.multipliedReportingOverflow(by: factor)
            return overflow || size == 0 ? nil : size
        }
        return nil
    }

    /// A whole number from zero on.
    package static func count(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    /// A whole number with an optional sign.
    package static func integer(_ bytes: [UInt8]) -> Int? {
        Int(String(decoding: bytes, as: UTF8.self))
    }

    /// Bytes as pairs of hexadecimal digits with any blanks between: `de ad be ef`.
    package static func hex(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for byte in text where byte != UInt8(ascii: " ") && byte != UInt8(ascii: "\t") {
            guard let digit = Escapes.hexValue(byte) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }

    private static func decimal(_ text: Substring) -> Double? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ count(String($0)) != nil }) else { return nil }
        return Double(text)
    }
}
