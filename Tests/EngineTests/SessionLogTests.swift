import Testing

@testable import Sessions

/// The log of a session keeps its newest lines, whole.
@Suite struct SessionLogTests {
    @Test func theNewestLinesAreKept() {
        let logs = SessionLogs()
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1000)
        for number in 0..<10_000 { logs.add(Array("\(number) ".utf8) + line, of: "a") }
        logs.add([], of: "b")
        let lines = logs.lines(of: "a")
        #expect(lines.last?.starts(with: "9999 ".utf8) == true)
        #expect(lines.allSatisfy { $0.last == UInt8(ascii: "x") && $0.first != UInt8(ascii: "x") })
        let kept = lines.reduce(0) { $0 + $1.count + 1 }
        #expect(kept <= 4 << 20 && kept > 4 << 20 - 2000)
        #expect(logs.lines(of: "b") == [[]])
        #expect(logs.lines(of: "c") == [])
        #expect(logs.names == ["a", "b"])
    }
}
