import CPlatform
import Glibc

/// A descriptor written without ever blocking the loop: what the reader does not take waits, and `isCongested` tells
/// the writer to stop producing.
///
/// A pipe or terminal is opened anew through /proc, so that O_NONBLOCK is ours alone: the flag of an inherited
/// description would be shared with every other process that has it.
package final class OutputStream: DescriptorWatcher {
    private let loop: EventLoop
    private let target: Int32
    /// A descriptor of our own, which never blocks.
    private let own: Descriptor?
    private var pending: [UInt8] = []
    private var head = 0
    private var isWatching = false
    private let writesNeverWait: Bool
    /// Why nothing can be written any more, an error number: EPIPE when the reader is gone. What is written then is dropped.
    package private(set) var problem: Int32?
    package var isBroken: Bool { problem != nil }

    /// More than this waiting counts as congestion.
    private let highWater: Int

    /// Writes to `descriptor`, which stays the caller's; more than `highWater` bytes waiting count as congestion.
    package init(_ descriptor: Int32, on loop: EventLoop, highWater: Int = 1 << 20) {
        self.loop = loop
        self.highWater = highWater
        var status = stat()
        let kind = fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
        writesNeverWait = kind == S_IFREG
        // Opening anew must not give a right to write that was not there.
        let isWritable = c_get_flags(descriptor) & O_ACCMODE != O_RDONLY
        let isTerminalOrPipe = isWritable && (kind == S_IFIFO || kind == S_IFCHR)
        let number =
            isTerminalOrPipe ? open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1
        own = number >= 0 ? Descriptor(owning: number) : nil
        target = number >= 0 ? number : descriptor
    }

    /// Writes to a descriptor that is opened with O_NONBLOCK.
    package init(owning descriptor: consuming Descriptor, on loop: EventLoop, highWater: Int = 1 << 20) {
        self.loop = loop
        self.highWater = highWater
        writesNeverWait = false
        target = descriptor.number
        own = consume descriptor
    }

    /// Whether both descriptors lead to the same file, pipe or terminal: then what is written to both has to keep its order.
    package static func areSame(_ first: Int32, _ second: Int32) -> Bool {
        var (left, right) = (stat(), stat())
        return fstat(first, &left) == 0 && fstat(second, &right) == 0 && left.st_dev == right.st_dev
            && left.st_ino == right.st_ino
    }

    /// Whether so much waits that no more should be produced.
    package var isCongested: Bool { pending.count - head > highWater }
    /// Whether all has been taken, or nobody takes it.
    package var isDrained: Bool { pending.isEmpty || isBroken }

    /// Adds text; it goes out with the next `flush`, or before when there is much.
    package func write(_ text: [UInt8]) {
        guard !isBroken else { return }
        pending += text
        if pending.count - head > 65536 { flush() }
    }

    /// Writes what the reader takes now; the rest goes on when it takes more.
    package func flush() {
        while head < pending.count, !isBroken {
            let count = writeOnce()
            if count > 0 {
                head += count
            } else {
                if errno != EAGAIN && errno != EINTR { problem = errno }
                break
            }
        }
        if head == pending.count || isBroken {
            pending.removeAll(keepingCapacity: pending.capacity <= 1 << 18)
            head = 0
        } else if head > highWater {
            pending.removeFirst(head)
            head = 0
        }
        watch(!pending.isEmpty)
    }

    /// Drops what waits: a farewell that follows must not wait behind it.
    package func dropPending() {
        pending.removeAll()
        head = 0
        watch(false)
    }

    package func descriptorIsReadable() {}

    package func descriptorIsWritable() {
        flush()
    }

    private func writeOnce() -> Int {
        pending.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[head...])
            if own != nil || writesNeverWait { return Glibc.write(target, rest.baseAddress, rest.count) }
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
