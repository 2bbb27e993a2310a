import CPlatform
import Glibc
import Reactor
import Sockets
import SystemPackage

/// The pipes to a child process: one to its standard input, one from its output.
final class PipeTransport: Transport {
    private let output: SharedDescriptor
    private var input: SharedDescriptor?

    /// - Parameters:
    ///   - output: the non-blocking end to read from.
    ///   - input: the non-blocking end to write to; nil if the program reads something else.
    init(reading output: SharedDescriptor, writing input: SharedDescriptor?) {
        self.output = output
        self.input = input
    }

    let kind = TransportKind.process
    var descriptor: Int32 { output.number }
    var outputDescriptor: Int32 { input?.number ?? -1 }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        readDescriptor(output.number, into: buffer)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        guard let input else { return .failed(WireFailure(number: EPIPE)) }
        return writeDescriptor(input.number, bytes)
    }

    func endOutput() -> EndOutcome {
        input = nil
        return .ended
    }

    func resetOnClose() {}
}

/// The master side of a child's terminal (pty(7)).
final class TerminalTransport: Transport {
    private let master: Descriptor
    /// Whether the next byte begins a line: only there does an end-of-file character count (termios(3), VEOF).
    private var isAtLineStart = true
    /// The length in bytes of the line that has been admitted but not ended.
    private var openLine = 0

    /// The longest line in bytes that the kernel edits, without its end (termios(3), Canonical and noncanonical mode).
    private static let longestLine = 4095

    init(owning master: consuming Descriptor) {
        self.master = master
    }

    let kind = TransportKind.terminal

    func setTerminalSize(rows: Int, columns: Int) {
        _ = c_set_window_size(master.number, UInt16(clamping: rows), UInt16(clamping: columns))
    }
    var descriptor: Int32 { master.number }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        let outcome = readDescriptor(master.number, into: buffer)
        // No process has the terminal open any more.
        if case .failed(let failure) = outcome, failure == WireFailure(number: EIO) { return .endOfStream }
        return outcome
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        let outcome = writeDescriptor(master.number, bytes)
        if case .wrote(let count) = outcome, count > 0 {
            isAtLineStart = [UInt8(ascii: "\n"), UInt8(ascii: "\r")].contains(bytes[count - 1])
        }
        return outcome
    }

    /// Rejects a line of more than 4,095 bytes in canonical mode, where the kernel drops the excess. Otherwise a
    /// program receives all of it, in pieces.
    func admit(_ bytes: UnsafeRawBufferPointer) -> String? {
        let settings = TerminalSettings(of: master.number)
        let ends = [UInt8(ascii: "\n"), UInt8(ascii: "\r"), settings?.character(VEOF) ?? 4]
        var longest = openLine
        var length = openLine
        for byte in bytes {
            length = ends.contains(byte) ? 0 : length + 1
            longest = max(longest, length)
        }
        guard settings?.isCanonical == true, longest > Self.longestLine else {
            openLine = length
            return nil
        }
        return "a line of \(longest) bytes is too long: the program reads its terminal in canonical mode, which limits"
            + " a line to \(Self.longestLine) bytes"
    }

    /// Sends the end-of-file character, twice after an incomplete line: the first one only submits that line.
    func endOutput() -> EndOutcome {
        let end = TerminalSettings(of: master.number)?.character(VEOF) ?? 4
        let keys = [UInt8](repeating: end, count: isAtLineStart ? 1 : 2)
        switch keys.withUnsafeBytes({ writeDescriptor(master.number, $0) }) {
        case .wrote(keys.count): return .ended
        case .wrote:
            isAtLineStart = true
            return .wouldBlock
        case .wouldBlock: return .wouldBlock
        case .failed(let failure): return .failed(failure)
        }
    }

    func resetOnClose() {}
}

private func readDescriptor(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
    let count = read(descriptor, buffer.baseAddress, buffer.count)
    if count > 0 { return .bytes(count) }
    if count == 0 { return .endOfStream }
    return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(WireFailure(number: errno))
}

private func writeDescriptor(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
    let count = write(descriptor, bytes.baseAddress, bytes.count)
    if count >= 0 { return .wrote(count) }
    return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(WireFailure(number: errno))
}
