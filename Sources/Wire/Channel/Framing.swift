/// How a byte stream is split into lines.
package enum Framing: String, CaseIterable, Sendable {
    /// A line feed ends a line.
    case line
    /// The data that one read returns is a line.
    case raw
    /// Each line is preceded by its length as an 8-, 16- or 32-bit integer; big-endian unless `le`.
    case u8, u16, u32, u16le, u32le
    /// Each datagram is a line, with any contents; a line feed at its end is its ending. For datagram sockets only.
    case datagram
    /// Each datagram is a line, unmodified. For datagram sockets only.
    case rawDatagram = "raw datagram"

    /// The framings that a stream can have.
    package static let ofStreams = allCases.filter { !$0.isDatagram }

    /// Whether this is one of the two framings of datagram sockets.
    package var isDatagram: Bool { self == .datagram || self == .rawDatagram }

    /// The size of the length prefix in bytes, or nil without one.
    package var prefixLength: Int? {
        switch self {
        case .line, .raw, .datagram, .rawDatagram: nil
        case .u8: 1
        case .u16, .u16le: 2
        case .u32, .u32le: 4
        }
    }

    /// The longest line in bytes: the largest length that a prefix can encode, or the largest datagram (udp(7), IPv4).
    package var longest: Int {
        isDatagram ? 65507 : prefixLength.map { (1 << (8 * $0)) - 1 } ?? .max
    }

    /// Returns the length prefix of a line of `count` bytes; `count` is at most `longest`.
    package func prefix(for count: Int) -> [UInt8] {
        guard let length = prefixLength else { return [] }
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
        return isLittleEndian ? bytes : bytes.reversed()
    }

    /// Returns the length that `prefix`, of `prefixLength` bytes, encodes.
    func length(from prefix: some BidirectionalCollection<UInt8>) -> Int {
        isLittleEndian
            ? prefix.reversed().reduce(0) { $0 << 8 | Int($1) } : prefix.reduce(0) { $0 << 8 | Int($1) }
    }

    private var isLittleEndian: Bool { self == .u16le || self == .u32le }
}

/// A frame that announces more bytes than an inbox holds.
package struct OversizedFrame: Error, Equatable {
    /// The number of bytes it announces, without the prefix.
    package let length: Int
}
