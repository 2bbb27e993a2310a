import Reactor
import Wire

/// The received data that has not been read yet, as one reader of a session sees it: the script, or a block that
/// answers a line.
///
/// It does not keep its session alive; a wait that may outlive it does. It knows where its front is within a line,
/// which the inbox does not remember.
package final class Feed {
    /// The unread bytes; consumed only through the feed.
    package let inbox: Inbox
    /// The waiters for data that arrives here.
    package let waiters: WaitQueue
    /// Whether the last byte before the front ended a line, or there was none.
    package private(set) var frontBeginsLine: Bool
    /// Whether the last consumed byte was a carriage return: the next byte decides whether a line begins here.
    private(set) var frontFollowsReturn = false
    /// The end of the inbox at the last send: unread data before it arrived before that send.
    var sendMark = 0
    package unowned let session: Session

    package init(_ inbox: Inbox, of session: Session, beginsLine: Bool = true) {
        self.inbox = inbox
        self.session = session
        frontBeginsLine = beginsLine
        waiters = WaitQueue(title: session.name)
    }

    /// How bytes become lines.
    package var framing: Framing { session.framing }
    /// Whether nothing more will arrive here.
    package var hasEnded: Bool { session.inputHasEnded && !session.withholds(from: self) }
    /// Whether nothing more arrives until something is consumed.
    package var isFull: Bool { session.channel.isFull && !session.withholdsForBlock(from: self) }

    /// Consumes the inbox through `position`; shows a consumed part of a line.
    package func consume(through position: Int) {
        guard position > inbox.front else { return }
        let isPart = session.isUnshown(position, of: self)
        advance(to: position)
        session.consumed(from: self, isPart: isPart)
    }

    /// Consumes the first message, which may be empty.
    func consumeMessage() {
        advanceMessage()
        session.consumed(from: self, isPart: false)
    }

    /// Advances to `position` without a read: the bytes went elsewhere.
    package func advance(to position: Int) {
        guard position > inbox.front else { return }
        let last = inbox.bytes[position - inbox.front - 1]
        let endsMessage = framing.keepsMessages && inbox.beginsLine(at: position)
        inbox.consume(through: position)
        if framing.keepsMessages { frontBeginsLine = endsMessage }
        if framing == .line {
            frontBeginsLine = last == UInt8(ascii: "\n")
            frontFollowsReturn = last == UInt8(ascii: "\r")
        }
    }

    /// Advances past the first message, which went elsewhere.
    func advanceMessage() {
        inbox.consumeMessage()
        frontBeginsLine = true
    }

    /// Puts data that is to be read again before the unread data; the first `older` bytes then arrived before the last
    /// send.
    func restart(with inbox: Inbox, older: Int) {
        self.inbox.prepend(inbox)
        frontBeginsLine = true
        frontFollowsReturn = false
        sendMark = self.inbox.front + older
    }

    /// Makes the withheld part of a line readable until `reclaim`, for a wait that looks for the last time.
    package func lend() {
        if self === session.feed { session.filter?.lend() }
    }

    package func reclaim() {
        if self === session.feed { session.filter?.reclaim() }
    }

    /// Whether the beginning of a line is withheld from this feed until the line ends.
    package var holdsPart: Bool { self === session.feed && session.filter?.holdsPart == true }

    /// Lets the withheld part of a line through, and then the rest of the line.
    package func passPart() {
        if self === session.feed { session.filter?.passPart() }
    }

    /// Whether some of the data before `position` was lent.
    package func isLent(before position: Int) -> Bool {
        guard self === session.feed, let filter = session.filter, filter.lentCount > 0 else { return false }
        return position > inbox.end - filter.lentCount
    }

    /// Drops the unread data before `position`; later failures show it with the reason.
    func drop(through position: Int, _ reason: String) {
        let count = position - inbox.front
        session.log.drop(
            count,
            following: inbox.count - count
                + (session.filter.map { self === session.feed ? $0.incoming.inbox.count : 0 } ?? 0), reason)
        consume(through: position)
    }

    /// Drops all unread data; later failures show it with the reason, if there is one.
    package func drain(_ reason: String? = nil) {
        if self === session.feed { session.filter?.dropPart(reason) }
        if let reason { drop(through: inbox.end, reason) }
        consume(through: inbox.end)
        while inbox.messageEnds?.isEmpty == false { consumeMessage() }
    }

    /// Consumes a match.
    package func consume(_ match: Match) {
        if match.takesEnd { session.hasReportedEnd = true }
        if match.takesMessage, match.end == inbox.front {
            consumeMessage()
        } else {
            consume(through: match.end)
        }
    }
}
