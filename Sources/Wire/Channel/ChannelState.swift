/// The states of a channel, and the causes that pause it.
extension Channel {
    /// The state of the direction from the peer to us.
    package enum Input: Equatable {
        case open
        /// The peer has ended its side.
        case ended
        /// The connection was reset.
        case reset
        /// The connection was closed without close_notify (TLS): the received data may be incomplete.
        case cut
        case failed(WireFailure)
        /// A frame announced more bytes than the inbox holds: the data that follows cannot be decoded.
        case oversized(Int)
        /// We have closed the session.
        case closed
    }

    /// The state of the direction from us to the peer.
    package enum Output: Equatable {
        case open
        /// Our side ends once the outbox is empty.
        case ending
        /// We have ended our side.
        case ended
        case failed(WireFailure)
        case closed
    }

    /// The policy for a full inbox.
    package enum Overflow {
        /// Stops reading from the peer until something is consumed.
        case pause
        /// Drops the oldest unread bytes.
        case dropOldest
    }

    /// The holders that can pause reading from the peer.
    package struct Holders: OptionSet {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// The reader of our output has a large backlog.
        package static let output = Holders(rawValue: 1)
        /// The session that the data is relayed to has a large backlog.
        package static let bridge = Holders(rawValue: 2)
    }
}
