import Sockets

/// How a byte stream is split into lines.
package enum Framing: Equatable, Sendable {
    /// A line feed ends a line.
    case line
    /// The data that one read returns is a line.
    case raw
    /// Each frame is a line.
    case frames(FrameFormat)
    /// Each datagram is a line, with any contents; a line feed at its end is its ending. For datagram sockets only.
    case datagram
    /// Each datagram is a line, unmodified. For datagram sockets only.
    case rawDatagram
    /// Each message is a line, unmodified. For transports of messages only.
    case message

    /// `name` carries any bytes. Nil if no stream has such a framing.
    package init?(_ name: [UInt8]) {
        switch String(decoding: name, as: UTF8.self) {
        case "line": self = .line
        case "raw": self = .raw
        default:
            guard let format = FrameFormat(name) else { return nil }
            self = .frames(format)
        }
    }

    /// The names of the framings without parameters that a stream can have.
    package static let plainNames = ["line", "raw"] + FrameFormat.plainNames

    /// How it is written in scripts.
    package var name: String {
        switch self {
        case .line: "line"
        case .raw, .rawDatagram: "raw"
        case .datagram: "datagram"
        case .message: "message"
        case .frames(let format): format.name
        }
    }

    /// What it divides into lines.
    package var medium: Medium {
        switch self {
        case .line, .raw, .frames: .stream
        case .datagram, .rawDatagram: .datagrams
        case .message: .messages
        }
    }
    /// Whether each line is one message of the transport.
    package var keepsMessages: Bool { medium.keepsMessages }
    /// Whether each side can end.
    package var hasEnd: Bool { medium.hasEnd }

    /// The format of the frames, or nil without frames.
    package var format: FrameFormat? { if case .frames(let format) = self { format } else { nil } }

    /// The longest line in bytes that can be sent: what a length field can encode, or the largest datagram (udp(7),
    /// IPv4).
    package var longest: Int { !hasEnd ? 65507 : format?.longest ?? .max }
}

/// A frame that is longer than an inbox holds.
package struct OversizedFrame: Error, Equatable {
    /// The number of bytes it announces, or those that have arrived without an end.
    package let length: Int
}
