import Reactor

/// Something that a bad network does to the data of one direction, or to new connections.
package enum Fault: Equatable {
    /// Delivers everything later, by a time that varies by the jitter.
    case delay(Duration, jitter: Duration)
    /// Bytes in a second, without bursts above a twentieth of that.
    case rate(Int)
    /// Pieces of this many bytes, with a pause after each.
    case slice(Int, every: Duration)
    case pause
    /// That many more bytes, then a pause.
    case pass(Int)
    /// The end of the connection for both sides, after that many bytes.
    case cut(after: Int)
    case reset(after: Int)
    /// Everything is lost.
    case swallow
    /// The lowest bit of the byte with this number, counted from 1, is inverted.
    case corrupt(Int)
    /// New connections are refused, or accepted and left alone.
    case refuse
    case hang
    /// Of datagrams: the share that is lost or comes twice, from 0 to 1; and how many places they change.
    case lose(Double)
    case duplicate(Double)
    case reorder(Int)

    package enum Kind: String, CaseIterable {
        case delay, rate, slice, pause, pass, cut, reset, swallow, corrupt, refuse, hang, lose, duplicate, reorder

        /// Whether it applies to new connections instead of data.
        package var isOfConnections: Bool { self == .refuse || self == .hang }
        package var isOfDatagrams: Bool { [.lose, .duplicate, .reorder].contains(self) }
        /// Whether it applies to datagrams too.
        package var suitsDatagrams: Bool { isOfDatagrams || self == .delay || self == .rate }
    }

    package var kind: Kind {
        switch self {
        case .delay: .delay
        case .rate: .rate
        case .slice: .slice
        case .pause: .pause
        case .pass: .pass
        case .cut: .cut
        case .reset: .reset
        case .swallow: .swallow
        case .corrupt: .corrupt
        case .refuse: .refuse
        case .hang: .hang
        case .lose: .lose
        case .duplicate: .duplicate
        case .reorder: .reorder
        }
    }
}

/// The directions that a fault applies to.
package enum Way: String, CaseIterable {
    /// From the client to the server, and back.
    case up, down

    /// The directions of a fault that names one, or none for both.
    package static func all(_ way: Way?) -> [Way] { way.map { [$0] } ?? allCases }
}
