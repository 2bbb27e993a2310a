import Glibc
import Reactor
import SystemPackage

/// The pipes to a child process: one to its standard input, one from its output.
final class PipeTransport: Transport {
    private let output: SharedDescriptor
    private var input: SharedDescriptor?

    /// - Parameters:
    ///   - output: the non-blocking end that is read.
    ///   - input: the non-blocking end that is written.
    init(reading output: SharedDescriptor, writing input: SharedDescriptor) {
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
    /// Whether the last byte that was written began a line: an end of file counts only there (termios(3), VEOF).
    private var isAtLineStart = true

    init(owning master: consuming Descriptor) {
        self.master = master
    }

    let kind = TransportKind.terminal
    var descriptor: Int32 { master.number }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        let outcome = readDescriptor(master.number, into: buffer)
        // Nobody has the terminal open any more.
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

    /// Types the end-of-file character, twice behind a part of a line: the first one only sends that.
    func endOutput() -> EndOutcome {
        var settings = termios()
        tcgetattr(master.number, &settings)
        let end = withUnsafeBytes(of: settings.c_cc) { $0[Int(VEOF)] }
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
