import Reactor
import Script

/// Where the engine's text goes: standard output and error, or the screen of the prompt.
package protocol Output: AnyObject {
    /// Adds text for standard output; it is written before the loop waits.
    func write(_ text: [UInt8])
    /// Adds text that may be longer than a screen: a prompt shows it a screen at a time.
    func page(_ text: [UInt8])
    /// The columns of the screen, or nil where lines may be as long as they like.
    var width: Int? { get }
    /// Shows text on standard error, after all that was written before it; what could act on a terminal is escaped.
    func diagnose(_ text: [UInt8])
    /// Hands over what was written; called before each wait.
    func flush()
    /// Whether the reader is so far behind that no more should be produced.
    var isCongested: Bool { get }
    /// Whether everything has been taken.
    var isDrained: Bool { get }
    /// Whether the reader is gone.
    var isBroken: Bool { get }
}

extension Output {
    package func page(_ text: [UInt8]) { write(text) }
    package var width: Int? { nil }
}

/// Standard output and standard error of a run, and the files it writes besides: all of them without ever blocking.
///
/// Whatever goes to standard error goes through `diagnose`, and nothing of it can act on a terminal.
package final class StandardOutput: Output {
    private let stream: OutputStream
    private let errors: OutputStream
    /// Files that are written beside them: a pipe among them may fall behind too.
    package var files: [OutputStream] = []

    /// - Parameter errors: the same stream as `stream` where both lead to one place.
    package init(_ stream: OutputStream, errors: OutputStream) {
        self.stream = stream
        self.errors = errors
    }

    private var all: [OutputStream] { [stream, errors] + files }

    package var isCongested: Bool { stream.isCongested || errors.isCongested || files.contains(where: \.isCongested) }
    package var isDrained: Bool { all.allSatisfy(\.isDrained) }
    package var isBroken: Bool { stream.isBroken }

    package func write(_ text: [UInt8]) {
        stream.write(text)
    }

    package func flush() {
        for stream in all { stream.flush() }
    }

    package func diagnose(_ text: [UInt8]) {
        stream.flush()
        var printable: [UInt8] = []
        Escapes.appendPrintable(text, to: &printable)
        errors.write(printable)
        errors.flush()
    }
}
