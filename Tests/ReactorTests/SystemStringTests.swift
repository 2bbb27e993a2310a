import TestSupport
import Testing

@testable import Reactor

struct SystemStringTests {
    @Test func aNULIsRefusedAndNothingElse() {
        #expect(SystemString([0x61, 0, 0x62]) == nil)
        #expect(SystemString([0x61, 0xFF])?.bytes == [0x61, 0xFF])
        #expect(SystemString([]) == "")
    }

    @Test func comesBackFromCAsItWas() {
        let all = (1...255).map { UInt8($0) }
        let text = SystemString(all)
        #expect(text?.withCString { SystemString(copying: $0).bytes } == all)
    }

    @Test(arguments: [
        [], Array("plain é你😀".utf8), [0xE9], [0xFF, 0xFE, 0x00, 0x41], [0xC3], [0xED, 0xA0, 0x80],
        [0xF4, 0x8F, 0xBF, 0xBF],
        [0xF4, 0x8F, 0xBC, 0x80], [0xF4, 0x8F, 0xBE, 0x80, 0x80],
    ])
    func textCarriesAnyBytes(bytes: [UInt8]) {
        #expect(String(lossless: bytes).losslessBytes == bytes)
    }

    @Test func textCarriesRandomBytesAndDifferentOnesDifferently() {
        var generator = Generator(seed: 3)
        var seen: [String: [UInt8]] = [:]
        for _ in 0..<3000 {
            let count = Int.random(in: 0...12, using: &generator)
            // Many of them are bytes that occur in stand-ins.
            let bytes = (0..<count).map { _ in
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0...255, using: &generator)
                    : [0xF4, 0x8F, 0xBC, 0xBE, 0xBF, 0x80].randomElement(using: &generator) ?? 0
            }
            let text = String(lossless: bytes)
            #expect(text.losslessBytes == bytes)
            let key = text.unicodeScalars.map { String($0.value) }.joined(separator: " ")
            #expect(seen[key] == nil || seen[key] == bytes)
            seen[key] = bytes
        }
    }

    @Test func textThatIsUTF8StaysAsItIs() {
        #expect(String(lossless: Array("a é\u{10FFFD}".utf8)).unicodeScalars.count != 4)
        #expect(String(lossless: Array("a é😀".utf8)) == "a é😀")
    }
}
