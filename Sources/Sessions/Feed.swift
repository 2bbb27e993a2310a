import Reactor
import Wire

/// What has arrived and was not read, as one reader of a session sees it: the script, or a block that answers a line.
///
/// It does not keep its session alive: a wait that may outlive it does. It knows where its front stands in its line, which the inbox does not remember.
package final class Feed {
    /// The unread bytes; consumed through the feed only.
    package let inbox: Inbox
    /// Those who wait for what arrives here.
    package let waiters: WaitQueue
    /// The last byte before the front ended a line, or there was none.
    package private(set) var frontBeginsLine: Bool
    /// The last consumed byte was a carriage return: whether a line begins here depends on what follows.
    private(set) var frontFollowsReturn = false
    /// Where the last send found the end: what is unread before it has arrived before that send.
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
    /// Whether nothing more arrives before something is consumed.
    package var isFull: Bool { session.channel.isFull && !session.withholdsForBlock(from: self) }

    /// Consumes through `position` of the inbox; a part of a line that is consumed is shown.
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

    /// Goes on to `position` without anything having been read: the bytes went elsewhere.
    package func advance(to position: Int) {
        guard position > inbox.front else { return }
        let last = inbox.bytes[position - inbox.front - 1]
        let endsMessage = framing.isDatagram && inbox.beginsLine(at: position)
        inbox.consume(through: position)
        if framing.isDatagram { frontBeginsLine = endsMessage }
        if framing == .line {
            frontBeginsLine = last == UInt8(ascii: "\n")
            frontFollowsReturn = last == UInt8(ascii: "\r")
        }
    }

    /// Goes on behind the first message, which went elsewhere.
    func advanceMessage() {
        inbox.consumeMessage()
        frontBeginsLine = true
    }

    /// Puts what is to be read again before what is unread; the first `older` bytes then arrived before the last send.
    func restart(with inbox: Inbox, older: Int) {
        self.inbox.prepend(inbox)
        frontBeginsLine = true
        frontFollowsReturn = false
        sendMark = self.inbox.front + older
    }

    /// What is held back of a line can be read until `reclaim`: for a wait that looks for the last time.
    package func lend() {
        if self === session.feed { session.filter?.lend() }
    }

    package func reclaim() {
        if self === session.feed { session.filter?.reclaim() }
    }

    /// Whether the front of a line is held back from here for its end.
    package var holdsPart: Bool { self === session.feed && session.filter?.holdsPart == true }

    /// Lets through what has arrived of a line that is held back, and then its rest.
    package func passPart() {
        if self === session.feed { session.filter?.passPart() }
    }

    /// Whether what lies before `position` was lent.
    package func isLent(before position: Int) -> Bool {
        guard self === session.feed, let filter = session.filter, filter.lentCount > 0 else { return false }
        return position > inbox.end - filter.lentCount
    }

    /// Forgets what is unread before `position`; later failures show it with the reason.
    func drop(through position: Int, _ reason: String) {
        let count = position - inbox.front
        session.log.drop(
            count,
            following: inbox.count - count
                + (session.filter.map { self === session.feed ? $0.incoming.inbox.count : 0 } ?? 0), reason)
        consume(through: position)
    }

    /// Forgets everything that is unread; later failures show it with the reason, if there is one.
    package func drain(_ reason: String? = nil) {
        if self === session.feed { session.filter?.dropPart(reason) }
        if let reason { drop(through: inbox.end, reason) }
        consume(through: inbox.end)
        while inbox.messageEnds?.isEmpty == false { consumeMessage() }
    }

    /// Consumes what a matcher has found.
    package func consume(_ match: Match) {
        if match.takesEnd { session.hasToldEnd = true }
        if match.takesMessage, match.end == inbox.front {
            consumeMessage()
        } else {
            consume(through: match.end)
        }
    }
}
