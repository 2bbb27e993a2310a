import CPlatform
import Glibc
import Reactor

/// Where the engine's text goes: standard output and error, or the screen of the prompt.
package protocol Output: AnyObject {
    /// Adds text for standard output; it is written before the loop waits.
    func write(_ text: [UInt8])
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

/// A descriptor written without ever blocking the loop: what the reader does not take waits, and `isCongested` tells
/// the engine to stop producing.
///
/// A pipe or terminal is opened anew through /proc, so that O_NONBLOCK is ours alone: the flag of an inherited
/// description would be shared with every other process that has it.
package final class StandardOutput: Output, DescriptorWatcher {
    private let loop: EventLoop
    private let target: Int32
    private let errorTarget: Int32
    private let reopened: Descriptor?
    private var pending: [UInt8] = []
    private var head = 0
    private var isWatching = false
    private let writesNeverWait: Bool
    package private(set) var isBroken = false

    /// More than this waiting counts as congestion.
    private static let highWater = 1 << 20

    package init(
        on loop: EventLoop, descriptor: Int32 = STDOUT_FILENO, errorDescriptor: Int32 = STDERR_FILENO
    ) {
        self.loop = loop
        errorTarget = errorDescriptor
        var status = stat()
        let kind = fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
        writesNeverWait = kind == S_IFREG
        let isTerminalOrPipe = kind == S_IFIFO || kind == S_IFCHR
        let number =
            isTerminalOrPipe ? open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1
        reopened = number >= 0 ? Descriptor(owning: number) : nil
        target = number >= 0 ? number : descriptor
    }

    package var isCongested: Bool { pending.count - head > Self.highWater }
    package var isDrained: Bool { pending.isEmpty || isBroken }

    package func write(_ text: [UInt8]) {
        guard !isBroken else { return }
        pending += text
        if pending.count - head > 65536 { flush() }
    }

    package func diagnose(_ text: [UInt8]) {
        flush()
        var rest = text[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(errorTarget, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            rest = rest.dropFirst(max(0, count))
        }
    }

    package func flush() {
        while head < pending.count, !isBroken {
            let count = writeOnce()
            if count > 0 {
                head += count
            } else {
                if errno != EAGAIN && errno != EINTR { isBroken = true }
                break
            }
        }
        if head == pending.count || isBroken {
            pending.removeAll(keepingCapacity: pending.capacity <= 1 << 18)
            head = 0
        } else if head > Self.highWater {
            pending.removeFirst(head)
            head = 0
        }
        watch(!pending.isEmpty)
    }

    package func descriptorIsReadable() {}

    package func descriptorIsWritable() {
        flush()
    }

    private func writeOnce() -> Int {
        pending.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[head...])
            if reopened != nil || writesNeverWait { return Glibc.write(target, rest.baseAddress, rest.count) }
            let count = send(target, rest.baseAddress, rest.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            guard count < 0, errno == ENOTSOCK else { return count }
            // A device that could not be opened anew: it may block us, which is all that can be done.
            return Glibc.write(target, rest.baseAddress, min(rest.count, 4096))
        }
    }

    private func watch(_ isNeeded: Bool) {
        guard isNeeded != isWatching else { return }
        isWatching = isNeeded
        if isNeeded {
            loop.watch(target, read: false, write: true, watcher: self)
        } else {
            loop.unwatch(target)
        }
    }
}
