/// Decodes and encodes bytes in the notation of arrow lines and "double" quotes.
///
///     \n \r \t \0 \e \\ \" \xHH \u{HHHH} \${
package enum Escapes {
    /// An invalid escape: its length in bytes and an error message.
    package struct Failure: Error {
        package let length: Int
        package let message: String
    }

    /// Decodes the escape that begins with the `\` at `index` and moves `index` past it.
    package static func decode(_ text: [UInt8], at index: inout Int) throws(Failure) -> [UInt8] {
        guard index + 1 < text.count else {
            throw Failure(length: 1, message: "incomplete escape at the end; write '\\\\' for a backslash")
        }
        let letter = text[index + 1]
        if let byte = single(letter) {
            index += 2
            return [byte]
        }
        switch letter {
        case UInt8(ascii: "x"):
            guard index + 3 < text.count, let high = hexValue(text[index + 2]), let low = hexValue(text[index + 3])
            else { throw Failure(length: 2, message: "\\x takes two hexadecimal digits, such as \\x0a") }
            index += 4
            return [high << 4 | low]
        case UInt8(ascii: "u"):
            return try decodeScalar(text, at: &index)
        default:
            let end = index + 1 + scalarLength(letter)
            let shown = String(decoding: text[index..<min(end, text.count)], as: UTF8.self)
            throw Failure(
                length: min(end, text.count) - index,
                message: "unknown escape '\(shown)'; the escapes are \\n \\r \\t \\0 \\e \\\\ \\\" \\xHH \\u{HHHH} \\${"
            )
        }
    }

    private static func single(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "0"): 0x00
        case UInt8(ascii: "e"): 0x1B
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "$"): letter
        default: nil
        }
    }

    private static func decodeScalar(_ text: [UInt8], at index: inout Int) throws(Failure) -> [UInt8] {
        let failure = Failure(length: 2, message: "\\u takes a Unicode scalar in braces, such as \\u{20ac}")
        guard index + 2 < text.count, text[index + 2] == UInt8(ascii: "{"),
            let close = text[index...].firstIndex(of: UInt8(ascii: "}")), close - index <= 11
        else { throw failure }
        let digits = String(decoding: text[(index + 3)..<close], as: UTF8.self)
        guard let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else { throw failure }
        index = close + 1
        return Array(String(Character(scalar)).utf8)
    }

    /// Writes `bytes` as text that means the same bytes in an arrow line and cannot act on a terminal.
    ///
    /// Control bytes, invalid UTF-8, `\`, `${`, invisible and direction-changing characters, non-ASCII blanks and a
    /// trailing blank are escaped; everything else is unchanged. Without `endsLine` more text follows, so a trailing
    /// blank is safe.
    package static func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8], endsLine: Bool = true) {
        var index = 0
        while index < bytes.count {
            // Plain runs are copied whole, because nearly all text is plain.
            var end = index
            while end < bytes.count, isPlain(bytes[end]) { end += 1 }
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[index..<end]))
            index = end
            if index < bytes.count { index += appendSpecial(bytes, at: index, to: &output) }
        }
        if endsLine, bytes.last == UInt8(ascii: " ") {
            output.removeLast()
            output.append(contentsOf: "\\x20".utf8)
        }
    }

    /// Returns `bytes` in the notation of arrow lines; a partial line ends with `\`.
    package static func escaped(_ bytes: [UInt8], isPart: Bool = false) -> String {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { append($0, to: &output, endsLine: !isPart) }
        if isPart { output.append(UInt8(ascii: "\\")) }
        return String(decoding: output, as: UTF8.self)
    }

    /// Returns `bytes` in the notation of arrow lines, with every non-ASCII character escaped.
    package static func escapedToASCII(_ bytes: [UInt8], isPart: Bool = false) -> String {
        escaped(bytes, isPart: isPart).unicodeScalars.map { scalar in
            scalar.isASCII ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
        }.joined()
    }

    /// Returns `bytes` as one readable line: characters that act on a terminal, invalid UTF-8, newlines and tabs are
    /// escaped; `\` is unchanged.
    package static func visible(_ bytes: some Sequence<UInt8>) -> String {
        var output: [UInt8] = []
        for (index, line) in Array(bytes).split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            if index > 0 { output += "\\n".utf8 }
            for (index, piece) in line.split(separator: 0x09, omittingEmptySubsequences: false).enumerated() {
                if index > 0 { output += "\\t".utf8 }
                appendPrintable(Array(piece), to: &output)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Writes `bytes` as text whose control characters cannot act on a terminal; newline, tab and `\` are unchanged.
    package static func appendPrintable(_ bytes: [UInt8], to output: inout [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var index = 0
            while index < bytes.count {
                switch bytes[index] {
                case 0x09, 0x0A, 0x20...0x7E:
                    output.append(bytes[index])
                    index += 1
                default: index += appendSpecial(bytes, at: index, to: &output)
                }
            }
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\\") && byte != UInt8(ascii: "$")
    }

    /// Writes the character at `index`, escaped if necessary, and returns its length in bytes.
    private static func appendSpecial(
        _ bytes: UnsafeRawBufferPointer, at index: Int, to output: inout [UInt8]
    ) -> Int {
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "\\"): output.append(contentsOf: "\\\\".utf8)
        case UInt8(ascii: "$"):
            if index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "{") { output.append(UInt8(ascii: "\\")) }
            output.append(byte)
        case 0x0A: output.append(contentsOf: "\\n".utf8)
        case 0x0D: output.append(contentsOf: "\\r".utf8)
        case 0x09: output.append(contentsOf: "\\t".utf8)
        case 0x1B: output.append(contentsOf: "\\e".utf8)
        case 0x80...:
            guard let scalar = decodeUTF8(bytes, at: index) else { fallthrough }
            let length = scalarLength(byte)
            if looksLikeBlank(scalar) || actsOnTerminal(scalar) && !isJoiner(scalar, bytes, index..<(index + length)) {
                output.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".utf8)
            } else {
                output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[index..<(index + length)]))
            }
            return length
        default:
            output.append(contentsOf: "\\x".utf8)
            output.append(hexDigit(byte >> 4))
            output.append(hexDigit(byte & 15))
        }
        return 1
    }

    /// Whether `scalar` is a zero-width joiner or non-joiner between two characters whose display it changes, as in
    /// many emoji and in words of several scripts (Unicode, section 23.2).
    private static func isJoiner(_ scalar: Unicode.Scalar, _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool
    {
        guard scalar.value == 0x200C || scalar.value == 0x200D else { return false }
        var before = range.lowerBound - 1
        while before > 0, bytes[before] & 0xC0 == 0x80 { before -= 1 }
        guard before >= 0, let left = decodeUTF8(bytes, at: before), range.upperBound < bytes.count,
            before + scalarLength(bytes[before]) == range.lowerBound,
            let right = decodeUTF8(bytes, at: range.upperBound)
        else { return false }
        return [left, right].allSatisfy { !actsOnTerminal($0) && !looksLikeBlank($0) }
    }

    /// Returns the valid scalar of two or more bytes at `index`, or nil (RFC 3629).
    private static func decodeUTF8(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Unicode.Scalar? {
        let length = scalarLength(bytes[index])
        guard length > 1, index + length <= bytes.count else { return nil }
        var value = UInt32(bytes[index]) & (0x7F >> UInt32(length))
        for byte in bytes[(index + 1)..<(index + length)] {
            guard byte & 0xC0 == 0x80 else { return nil }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        let minimum: [UInt32] = [0, 0, 0x80, 0x800, 0x10000]
        return value >= minimum[length] ? Unicode.Scalar(value) : nil
    }

    /// Returns the length of the UTF-8 sequence that begins with `byte`; 1 for a byte that cannot begin a longer one.
    static func scalarLength(_ byte: UInt8) -> Int {
        switch byte {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }

    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

/// Whether a non-ASCII scalar looks like a blank, because it is displayed as empty space (Unicode category Zs, and
/// empty letters and patterns).
package func looksLikeBlank(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0xA0, 0x034F, 0x115F, 0x1160, 0x1680, 0x17B4, 0x17B5, 0x2000...0x200A, 0x202F, 0x205F, 0x2800, 0x3000, 0x3164,
        0xFFA0:
        true
    default: false
    }
}

/// Whether writing `scalar` to a terminal can do more than display a character: controls, line and paragraph
/// separators, and characters that change direction or are invisible (Unicode categories Cc, Cf, Zl, Zp).
package func actsOnTerminal(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F...0x9F, 0xAD, 0x061C, 0x180E, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF,
        0xFFF9...0xFFFB, 0xE0000...0xE007F:
        true
    default: false
    }
}
