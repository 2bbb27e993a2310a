import CPlatform
import Glibc
import Testing
import TestSupport

@testable import Reactor

struct OutputStreamTests {
    /// Returns a pipe, both ends of which belong to the test.
    private func makePipe() -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        _ = c_set_flags(ends[0], O_NONBLOCK)
        return (ends[0], ends[1])
    }

    private func readAll(_ descriptor: Int32) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var bytes: [UInt8] = []
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer.prefix(count) }
        return bytes
    }

    @Test func aSlowReaderGetsEverythingInOrderAndTheWriterNeverWaits() {
        let loop = EventLoop()
        let ends = makePipe()
        let stream = OutputStream(ends.writing, on: loop)
        let text = (0..<200_000).flatMap { Array("line \($0)\n".utf8) }
        for start in stride(from: 0, to: text.count, by: 10_000) {
            stream.write(Array(text[start..<min(start + 10_000, text.count)]))
        }
        stream.flush()
        #expect(stream.isCongested && !stream.isDrained)
        var received: [UInt8] = []
        while !stream.isDrained {
            received += readAll(ends.reading)
            loop.turn()
        }
        received += readAll(ends.reading)
        #expect(received == text)
        #expect(!stream.isCongested)
        close(ends.reading)
        close(ends.writing)
    }

    @Test func theFlagsOfTheInheritedPipeStayAsTheyWere() {
        let ends = makePipe()
        let before = c_get_flags(ends.writing)
        let stream = OutputStream(ends.writing, on: EventLoop())
        stream.write([1])
        stream.flush()
        #expect(c_get_flags(ends.writing) == before)
        close(ends.reading)
        close(ends.writing)
    }

    @Test func aReaderThatIsGoneIsNoticedAndNothingKept() {
        signal(SIGPIPE, SIG_IGN)
        let ends = makePipe()
        let stream = OutputStream(ends.writing, on: EventLoop())
        close(ends.reading)
        stream.write(Array("x".utf8))
        stream.flush()
        #expect(stream.isBroken && stream.isDrained)
        close(ends.writing)
    }
}
