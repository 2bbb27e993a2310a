import Glibc
import Reactor
import Sockets

/// How a serial line is set (termios(3)).
package struct SerialSettings: Equatable, Sendable {
    package enum Parity: String, CaseIterable, Sendable {
        case none, even, odd
    }

    package enum FlowControl: String, CaseIterable, Sendable {
        /// None, by RTS and CTS, or by XON and XOFF.
        case none, hardware, software
    }

    /// Bits in a second.
    package var speed = 115_200
    package var parity = Parity.none
    package var dataBits = 8
    package var stopBits = 1
    package var flow = FlowControl.none

    package init() {}

    /// The speeds that there are, with their constants.
    private static let speeds: [Int: Int32] = [
        300: B300, 1200: B1200, 2400: B2400, 4800: B4800, 9600: B9600, 19200: B19200, 38400: B38400, 57600: B57600,
        115_200: B115200, 230_400: B230400, 460_800: B460800, 921_600: B921600,
    ]

    /// The speeds that can be set, in ascending order.
    package static var knownSpeeds: [Int] { speeds.keys.sorted() }

    /// Applies them to a terminal, in raw mode.
    fileprivate func apply(to settings: TerminalSettings) {
        settings.makeRaw(speed: speed_t(Self.speeds[speed] ?? B115200)) { flags, inputFlags in
            func set(_ flag: Int32, _ isOn: Bool) {
                if isOn { flags |= tcflag_t(flag) } else { flags &= ~tcflag_t(flag) }
            }
            set(CSIZE, false)
            set([5: CS5, 6: CS6, 7: CS7][dataBits] ?? CS8, true)
            set(PARENB, parity != .none)
            set(PARODD, parity == .odd)
            set(CSTOPB, stopBits == 2)
            flags = flow == .hardware ? flags | crtscts : flags & ~crtscts
            let software = tcflag_t(IXON | IXOFF)
            inputFlags = flow == .software ? inputFlags | software : inputFlags & ~software
        }
    }

    private var crtscts: tcflag_t { 0x8000_0000 }
}

/// A serial line, such as /dev/ttyUSB0, or one side of a pseudo-terminal.
package final class SerialTransport: Transport {
    package let kind = TransportKind.serial
    private let device: Descriptor

    package var descriptor: Int32 { device.number }

    /// Opens the device for us alone (TIOCEXCL).
    ///
    /// - Throws: with the error of the system, if it cannot be opened or is not a serial line.
    package init(at path: SystemString, _ settings: SerialSettings) throws(HandshakeError) {
        let number = path.withCString { Glibc.open($0, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) }
        guard number >= 0 else { throw HandshakeError(message: lastErrorMessage()) }
        device = Descriptor(owning: number)
        guard let terminal = TerminalSettings(of: number) else { throw HandshakeError(message: "not a serial line") }
        guard ioctl(number, UInt(TIOCEXCL)) == 0 else { throw HandshakeError(message: lastErrorMessage()) }
        settings.apply(to: terminal)
        terminal.apply(to: number)
    }

    deinit {
        // Others may open a pseudo-terminal again although its other side stays.
        _ = ioctl(device.number, UInt(TIOCNXCL))
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        let count = Glibc.read(device.number, buffer.baseAddress, buffer.count)
        if count > 0 { return .bytes(count) }
        // The other side of a pseudo-terminal, or the adapter, is gone.
        if count == 0 || errno == EIO || errno == ENXIO { return .endOfStream }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(WireFailure(number: errno))
    }

    package func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        let count = Glibc.write(device.number, bytes.baseAddress, bytes.count)
        if count >= 0 { return .wrote(count) }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(WireFailure(number: errno))
    }

    /// A serial line has no end of one direction.
    package func endOutput() -> EndOutcome { .ended }

    /// Drops what has not been sent.
    package func resetOnClose() { tcflush(device.number, TCIOFLUSH) }
}
