import Glibc

/// Writes lines of a server to standard output and standard error without ever blocking it. Unread output is buffered;
/// when much of the log is pending, further log lines are dropped and counted.
package final class LineOutput {
    private let name: String
    private let loop: EventLoop
    private let output: OutputStream
    private let errors: OutputStream
    private var leftOut = 0

    /// - Parameter name: the name of the program, for its own messages.
    package init(_ name: String, on loop: EventLoop) {
        self.name = name
        self.loop = loop
        output = OutputStream(STDOUT_FILENO, on: loop)
        errors = OutputStream(STDERR_FILENO, on: loop, highWater: 1 << 16)
    }

    /// Whether standard output cannot be written.
    package var isBroken: Bool { output.isBroken }

    /// Writes text with its newlines to standard output.
    package func write(_ text: String) {
        write(text, to: output)
    }

    /// Writes text and a newline to standard error.
    package func log(_ text: String) {
        guard !errors.isCongested else {
            leftOut += 1
            return
        }
        if leftOut > 0 {
            write("\(name): lines of the log dropped, because the reader was too slow: \(leftOut)\n", to: errors)
        }
        leftOut = 0
        write(text + "\n", to: errors)
    }

    /// Waits until all of standard output has been written, and logs why it cannot be; returns whether it has been. A
    /// reader that is gone needs no message.
    package func finish() -> Bool {
        while !output.isDrained { loop.turn() }
        guard let problem = output.problem else { return true }
        let reason = problem == EBADF ? "it is closed" : errorMessage(problem)
        if problem != EPIPE { log("\(name): cannot write standard output: \(reason)") }
        return false
    }

    private func write(_ text: String, to stream: OutputStream) {
        let visible = text.unicodeScalars.map { $0 == "\n" ? "\n" : Self.visible($0) }
        stream.write(Array(visible.joined().utf8))
        stream.flush()
    }

    /// Returns a scalar in printable form: scalars that could act on a terminal, and bytes that are not UTF-8, are
    /// escaped as in muxsh scripts. A path may contain any bytes.
    private static func visible(_ scalar: Unicode.Scalar) -> String {
        if scalar == String.standIn(for: 0x0A) { return "\\n" }
        if let byte = String.carriedByte(of: scalar) { return hexadecimal("\\x", UInt32(byte)) }
        switch scalar {
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
