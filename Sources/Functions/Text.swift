import Script

extension Call {
    /// The functions that return a text made of the value's bytes.
    func text(maximum: Int) throws(Functions.Failure) -> [UInt8] {
        switch function {
        case .upper: return value.map { (97...122).contains($0) ? $0 - 32 : $0 }
        case .lower: return value.map { (65...90).contains($0) ? $0 + 32 : $0 }
        case .trim: return trimmed
        case .first: return Array(value.prefix(try integer(0)))
        case .last: return Array(value.suffix(try integer(0)))
        case .slice: return Array(value.dropFirst(try integer(0)).prefix(try integer(1)))
        case .replace: return try replaced(maximum: maximum)
        case .repeat: return try repeated(maximum: maximum)
        case .pad:
            let width = try integer(0)
            try requireRoom(for: width, maximum: maximum)
            return value + [UInt8](repeating: UInt8(ascii: " "), count: max(0, width - value.count))
        case .line: return try line(try integer(0))
        default: return value.reversed()
        }
    }

    /// The functions that answer a question about the value, as a number.
    var answer: [UInt8] {
        let number: Int =
            switch function {
            case .length: value.count
            case .lines:
                value.withUnsafeBytes { bytes in bytes.count { $0 == 0x0A } }
                    + (value.isEmpty || value.last == 0x0A ? 0 : 1)
            case .contains: position(of: arguments[0], from: 0) == nil ? 0 : 1
            default: position(of: arguments[0], from: 0) ?? -1
            }
        return Array(String(number).utf8)
    }

    /// Without the ASCII white space at both ends.
    private var trimmed: [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = value.firstIndex(where: { !isSpace($0) }), let last = value.lastIndex(where: { !isSpace($0) })
        else { return [] }
        return Array(value[first...last])
    }

    private func requireRoom(for count: Int, maximum: Int) throws(Functions.Failure) {
        guard count <= maximum else {
            throw Functions.Failure(
                message: "\(function.rawValue): a value of \(count) bytes is too large (limit \(maximum >> 20) MiB)")
        }
    }

    private func repeated(maximum: Int) throws(Functions.Failure) -> [UInt8] {
        let times = try integer(0)
        let (count, overflow) = value.count.multipliedReportingOverflow(by: times)
        try requireRoom(for: overflow ? .max : count, maximum: maximum)
        var result: [UInt8] = []
        result.reserveCapacity(count)
        if !value.isEmpty { for _ in 0..<times { result += value } }
        return result
    }

    private func replaced(maximum: Int) throws(Functions.Failure) -> [UInt8] {
        let (old, new) = (arguments[0], arguments[1])
        guard !old.isEmpty else { throw Functions.Failure(message: "replace: OLD is empty") }
        var result: [UInt8] = []
        var start = 0
        while let place = position(of: old, from: start) {
            result += value[start..<place]
            result += new
            start = place + old.count
            try requireRoom(for: result.count, maximum: maximum)
        }
        return result + value[start...]
    }

    private func line(_ number: Int) throws(Functions.Failure) -> [UInt8] {
        var start = 0
        var current = 1
        while start < value.count {
            let end = value[start...].firstIndex(of: 0x0A) ?? value.count
            if current == number {
                let hasReturn = end < value.count && end > start && value[end - 1] == 0x0D
                return Array(value[start..<(hasReturn ? end - 1 : end)])
            }
            current += 1
            start = end + 1
        }
        throw Functions.Failure(message: "line: the value has \(counted(current - 1, "line")), not \(number)")
    }

    /// The first place of `text` at `start` or later, or nil. Boyer–Moore–Horspool: most bytes are skipped.
    private func position(of text: [UInt8], from start: Int) -> Int? {
        guard !text.isEmpty else { return start }
        guard value.count - start >= text.count else { return nil }
        var skips = [Int](repeating: text.count, count: 256)
        for (index, byte) in text.dropLast().enumerated() { skips[Int(byte)] = text.count - 1 - index }
        return value.withUnsafeBytes { bytes in
            text.withUnsafeBytes { text in
                let last = text.count - 1
                var place = start
                while place + last < bytes.count {
                    let byte = bytes[place + last]
                    if byte == text[last] {
                        let piece = UnsafeRawBufferPointer(rebasing: bytes[place...(place + last)])
                        if piece.elementsEqual(text) { return place }
                    }
                    place += skips[Int(byte)]
                }
                return nil
            }
        }
    }
}
