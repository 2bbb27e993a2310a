import Glibc
import Reactor

/// Lines to standard output and standard error that never hold up the server: what nobody reads waits, and of the log, when
/// much waits, the rest is left out and counted.
final class LineOutput {
    private let loop: EventLoop
    private let output: OutputStream
    private let errors: OutputStream
    private var leftOut = 0

    init(on loop: EventLoop) {
        self.loop = loop
        output = OutputStream(STDOUT_FILENO, on: loop)
        errors = OutputStream(STDERR_FILENO, on: loop, highWater: 1 << 16)
    }

    /// Why standard output cannot be written, an error number.
    var problem: Int32? { output.problem }

    /// Writes a line to standard output.
    func say(_ text: String) {
        write(text, to: output)
    }

    /// Writes a line to standard error.
    func log(_ text: String) {
        guard !errors.isCongested else {
            leftOut += 1
            return
        }
        if leftOut > 0 { write("echod: \(leftOut) lines of the log are left out: nobody read them", to: errors) }
        leftOut = 0
        write(text, to: errors)
    }

    /// Waits until standard output has been taken; returns what is wrong with it.
    func finish() -> Int32? {
        while !output.isDrained { loop.turn() }
        return output.problem
    }

    /// What could act on a terminal is shown as a question mark: a path may hold anything.
    private func write(_ text: String, to stream: OutputStream) {
        let bytes = text.losslessBytes.map { $0 < 0x20 && $0 != 0x0A || $0 == 0x7F ? UInt8(ascii: "?") : $0 }
        stream.write(bytes + [0x0A])
        stream.flush()
    }
}
