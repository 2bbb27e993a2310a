/// A function on a value, as in `${name:upper}`.
///
/// This table is the source of the checker, completion, `help functions` and muxsh(5). The implementations are in the
/// module Functions. `rawValue` is the name in scripts.
package enum ValueFunction: String, CaseIterable {
    case upper, lower, trim, first, last, slice, replace, `repeat`, pad, line, reverse
    case length, lines, contains, index
    case hex, fromHex = "from-hex", base64, fromBase64 = "from-base64"
    case base64url, fromBase64url = "from-base64url", url, fromURL = "from-url", json, fromJSON = "from-json"
    case u8, u16, u24, u32, u64, u16le, u24le, u32le, u64le, varint
    case fromU8 = "from-u8", fromU16 = "from-u16", fromU24 = "from-u24", fromU32 = "from-u32", fromU64 = "from-u64"
    case fromU16le = "from-u16le", fromU24le = "from-u24le", fromU32le = "from-u32le", fromU64le = "from-u64le"
    case fromVarint = "from-varint"
    case md5, sha1, sha256, sha512, crc32, hmacSHA256 = "hmac-sha256", hmacSHA1 = "hmac-sha1", xor
    case pbkdf2SHA256 = "pbkdf2-sha256"
    case gzip, fromGzip = "from-gzip", zlib, fromZlib = "from-zlib"
    case jsonGet = "json-get", csv
    case ms, us

    /// One argument of a function.
    package enum Argument {
        /// A whole number from `least` to `most`.
        case number(String, least: Int, most: Int)
        /// Any bytes.
        case bytes(String)

        /// The placeholder in the manual.
        package var name: String {
            switch self {
            case .number(let name, _, _), .bytes(let name): name
            }
        }
    }

    /// A group of functions, in the order of the manual.
    package enum Group: String, CaseIterable {
        case text = "Text"
        case question = "About the value"
        case encoding = "Encodings"
        case number = "Numbers and bytes"
        case digest = "Digests and keys"
        case compression = "Compression"
        case structure = "Structured data"
        case time = "Durations"
    }

    /// The arguments in parentheses; empty for a function without parentheses.
    package var arguments: [Argument] {
        switch self {
        case .first, .last, .pad: [.number("N", least: 0, most: .max)]
        case .repeat: [.number("N", least: 0, most: .max)]
        case .line, .csv: [.number("N", least: 1, most: .max)]
        case .slice: [.number("FROM", least: 0, most: .max), .number("COUNT", least: 0, most: .max)]
        case .replace: [.bytes("OLD"), .bytes("NEW")]
        case .contains, .index: [.bytes("TEXT")]
        case .hmacSHA256, .hmacSHA1, .xor: [.bytes("KEY")]
        case .pbkdf2SHA256: [.bytes("SALT"), .number("ROUNDS", least: 1, most: 1_000_000)]
        case .jsonGet: [.bytes("PATH")]
        default: []
        }
    }

    /// The form in scripts: `slice(FROM,COUNT)`.
    package var usage: String {
        arguments.isEmpty ? rawValue : "\(rawValue)(\(arguments.map(\.name).joined(separator: ",")))"
    }

    /// Returns the problem with argument number `index`, or nil.
    package func problem(with argument: [UInt8], at index: Int) -> String? {
        guard case .number(let name, let least, let most) = arguments[index] else { return nil }
        guard let number = Literals.integer(argument) else {
            return "\(rawValue): \(name) must be a whole number, not '\(Escapes.visible(argument))'"
        }
        guard (least...most).contains(number) else {
            let range = most == .max ? "\(least) or more" : "\(least) to \(most)"
            return "\(rawValue): \(name) must be \(range), not \(number)"
        }
        return nil
    }

    /// Whether the result reveals so little about a secret that it is shown.
    package var isHarmless: Bool {
        switch self {
        case .length, .lines, .contains, .index, .fromU8, .fromU16, .fromU24, .fromU32, .fromU64, .fromU16le,
            .fromU24le, .fromU32le, .fromU64le, .fromVarint:
            true
        default: false
        }
    }

    package var group: Group {
        switch self {
        case .upper, .lower, .trim, .first, .last, .slice, .replace, .repeat, .pad, .line, .reverse: .text
        case .length, .lines, .contains, .index: .question
        case .hex, .fromHex, .base64, .fromBase64, .base64url, .fromBase64url, .url, .fromURL, .json, .fromJSON:
            .encoding
        case .md5, .sha1, .sha256, .sha512, .crc32, .hmacSHA256, .hmacSHA1, .xor, .pbkdf2SHA256: .digest
        case .gzip, .fromGzip, .zlib, .fromZlib: .compression
        case .jsonGet, .csv: .structure
        case .ms, .us: .time
        default: .number
        }
    }

    /// One line for the manual.
    package var summary: String {
        switch self {
        case .upper: "ASCII letters in upper case"
        case .lower: "ASCII letters in lower case"
        case .trim: "without ASCII white space at both ends"
        case .first: "the first N bytes"
        case .last: "the last N bytes"
        case .slice: "COUNT bytes starting at byte FROM, counted from 0"
        case .replace: "with every OLD replaced by NEW"
        case .repeat: "N copies"
        case .pad: "filled with spaces on the right to N bytes"
        case .line: "line N, counted from 1, without its line ending"
        case .reverse: "the bytes in reverse order"
        case .length: "the number of bytes"
        case .lines: "the number of lines; a last line without a newline counts"
        case .contains: "1 if TEXT occurs in the value, otherwise 0"
        case .index: "the position of the first TEXT, counted from 0, or -1"
        case .hex: "lower-case hexadecimal digits"
        case .fromHex: "the bytes that hexadecimal digits stand for"
        case .base64: "base64 (RFC 4648)"
        case .fromBase64: "the bytes of base64; padding is optional"
        case .base64url: "URL-safe base64 without padding"
        case .fromBase64url: "the bytes of URL-safe base64"
        case .url: "percent-encoding of all bytes except RFC 3986's unreserved characters"
        case .fromURL: "percent-decoding; + stays"
        case .json: "escaped for the inside of a JSON string"
        case .fromJSON: "the text of the inside of a JSON string"
        case .u8: "a number as 1 byte"
        case .u16: "a number as 2 bytes, big-endian"
        case .u24: "a number as 3 bytes, big-endian"
        case .u32: "a number as 4 bytes, big-endian"
        case .u64: "a number as 8 bytes, big-endian"
        case .u16le: "a number as 2 bytes, little-endian"
        case .u24le: "a number as 3 bytes, little-endian"
        case .u32le: "a number as 4 bytes, little-endian"
        case .u64le: "a number as 8 bytes, little-endian"
        case .varint: "a number in LEB128"
        case .fromU8, .fromU16, .fromU24, .fromU32, .fromU64, .fromU16le, .fromU24le, .fromU32le, .fromU64le,
            .fromVarint:
            "the number in exactly these bytes"
        case .md5: "MD5, 16 bytes"
        case .sha1: "SHA-1, 20 bytes"
        case .sha256: "SHA-256, 32 bytes"
        case .sha512: "SHA-512, 64 bytes"
        case .crc32: "CRC-32, 4 bytes, big-endian"
        case .hmacSHA256: "HMAC with SHA-256, 32 bytes"
        case .hmacSHA1: "HMAC with SHA-1, 20 bytes"
        case .xor: "exclusive or with KEY, repeated"
        case .pbkdf2SHA256: "PBKDF2 with HMAC-SHA-256, 32 bytes; the value is the password"
        case .gzip: "compressed, gzip format"
        case .fromGzip: "decompressed, up to the inbox limit"
        case .zlib: "compressed, zlib format"
        case .fromZlib: "decompressed, up to the inbox limit"
        case .jsonGet: "the element at PATH, such as a.b.0.c: a string or number as text, otherwise JSON"
        case .csv: "field N of a CSV row, counted from 1 (RFC 4180)"
        case .ms: "a duration in whole milliseconds"
        case .us: "a duration in whole microseconds"
        }
    }
}
