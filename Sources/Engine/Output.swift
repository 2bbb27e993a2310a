import Glibc
import Reactor

/// Where the engine's text goes: standard output and error, or the screen of the prompt.
package protocol Output: AnyObject {
    /// Adds text for standard output; it is written before the loop waits.
    func write(_ text: [UInt8])
    /// Adds text that may be longer than a screen: a prompt shows it a screen at a time.
    func page(_ text: [UInt8])
    /// The columns of the screen, or nil where lines may be as long as they like.
    var width: Int? { get }
    /// Shows text on standard error, after all that was written before it.
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

/// Standard output and standard error of a script's run.
package final class StandardOutput: Output {
    private let stream: OutputStream
    private let errorDescriptor: Int32

    package init(on loop: EventLoop, descriptor: Int32 = STDOUT_FILENO, errorDescriptor: Int32 = STDERR_FILENO) {
        stream = OutputStream(descriptor, on: loop)
        self.errorDescriptor = errorDescriptor
    }

    package var isCongested: Bool { stream.isCongested }
    package var isDrained: Bool { stream.isDrained }
    package var isBroken: Bool { stream.isBroken }

    package func write(_ text: [UInt8]) {
        stream.write(text)
    }

    package func flush() {
        stream.flush()
    }

    package func diagnose(_ text: [UInt8]) {
        stream.flush()
        writeAll(text, to: errorDescriptor)
    }
}

/// Writes all of `bytes` to a descriptor that takes them at once, such as standard error or a file; false and errno when
/// an error ends it.
@discardableResult
package func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 || errno == EINTR else { return false }
        rest = rest.dropFirst(max(0, count))
    }
    return true
}
