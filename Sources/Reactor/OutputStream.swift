import CPlatform
import Glibc

/// Writes to a descriptor without ever blocking the loop. Data that the reader does not accept is queued, and
/// `isCongested` reports that the writer should stop producing.
///
/// A pipe or terminal is reopened through /proc to make O_NONBLOCK ours alone: an inherited description shares the flag
/// with every other process that has it.
package final class OutputStream: DescriptorWatcher {
    private let loop: EventLoop
    private let target: Int32
    /// Our own descriptor, which never blocks.
    private let own: Descriptor?
    private var pending: [UInt8] = []
    private var head = 0
    private var isWatching = false
    private let writesNeverWait: Bool
    /// The error number after which nothing can be written: EPIPE if the reader is gone. Later writes are discarded.
    package private(set) var problem: Int32?
    package var isBroken: Bool { problem != nil }

    /// More queued bytes than this count as congestion.
    private let highWater: Int

    /// Writes to `descriptor`, which the caller still owns. More than `highWater` queued bytes count as congestion.
    package init(_ descriptor: Int32, on loop: EventLoop, highWater: Int = 1 << 20) {
        self.loop = loop
        self.highWater = highWater
        var status = stat()
        let kind = fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
        writesNeverWait = kind == S_IFREG
        // Reopening must not add write access that the descriptor does not have.
        let isWritable = c_get_flags(descriptor) & O_ACCMODE != O_RDONLY
        let isTerminalOrPipe = isWritable && (kind == S_IFIFO || kind == S_IFCHR)
        let number =
            isTerminalOrPipe ? open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1
        own = number >= 0 ? Descriptor(owning: number) : nil
        target = number >= 0 ? number : descriptor
    }

    /// Writes to an owned descriptor, which must be open with O_NONBLOCK.
    package init(owning descriptor: consuming Descriptor, on loop: EventLoop, highWater: Int = 1 << 20) {
        self.loop = loop
        self.highWater = highWater
        writesNeverWait = false
        target = descriptor.number
        own = consume descriptor
    }

    /// Whether both descriptors refer to the same file, pipe or terminal. Output to both must then keep its order.
    package static func areSame(_ first: Int32, _ second: Int32) -> Bool {
        var (left, right) = (stat(), stat())
        return fstat(first, &left) == 0 && fstat(second, &right) == 0 && left.st_dev == right.st_dev
            && left.st_ino == right.st_ino
    }

    /// Whether so much is queued that the writer should stop producing.
    package var isCongested: Bool { pending.count - head > highWater }
    /// Whether everything has been written, or nothing can be written any more.
    package var isDrained: Bool { pending.isEmpty || isBroken }

    /// Queues text. It is written by the next `flush`, or earlier if much is queued.
    package func write(_ text: [UInt8]) {
        guard !isBroken else { return }
        pending += text
        if pending.count - head > 65536 { flush() }
    }

    /// Writes as much as the reader accepts now. The rest is written when it accepts more.
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

    /// Discards queued data: a final message that follows must not wait for it.
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
            // A device that could not be reopened: this write may block, which cannot be avoided.
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
