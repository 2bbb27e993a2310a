import Script

extension Call {
    /// The functions from numbers to bytes and back.
    func number() throws(Functions.Failure) -> [UInt8] {
        switch function {
        case .varint: return try Functions.varint(UInt64(natural(bits: 63)))
        case .fromVarint: return try fromVarint()
        default: break
        }
        let format = Self.formats[function] ?? NumberFormat(function)
        if format.isReading { return try fromBytes(format.count, isLittle: format.isLittle) }
        let number = try natural(bits: 8 * format.count)
        return [UInt8](unsafeUninitializedCapacity: format.count) { bytes, count in
            count = format.count
            for index in 0..<count {
                bytes[index] = UInt8(truncatingIfNeeded: number >> (8 * (format.isLittle ? index : count - 1 - index)))
            }
        }
    }

    /// How a function such as `u16le` or `from-u32` packs a number. Names are read once: a loop may pack many numbers.
    private struct NumberFormat {
        let count: Int
        let isLittle: Bool
        let isReading: Bool

        init(_ function: ValueFunction) {
            let name = function.rawValue
            let digits = name.drop { !$0.isNumber }.prefix { $0.isNumber }
            count = (Int(digits) ?? 8) / 8
            isLittle = name.hasSuffix("le")
            isReading = name.hasPrefix("from-")
        }
    }

    private static let formats = Dictionary(
        uniqueKeysWithValues: ValueFunction.allCases.filter { $0.group == .number }.map { ($0, NumberFormat($0)) })

    /// The functions from a duration to a number.
    func duration() throws(Functions.Failure) -> [UInt8] {
        let text = String(decoding: value, as: UTF8.self)
        guard let duration = Literals.duration(text) else { throw failure("is not a duration, such as 250ms") }
        let (seconds, attoseconds) = duration.components
        let microseconds = Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
        return Array(String(function == .ms ? microseconds / 1000 : microseconds).utf8)
    }

    /// The value as a number from 0 to 2^bits - 1, and at most 2^63 - 1.
    private func natural(bits: Int) throws(Functions.Failure) -> Int {
        let most = bits >= 63 ? Int.max : (1 << bits) - 1
        guard let number = Literals.integer(value) else {
            let isNumber = Literals.integerProblem(value).hasSuffix("too large")
            throw failure(isNumber ? "is too large for 64 bits" : "is not a whole number")
        }
        guard (0...most).contains(number) else { throw failure("is out of range (0 to \(most))") }
        return number
    }

    private func fromBytes(_ count: Int, isLittle: Bool) throws(Functions.Failure) -> [UInt8] {
        guard value.count == count else {
            throw failure("has \(counted(value.count, "byte")), expected \(count)")
        }
        var number: UInt64 = 0
        for byte in isLittle ? value.reversed() : value { number = number << 8 | UInt64(byte) }
        guard number <= UInt64(Int.max) else { throw failure("is larger than \(Int.max)") }
        return Array(String(number).utf8)
    }

    private func fromVarint() throws(Functions.Failure) -> [UInt8] {
        guard let last = value.last, last < 0x80, value.dropLast().allSatisfy({ $0 >= 0x80 }) else {
            throw failure("is not one varint")
        }
        var number: UInt64 = 0
        for (index, byte) in value.enumerated() {
            let bits = UInt64(byte & 0x7F)
            guard index < 9 else { throw failure("is larger than \(Int.max)") }
            number |= bits << (7 * UInt64(index))
        }
        return Array(String(number).utf8)
    }
}

extension Functions {
    /// Returns a number in LEB128: seven bits in each byte, the lowest first.
    package static func varint(_ number: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = number
        while rest > 0x7F {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
