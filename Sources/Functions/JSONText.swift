import Script

/// A value in a valid JSON text. Elements keep the text as it was written: the digits of a number, the escapes of a
/// string.
struct JSONText {
    private let text: ArraySlice<UInt8>

    /// - Parameter text: valid JSON (RFC 8259).
    init(_ text: [UInt8]) {
        self.init(text[...])
    }

    private init(_ text: ArraySlice<UInt8>) {
        let isBlank = { (byte: UInt8) in [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
        let end = text.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? text.startIndex
        self.text = text[..<end].drop(while: isBlank)
    }

    /// The inside of a string, with its escapes; nil for any other value.
    var stringContents: [UInt8]? {
        text.first == UInt8(ascii: "\"") ? Array(text.dropFirst().dropLast()) : nil
    }

    /// The text without blanks between the tokens.
    var compact: [UInt8] {
        var isInString = false
        var isEscaped = false
        return text.filter { byte in
            defer {
                if byte == UInt8(ascii: "\""), !isEscaped { isInString.toggle() }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            }
            return isInString || byte > 0x20
        }
    }

    /// Returns the element of an array at an index, or the last member of an object with a key; nil if there is none.
    ///
    /// - Parameter key: returns the text of a key from the inside of its string.
    func child(_ step: [UInt8], key: ([UInt8]) -> [UInt8]?) -> JSONText? {
        switch text.first {
        case UInt8(ascii: "["):
            let digits = String(decoding: step, as: UTF8.self)
            guard let index = Literals.count(digits), String(index) == digits else { return nil }
            let all = parts
            return index < all.count ? JSONText(all[index]) : nil
        case UInt8(ascii: "{"):
            for part in parts.reversed() {
                let name = JSONText(part[..<Self.stringEnd(of: part)])
                guard let inside = name.stringContents, key(inside) == step else { continue }
                let rest = JSONText(part[Self.stringEnd(of: part)...])
                return JSONText(rest.text.dropFirst())
            }
            return nil
        default: return nil
        }
    }

    /// The elements of an array or the members of an object.
    private var parts: [ArraySlice<UInt8>] {
        let inside = text.dropFirst().dropLast()
        var parts: [ArraySlice<UInt8>] = []
        var start = inside.startIndex
        var depth = 0
        var index = start
        while index < inside.endIndex {
            switch inside[index] {
            case UInt8(ascii: "\""):
                index = Self.stringEnd(of: inside[index...])
                continue
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            case UInt8(ascii: ",") where depth == 0:
                parts.append(inside[start..<index])
                start = index + 1
            default: break
            }
            index += 1
        }
        let last = inside[start...]
        return parts.isEmpty && JSONText(last).text.isEmpty ? [] : parts + [last]
    }

    /// The position after the first string of a text.
    private static func stringEnd(of text: ArraySlice<UInt8>) -> Int {
        guard var index = text.firstIndex(of: UInt8(ascii: "\"")) else { return text.endIndex }
        index += 1
        while index < text.endIndex, text[index] != UInt8(ascii: "\"") {
            index += text[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(index + 1, text.endIndex)
    }
}
