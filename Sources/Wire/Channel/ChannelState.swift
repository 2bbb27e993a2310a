/// The states of a channel, and what can hold it up.
extension Channel {
    /// The state of the direction from the peer to us.
    package enum Input: Equatable {
        case open
        /// The peer has ended its side.
        case ended
        /// The connection was reset.
        case reset
        /// The connection was closed without close_notify (TLS): what has arrived may not be all.
        case cut
        case failed(WireFailure)
        /// A frame announced more bytes than the inbox holds: what follows cannot be read.
        case oversized(Int)
        /// We have closed the session.
        case closed
    }

    /// The state of the direction from us to the peer.
    package enum Output: Equatable {
        case open
        /// Our side ends as soon as the outbox is empty.
        case ending
        /// We have ended our side.
        case ended
        case failed(WireFailure)
        case closed
    }

    /// What happens when the inbox is full.
    package enum Overflow {
        /// The peer is not read until something is consumed.
        case pause
        /// The oldest unread bytes are dropped.
        case dropOldest
    }

    /// Who can keep the peer from being read.
    package struct Holders: OptionSet {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// The reader of our output is far behind.
        package static let output = Holders(rawValue: 1)
        /// The session that all of this goes to is far behind.
        package static let bridge = Holders(rawValue: 2)
    }
}
