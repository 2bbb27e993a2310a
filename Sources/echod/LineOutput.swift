import Glibc
import Reactor

/// Writes lines to standard output and standard error without ever blocking the server. Unread output is buffered; when
/// much of the log is pending, further log lines are dropped and counted.
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

    /// The error number of a failed write to standard output, or nil.
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
        if leftOut > 0 {
            write("echod: lines of the log dropped, because the reader was too slow: \(leftOut)", to: errors)
        }
        leftOut = 0
        write(text, to: errors)
    }

    /// Waits until all of standard output has been written; returns its error number, or nil.
    func finish() -> Int32? {
        while !output.isDrained { loop.turn() }
        return output.problem
    }

    private func write(_ text: String, to stream: OutputStream) {
        let visible = String(lossless: text.losslessBytes).unicodeScalars.map(Self.visible).joined()
        stream.write(Array(visible.utf8) + [0x0A])
        stream.flush()
    }

    /// Returns a scalar in printable form: scalars that could act on a terminal, and bytes that are not UTF-8, are
    /// escaped as in muxsh scripts. A path may contain any bytes.
    private static func visible(_ scalar: Unicode.Scalar) -> String {
        if let byte = String.carriedByte(of: scalar) { return hexadecimal("\\x", UInt32(byte)) }
        switch scalar {
        case "\n": return "\\n"
        case "\u{1B}": return "\\e"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F: return hexadecimal("\\x", scalar.value)
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return hexadecimal("\\u{", scalar.value) + "}"
        default: return String(scalar)
        }
    }

    private static func hexadecimal(_ prefix: String, _ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return prefix + (digits.count < 2 ? "0" : "") + digits
    }
}
