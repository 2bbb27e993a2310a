import TestSupport
import Testing

@testable import Commands
@testable import Engine
@testable import Results
@testable import Sessions
@testable import VM

struct LineFeedsTests {
    @Test func countsEveryLineFeedAtAnyPlace() {
        var generator = Generator(seed: 7)
        for length in Array(0...40) + [1000, 4099] {
            // Bytes close to the line feed, and those that differ from it in the highest bit.
            let bytes = (0..<length).map { _ in
                [10, 10, 9, 11, 0, 138, 255, 2][Int.random(in: 0..<8, using: &generator)] as UInt8
            }
            for start in 0...min(9, length) {
                let part = bytes[start...]
                let count = bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[start...]).lineFeeds }
                #expect(count == part.count { $0 == 10 }, "\(part)")
            }
        }
    }
}
