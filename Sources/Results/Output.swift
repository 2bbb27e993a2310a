import Reactor
import Script

/// The destination of the engine's text: standard output and standard error, or the screen of the prompt.
package protocol Output: AnyObject {
    /// Adds text for standard output; it is written before the event loop waits.
    func write(_ text: [UInt8])
    /// Adds text that may be longer than a screen; a prompt shows it one screen at a time.
    func page(_ text: [UInt8])
    /// The width of the screen in columns, or nil if lines may have any length.
    var width: Int? { get }
    /// Writes text to standard error, after all text written earlier; characters that could act on a terminal are
    /// escaped.
    func diagnose(_ text: [UInt8])
    /// Passes on the added text; called before each wait.
    func flush()
    /// Whether so much output is pending that no more should be produced (backpressure).
    var isCongested: Bool { get }
    /// Whether all output has been written, or nothing can be written any more.
    var isDrained: Bool { get }
    /// Whether nothing can be written any more, because the reader is gone.
    var isBroken: Bool { get }
}

extension Output {
    package func page(_ text: [UInt8]) { write(text) }
    package var width: Int? { nil }
}

/// Standard output, standard error and the other output files of a run, all written without blocking.
///
/// All text for standard error passes through `diagnose`, so it cannot act on a terminal.
package final class StandardOutput: Output {
    private let stream: OutputStream
    private let errors: OutputStream
    /// Whether messages on standard error are colored.
    package var colorsMessages = false
    /// The other output files; a pipe among them may be congested too.
    package var files: [OutputStream] = []

    /// - Parameter errors: the same stream as `stream` if both have the same destination.
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
        errors.write(colorsMessages ? DiagnosticColors.painted(printable) : printable)
        errors.flush()
    }
}
