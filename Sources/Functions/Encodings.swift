import Script

extension Call {
    /// The functions from bytes to text and back.
    func encoding() throws(Functions.Failure) -> [UInt8] {
        switch function {
        case .hex: return Self.hex(value)
        case .fromHex: return try decoded(Literals.hex(value), "is not hexadecimal")
        case .base64: return Functions.base64(value)
        case .fromBase64: return try decoded(Literals.base64(value), "is not base64")
        case .base64url: return Functions.base64(value, isForURL: true)
        case .fromBase64url: return try decoded(Self.standard(value).flatMap(Literals.base64), "is not base64url")
        case .url: return Self.percentEncoded(value)
        case .fromURL: return try percentDecoded()
        case .json: return try JSON.escaped(value, self)
        default: return try JSON.unescaped(value, self)
        }
    }

    private func decoded(_ bytes: [UInt8]?, _ problem: String) throws(Functions.Failure) -> [UInt8] {
        guard let bytes else { throw failure(problem) }
        return bytes
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func hex(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }

    /// URL-safe base64 in the standard alphabet; nil if a character of the standard alphabet is in it.
    private static func standard(_ text: [UInt8]) -> [UInt8]? {
        guard !text.contains(UInt8(ascii: "+")), !text.contains(UInt8(ascii: "/")) else { return nil }
        return text.map {
            $0 == UInt8(ascii: "-") ? UInt8(ascii: "+") : $0 == UInt8(ascii: "_") ? UInt8(ascii: "/") : $0
        }
    }

    /// RFC 3986, section 2.3: unreserved characters stay.
    private static func percentEncoded(_ bytes: [UInt8]) -> [UInt8] {
        let capitals = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            switch byte {
            case 65...90, 97...122, 48...57, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.append(byte)
            default: text += [UInt8(ascii: "%"), capitals[Int(byte >> 4)], capitals[Int(byte & 15)]]
            }
        }
        return text
    }

    private func percentDecoded() throws(Functions.Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var index = 0
        while index < value.count {
            if value[index] == UInt8(ascii: "%") {
                guard index + 2 < value.count, let byte = Literals.hex(Array(value[(index + 1)...(index + 2)])),
                    byte.count == 1
                else { throw failure("has a % without two hexadecimal digits") }
                bytes += byte
                index += 3
            } else {
                bytes.append(value[index])
                index += 1
            }
        }
        return bytes
    }
}

extension Functions {
    /// Returns bytes in base64 (RFC 4648), with the URL-safe alphabet and without padding if `isForURL`.
    package static func base64(_ bytes: [UInt8], isForURL: Bool = false) -> [UInt8] {
        let alphabet = Array(
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + (isForURL ? "-_" : "+/")).utf8)
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var group = 0
            for place in 0..<3 { group = group << 8 | (place < count ? Int(bytes[index + place]) : 0) }
            for place in 0...count { text.append(alphabet[group >> (18 - 6 * place) & 63]) }
            if !isForURL { text += [UInt8](repeating: UInt8(ascii: "="), count: 3 - count) }
            index += 3
        }
        return text
    }
}
