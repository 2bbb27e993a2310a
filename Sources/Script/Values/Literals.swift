/// Parses literal values: durations, sizes, whole numbers, and hexadecimal and base64 bytes.
package enum Literals {
    /// Returns a duration such as `5s`, `200ms`, `1.5s`, `1m`, `2h` or `50us`; nil for anything else.
    package static func duration(_ text: String) -> Duration? {
        seconds(text).flatMap { $0 <= longest ? .nanoseconds(Int64(($0 * 1e9).rounded())) : nil }
    }

    /// A year, in seconds: far longer than any wait. The limit keeps every sum of instants in range.
    private static let longest = 31_536_000.0

    /// Returns the message for a duration that is too long; nil for any other text.
    package static func tooLong(_ text: String) -> String? {
        seconds(text).flatMap { $0 > longest ? "'\(text)' is too long; the longest duration is a year (8760h)" : nil }
    }

    private static func seconds(_ text: String) -> Double? {
        let units: [(suffix: String, seconds: Double)] = [
            ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600),
        ]
        for unit in units where text.hasSuffix(unit.suffix) {
            if let number = decimal(text.dropLast(unit.suffix.count)) { return number * unit.seconds }
        }
        return nil
    }

    /// Returns a size in bytes such as `4096`, `16KiB`, `4MiB` or `1GiB`; nil for anything else, and for zero.
    package static func size(_ text: String) -> Int? {
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1), ("", 1)]
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            guard let number = count(String(text.dropLast(suffix.count))) else { continue }
            let (size, overflow) = number.multipliedReportingOverflow(by: factor)
            return overflow || size == 0 ? nil : size
        }
        return nil
    }

    /// Returns the message that a size or number is too large; nil for zero and for text that is neither.
    package static func tooLarge(_ text: String, _ what: String) -> String? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let units = what == "size" ? ["", "B", "KiB", "MiB", "GiB"] : [""]
        guard !digits.isEmpty, units.contains(String(text.dropFirst(digits.count))) else { return nil }
        guard digits.contains(where: { $0 != "0" }) else { return nil }
        return "the \(what) '\(text)' is too large"
    }

    /// Returns the problem with a text that is not a whole number of 64 bits.
    package static func integerProblem(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        let isHexadecimal = digits.hasPrefix("0x") && digits.dropFirst(2).allSatisfy(\.isHexDigit)
        let isNumber =
            isHexadecimal ? digits.count > 2 : !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) }
        let shown = Escapes.escaped(bytes)
        return isNumber ? "the number '\(shown)' is too large" : "'\(shown)' is not a whole number"
    }

    /// Returns a whole number, zero or greater, decimal or hexadecimal (`0x1a`); nil for anything else.
    package static func count(_ text: String) -> Int? {
        guard let first = text.utf8.first, (48...57).contains(first) else { return nil }
        return integer(Array(text.utf8))
    }

    /// Returns the number of a capture, as in `${12}`: decimal digits; nil for any other name.
    package static func capture(_ name: String) -> Int? {
        name.utf8.allSatisfy { (48...57).contains($0) } ? Int(name) : nil
    }

    /// Returns a whole number with an optional sign, decimal or hexadecimal (`-0x1a`); nil for anything else.
    package static func integer(_ bytes: [UInt8]) -> Int? {
        let isNegative = bytes.first == UInt8(ascii: "-")
        var digits = bytes.dropFirst(isNegative || bytes.first == UInt8(ascii: "+") ? 1 : 0)
        let isHexadecimal = digits.starts(with: "0x".utf8)
        if isHexadecimal { digits = digits.dropFirst(2) }
        guard !digits.isEmpty else { return nil }
        var value = 0
        for byte in digits {
            let digit = isHexadecimal ? Escapes.hexValue(byte) : (48...57).contains(byte) ? byte - 48 : nil
            guard let digit else { return nil }
            let (shifted, hasOverflown) = value.multipliedReportingOverflow(by: isHexadecimal ? 16 : 10)
            // Accumulates a negative value, because the smallest number has no positive counterpart.
            let (next, isTooSmall) = shifted.subtractingReportingOverflow(Int(digit))
            if hasOverflown || isTooSmall { return nil }
            value = next
        }
        return isNegative ? value : value == .min ? nil : -value
    }

    /// Returns bytes written as pairs of hexadecimal digits, with any blanks between them: `de ad be ef`.
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

    /// Like `hex`, with `??` for any byte, which is nil.
    package static func hexPattern(_ text: [UInt8]) -> [UInt8?]? {
        let digits = text.filter { !isBlank($0) }
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8?] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = Array(digits[index...(index + 1)])
            if pair == Array("??".utf8) {
                bytes.append(nil)
            } else {
                guard let byte = hex(pair)?.first else { return nil }
                bytes.append(byte)
            }
        }
        return bytes
    }

    /// Returns the bytes of base64 (RFC 4648, section 4), with any blanks and line ends; padding may be omitted.
    package static func base64(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits = 0
        var count = 0
        var digits = text.filter { !isBlank($0) && $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }[...]
        var padding = 0
        while padding < 2, digits.last == UInt8(ascii: "=") {
            digits.removeLast()
            padding += 1
        }
        guard digits.count % 4 != 1, padding == 0 || (digits.count + padding) % 4 == 0 else { return nil }
        for digit in digits {
            guard let value = base64Value(digit) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
                bits &= (1 << count) - 1
            }
        }
        // Bits that no byte holds would be lost (RFC 4648, section 3.5).
        return bits == 0 ? bytes : nil
    }

    private static func base64Value(_ digit: UInt8) -> Int? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(digit - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(digit - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(digit - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    /// A decimal number of any length, with an optional sign and fraction, for comparisons.
    package struct Decimal: Comparable {
        private let isNegative: Bool
        /// The digits before the point without leading zeros, and those after it without trailing zeros.
        private let whole: Substring
        private let fraction: Substring

        /// Returns nil for anything other than a number such as `-12` or `3.25`.
        package init?(_ bytes: [UInt8]) {
            let text = String(decoding: bytes, as: UTF8.self)
            let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
            let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count),
                parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } })
            else { return nil }
            whole = parts[0].drop { $0 == "0" }
            var fraction = parts.count == 2 ? parts[1] : ""
            while fraction.last == "0" { fraction.removeLast() }
            self.fraction = fraction
            isNegative = text.hasPrefix("-") && !(whole.isEmpty && fraction.isEmpty)
        }

        package static func < (left: Decimal, right: Decimal) -> Bool {
            guard left.isNegative == right.isNegative else { return left.isNegative }
            return left.isNegative ? right.isSmallerInSize(than: left) : left.isSmallerInSize(than: right)
        }

        private func isSmallerInSize(than other: Decimal) -> Bool {
            (whole.utf8.count, String(whole), String(fraction))
                < (other.whole.utf8.count, String(other.whole), String(other.fraction))
        }
    }

    private static func decimal(_ text: Substring) -> Double? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let isNumber = parts.allSatisfy { part in !part.isEmpty && part.utf8.allSatisfy { (48...57).contains($0) } }
        guard (1...2).contains(parts.count), isNumber else { return nil }
        return Double(text)
    }
}
