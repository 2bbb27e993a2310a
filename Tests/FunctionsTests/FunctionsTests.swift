import Script
import TestSupport
import Testing

@testable import Functions

/// Each function with inputs, edges and failures.
struct FunctionsTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func apply(
        _ name: String, _ value: [UInt8], _ arguments: [String] = [], limit: Int = 1 << 20
    ) throws -> [UInt8] {
        let function = try #require(ValueFunction(rawValue: name), "\(name)")
        try #require(arguments.count == function.arguments.count, "\(name)")
        return try Functions.apply(function, to: value, arguments.map(bytes), outputLimit: limit)
    }

    /// The result as text, or the failure's message.
    private static func outcome(_ name: String, _ value: [UInt8], _ arguments: [String]) throws -> String {
        do {
            return Escapes.visible(try apply(name, value, arguments))
        } catch let failure as Functions.Failure {
            return "failure: \(failure.message)"
        }
    }

    /// A function, its value and arguments, and the result.
    typealias Example = (String, String, [String], String)

    private static let examples: [Example] = [
        ("upper", "aZ09ä", [], "AZ09ä"), ("lower", "aZ09Ä", [], "az09Ä"), ("upper", "", [], ""),
        ("trim", " \t\r\nx y\u{b}\u{c} ", [], "x y"), ("trim", " \n ", [], ""), ("trim", "", [], ""),
        ("first", "hello", ["2"], "he"), ("first", "hello", ["9"], "hello"), ("first", "hello", ["0"], ""),
        ("last", "hello", ["2"], "lo"), ("last", "hello", ["0x9"], "hello"), ("last", "", ["1"], ""),
        ("first", "x", ["-1"], "failure: first: N must be 0 or more, not -1"),
        ("first", "x", ["two"], "failure: first: N must be a whole number, not 'two'"),
        ("slice", "hello", ["1", "3"], "ell"), ("slice", "hello", ["4", "9"], "o"), ("slice", "hello", ["9", "1"], ""),
        ("slice", "hello", ["0", "9223372036854775807"], "hello"),
        ("replace", "a.b.c", [".", "--"], "a--b--c"), ("replace", "aaa", ["aa", "b"], "ba"),
        ("replace", "abc", ["x", "y"], "abc"), ("replace", "abc", ["", "y"], "failure: replace: OLD is empty"),
        ("replace", "aa", ["a", ""], ""),
        ("repeat", "ab", ["3"], "ababab"), ("repeat", "ab", ["0"], ""), ("repeat", "", ["9223372036854775807"], ""),
        (
            "repeat", "ab", ["99999999"],
            "failure: repeat: a value of 199999998 bytes is too large (limit 64 MiB)"
        ),
        ("pad", "ab", ["4"], "ab  "), ("pad", "abcd", ["2"], "abcd"),
        ("pad", "a", ["99999999"], "failure: pad: a value of 99999999 bytes is too large (limit 64 MiB)"),
        ("line", "a\r\nb\nc", ["1"], "a"), ("line", "a\r\nb\nc", ["2"], "b"), ("line", "a\r\nb\nc", ["3"], "c"),
        ("line", "a\n", ["2"], "failure: line: the value has 1 line, not 2"),
        ("line", "", ["1"], "failure: line: the value has 0 lines, not 1"),
        ("line", "a", ["0"], "failure: line: N must be 1 or more, not 0"),
        ("reverse", "abc", [], "cba"), ("reverse", "", [], ""),
        ("length", "hello", [], "5"), ("length", "", [], "0"), ("length", "ä", [], "2"),
        ("lines", "", [], "0"), ("lines", "a", [], "1"), ("lines", "a\n", [], "1"), ("lines", "a\n\nb", [], "3"),
        ("contains", "hello", ["ell"], "1"), ("contains", "hello", ["elo"], "0"), ("contains", "", [""], "1"),
        ("index", "hello", ["l"], "2"), ("index", "hello", ["x"], "-1"), ("index", "hello", [""], "0"),
        ("index", "aabaab", ["baab"], "2"), ("index", "a", ["aa"], "-1"),
        ("hex", "\u{0}~\n", [], "007e0a"), ("from-hex", "00 7e\t0A", [], "\\x00~\\n"), ("from-hex", "", [], ""),
        ("from-hex", "0g", [], "failure: from-hex: '0g' is not hexadecimal"),
        ("from-hex", "012", [], "failure: from-hex: '012' is not hexadecimal"),
        ("base64", "", [], ""), ("base64", "f", [], "Zg=="), ("base64", "fo", [], "Zm8="),
        ("base64", "foo", [], "Zm9v"),
        ("base64", "foobar", [], "Zm9vYmFy"), ("from-base64", "Zm9v YmE=", [], "fooba"), ("from-base64", "Zg", [], "f"),
        ("from-base64", "Z", [], "failure: from-base64: 'Z' is not base64"),
        ("from-base64", "Zg==Zg", [], "failure: from-base64: 'Zg==Zg' is not base64"),
        ("base64url", ">>>???", [], "Pj4-Pz8_"), ("base64url", "f", [], "Zg"),
        ("from-base64url", "Pj4-Pz8_", [], ">>>???"),
        ("from-base64url", "Pj4+", [], "failure: from-base64url: 'Pj4+' is not base64url"),
        ("url", "a b/ä~-._", [], "a%20b%2F%C3%A4~-._"), ("from-url", "a%20b+%c3%A4", [], "a b+ä"),
        ("from-url", "100%", [], "failure: from-url: '100%' has a % without two hexadecimal digits"),
        ("from-url", "%2", [], "failure: from-url: '%2' has a % without two hexadecimal digits"),
        ("from-url", "% 20", [], "failure: from-url: '% 20' has a % without two hexadecimal digits"),
        ("json", "say \"hi\"\\\n", [], "say \\\"hi\\\"\\\\\\n"), ("json", "", [], ""), ("json", "ä", [], "ä"),
        ("json", "a\u{0}b", [], "a\\u0000b"), ("from-json", "a\\u0000b\\n\\u00e4", [], "a\\x00b\\nä"),
        ("from-json", "a\"b", [], "failure: from-json: 'a\"b' is not the inside of a JSON string"),
        ("from-json", "\\x", [], "failure: from-json: '\\x' is not the inside of a JSON string"),
        ("from-json", "", [], ""),
        ("xor", "\u{1}\u{2}\u{3}", ["\u{1}"], "\\x00\\x03\\x02"), ("xor", "abc", [""], "failure: xor: KEY is empty"),
        ("csv", "a,\"b \"\"x\"\"\",", ["2"], "b \"x\""), ("csv", "a,\"b\",", ["3"], ""), ("csv", "a\r\nb", ["1"], "a"),
        ("csv", "a,b", ["3"], "failure: csv: 'a,b' has 2 fields, not 3"),
        ("csv", "", ["1"], "failure: csv: '' has 0 fields, not 1"),
        ("csv", "\"a", ["1"], "failure: csv: '\"a' has an unterminated quote"),
        ("csv", "\"a\"b", ["1"], "failure: csv: '\"a\"b' has text after a quoted CSV field"),
        ("csv", "a\"b", ["1"], "failure: csv: 'a\"b' has a quote inside an unquoted CSV field"),
        ("ms", "1.5s", [], "1500"), ("ms", "999us", [], "0"), ("us", "2ms", [], "2000"), ("us", "1h", [], "3600000000"),
        ("ms", "1", [], "failure: ms: '1' is not a duration, such as 250ms"),
    ]

    @Test(arguments: examples)
    func returns(example: Example) throws {
        let (name, value, arguments, result) = example
        #expect(try Self.outcome(name, Self.bytes(value), arguments) == result, "\(name) of '\(value)'")
    }

    /// A function from numbers to bytes: the number, the bytes in hexadecimal, or the failure.
    @Test(arguments: [
        ("u8", "255", "ff"), ("u8", "0x1a", "1a"), ("u8", "256", "failure: u8: '256' is out of range (0 to 255)"),
        ("u8", "-1", "failure: u8: '-1' is out of range (0 to 255)"),
        ("u8", "x", "failure: u8: 'x' is not a whole number"), ("u16", "258", "0102"), ("u16le", "258", "0201"),
        ("u24", "66051", "010203"), ("u24le", "66051", "030201"), ("u32", "4294967295", "ffffffff"),
        ("u32le", "1", "01000000"), ("u64", "9223372036854775807", "7fffffffffffffff"),
        ("u64le", "1", "0100000000000000"), ("varint", "0", "00"), ("varint", "127", "7f"), ("varint", "128", "8001"),
        ("varint", "300", "ac02"), ("varint", "9223372036854775807", "ffffffffffffffff7f"),
        ("u64", "9223372036854775808", "failure: u64: '9223372036854775808' is too large for 64 bits"),
    ])
    func packsNumbers(name: String, number: String, result: String) throws {
        let outcome: String
        do {
            outcome = Self.text(try Self.apply("hex", try Self.apply(name, Self.bytes(number))))
        } catch let failure as Functions.Failure {
            outcome = "failure: \(failure.message)"
        }
        #expect(outcome == result)
        guard !outcome.hasPrefix("failure") else { return }
        let number = try Self.apply("from-" + name, try Self.apply("from-hex", Self.bytes(result)))
        #expect(try Self.apply(name, number) == Self.apply("from-hex", Self.bytes(result)))
    }

    @Test(arguments: [
        ("from-u8", "", "failure: from-u8: '' has 0 bytes, expected 1"),
        ("from-u16", "ff", "failure: from-u16: '\\xff' has 1 byte, expected 2"),
        ("from-u64", "ffffffffffffffff", "is larger than 9223372036854775807"),
        ("from-varint", "80", "is not one varint"), ("from-varint", "0000", "is not one varint"),
        ("from-varint", "", "is not one varint"), ("from-varint", "ffffffffffffffffff01", "is larger than"),
    ])
    func rejectsBytesThatAreNoNumber(name: String, hex: String, result: String) throws {
        let outcome = try Self.outcome(name, try Self.apply("from-hex", Self.bytes(hex)), [])
        #expect(outcome.hasPrefix("failure: ") && outcome.contains(result), "\(outcome)")
    }

    /// Digests from RFC 1321, 3174, 6234, 2202, 4231 and 7914; CRC-32 of "123456789".
    @Test(arguments: [
        ("md5", "abc", [], "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "abc", [], "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "abc", [], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha256", "", [], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("crc32", "123456789", [], "cbf43926"), ("crc32", "", [], "00000000"),
        ("hmac-sha1", "what do ya want for nothing?", ["Jefe"], "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            "hmac-sha256", "what do ya want for nothing?", ["Jefe"],
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        ("hmac-sha256", "", [""], "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        (
            "pbkdf2-sha256", "passwd", ["salt", "1"],
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        ),
    ])
    func computesDigests(name: String, value: String, arguments: [String], result: String) throws {
        #expect(Self.text(try Self.apply("hex", try Self.apply(name, Self.bytes(value), arguments))) == result)
    }

    @Test func sha512HasSixtyFourBytes() throws {
        let digest = Self.text(try Self.apply("hex", try Self.apply("sha512", Self.bytes("abc"))))
        #expect(digest.hasPrefix("ddaf35a193617abacc417349ae204131") && digest.count == 128)
    }

    @Test(arguments: ["0", "1000001"])
    func limitsRounds(rounds: String) throws {
        let outcome = try Self.outcome("pbkdf2-sha256", Self.bytes("p"), ["s", rounds])
        #expect(outcome == "failure: pbkdf2-sha256: ROUNDS must be 1 to 1000000, not \(rounds)")
    }

    @Test(arguments: [
        (#"{"a":{"b":[1,{"c":"x\u0000y"}]}}"#, "a.b.1.c", "x\\x00y"), (#"[1,2.5,true,null,"s"]"#, "1", "2.5"),
        (#"[1,2.5,true,null,"s"]"#, "2", "true"), (#"[1,2.5,true,null,"s"]"#, "3", "null"),
        (#"{"b":1,"a":[0.1,{}]}"#, "", #"{"b":1,"a":[0.1,{}]}"#), (#"{"b":1,"a":[0.1,{}]}"#, "a", "[0.1,{}]"),
        ("[0.30000000000000004]", "", "[0.30000000000000004]"), ("9007199254740993", "", "9007199254740993"),
        (#""text""#, "", "text"), (#"{"":"empty"}"#, "", #"{"":"empty"}"#),
        (#"{"a":1}"#, "b", "failure: json-get: no element 'b'"),
        (#"{"a":1}"#, "a.0", "failure: json-get: no element 'a.0'"), ("[1]", "1", "failure: json-get: no element '1'"),
        ("[1]", "x", "failure: json-get: no element 'x'"), ("[1]", "-1", "failure: json-get: no element '-1'"),
    ])
    func getsElements(json: String, path: String, result: String) throws {
        #expect(try Self.outcome("json-get", Self.bytes(json), [path]) == result)
    }

    @Test(arguments: ["", "{", "nope", "[1,]", "\u{0}"])
    func rejectsWhatIsNotJSON(text: String) throws {
        let outcome = try Self.outcome("json-get", Self.bytes(text), ["a"])
        #expect(outcome.hasPrefix("failure: json-get: '\(Escapes.visible(text.utf8))' is not JSON: "), "\(outcome)")
    }

    @Test func jsonNeedsUTF8() throws {
        #expect(try Self.outcome("json", [0xFF], []) == "failure: json: '\\xff' is not valid UTF-8")
    }

    @Test func aLongValueIsCutInFailures() throws {
        let outcome = try Self.outcome("from-hex", [UInt8](repeating: 0x78, count: 1 << 20), [])
        #expect(outcome == "failure: from-hex: '\(String(repeating: "x", count: 60))…' is not hexadecimal")
    }

    @Test(arguments: [
        ("hex", "from-hex"), ("base64", "from-base64"), ("base64url", "from-base64url"), ("url", "from-url"),
        ("gzip", "from-gzip"), ("zlib", "from-zlib"), ("reverse", "reverse"),
    ])
    func goesThereAndBack(there: String, back: String) throws {
        var generator = Generator(seed: 13)
        for size in [0, 1, 2, 3, 4, 255, 4096, 100_000] {
            let value = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(try Self.apply(back, try Self.apply(there, value)) == value, "\(there) \(size)")
        }
    }

    @Test func textGoesThroughJSONAndBack() throws {
        var generator = Generator(seed: 14)
        for _ in 0..<200 {
            let scalars = (0..<20).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0...0x2FFF, using: &generator)) }
            let value = Self.bytes(String(String.UnicodeScalarView(scalars)))
            #expect(try Self.apply("from-json", try Self.apply("json", value)) == value)
        }
    }

    @Test func numbersGoThereAndBack() throws {
        var generator = Generator(seed: 15)
        for (name, bits) in [("u8", 8), ("u16", 16), ("u24", 24), ("u32le", 32), ("u64", 63), ("varint", 63)] {
            for _ in 0..<100 {
                let number = UInt64.random(in: 0..<(1 << UInt64(bits)), using: &generator)
                let value = Self.bytes(String(number))
                #expect(try Self.apply("from-" + name, try Self.apply(name, value)) == value, "\(name) \(number)")
            }
        }
    }

    @Test(arguments: ["gzip", "zlib"])
    func decompressionIsBounded(name: String) throws {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        let packed = try Self.apply(name, zeros)
        #expect(try Self.apply("from-" + name, packed, limit: 1 << 20) == zeros)
        #expect {
            _ = try Self.apply("from-" + name, packed, limit: (1 << 20) - 1)
        } throws: {
            ($0 as? Functions.Failure)?.message
                == "from-\(name): the result is larger than the inbox limit (1048575 bytes)"
        }
        for broken in [Array(packed.dropLast()), [], [0x1F], [UInt8](repeating: 0xFF, count: 40)] {
            #expect { _ = try Self.apply("from-" + name, broken) } throws: {
                ($0 as? Functions.Failure)?.message.hasSuffix("is not complete \(name) data") == true
            }
        }
    }

    @Test func gzipMayHaveSeveralMembers() throws {
        let members = try Self.apply("gzip", Self.bytes("one ")) + Self.apply("gzip", Self.bytes("two"))
        #expect(Self.text(try Self.apply("from-gzip", members)) == "one two")
        let rest = try Self.apply("zlib", Self.bytes("one")) + Self.bytes("x")
        #expect { _ = try Self.apply("from-zlib", rest) } throws: {
            ($0 as? Functions.Failure)?.message.hasSuffix("has data after its end") == true
        }
    }

    @Test func largeValuesAreFine() throws {
        let value = [UInt8](repeating: 0x61, count: 16 << 20)
        #expect(Self.text(try Self.apply("length", value)) == "16777216")
        #expect(try Self.apply("contains", value, ["b"]) == Self.bytes("0"))
        #expect(try Self.apply("from-hex", try Self.apply("hex", value)) == value)
        #expect(try Self.apply("sha256", value).count == 32)
    }

    @Test func everyFunctionIsDescribed() {
        for function in ValueFunction.allCases {
            #expect(!function.summary.isEmpty && function.usage.hasPrefix(function.rawValue))
        }
        #expect(Set(ValueFunction.allCases.map(\.group)) == Set(ValueFunction.Group.allCases))
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
