/// How the bytes of a stream become lines.
package enum Framing: String, CaseIterable, Sendable {
    /// A line feed ends a line.
    case line
    /// Whatever one read returns is a line.
    case raw
    /// The length of a line stands before it, in so many bits; big-endian unless `le`.
    case u8, u16, u32, u16le, u32le
    /// A datagram is a line, whatever is in it, and a line feed at its end is its ending; for datagram sockets only.
    case datagram
    /// A datagram is a line as it is; for datagram sockets only.
    case rawDatagram = "raw datagram"

    /// Those that a stream can have.
    package static let ofStreams = allCases.filter { !$0.isDatagram }

    /// Whether it is one of the two that datagram sockets have.
    package var isDatagram: Bool { self == .datagram || self == .rawDatagram }

    /// How many bytes the length takes, or nil when there is none.
    package var prefixLength: Int? {
        switch self {
        case .line, .raw, .datagram, .rawDatagram: nil
        case .u8: 1
        case .u16, .u16le: 2
        case .u32, .u32le: 4
        }
    }

    /// The longest line: what a prefix can announce, or what fits into a datagram (udp(7), IPv4).
    package var longest: Int {
        isDatagram ? 65507 : prefixLength.map { (1 << (8 * $0)) - 1 } ?? .max
    }

    /// The bytes that announce a line of `count` bytes; `count` is at most `longest`.
    package func prefix(for count: Int) -> [UInt8] {
        guard let length = prefixLength else { return [] }
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
        return isLittleEndian ? bytes : bytes.reversed()
    }

    /// The length that `prefix`, of `prefixLength` bytes, announces.
    func length(from prefix: some BidirectionalCollection<UInt8>) -> Int {
        isLittleEndian
            ? prefix.reversed().reduce(0) { $0 << 8 | Int($1) } : prefix.reduce(0) { $0 << 8 | Int($1) }
    }

    private var isLittleEndian: Bool { self == .u16le || self == .u32le }
}

/// A frame announces more than an inbox holds.
package struct OversizedFrame: Error, Equatable {
    /// The bytes it announces, without the prefix.
    package let length: Int
}
