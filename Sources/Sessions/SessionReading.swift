import Wire

/// The unread data of a session, and who can read it.
extension Session {
    /// Whether data has arrived that readers of `feed` cannot see yet.
    func withholds(from feed: Feed) -> Bool { feed === self.feed && filter?.withholds == true }

    /// Whether data is withheld from readers of `feed` because a block is running.
    func withholdsForBlock(from feed: Feed) -> Bool { feed === self.feed && filter?.withholdsForBlock == true }

    /// The number of received bytes that readers of `feed` cannot see yet.
    func withheldCount(from feed: Feed) -> Int {
        feed === self.feed ? filter.map { $0.incoming.inbox.count + $0.lentCount } ?? 0 : 0
    }

    /// Whether the data before `position` contains a part of a line that the transcript has not shown.
    func isUnshown(_ position: Int, of feed: Feed) -> Bool {
        guard voice.unshownCount > 0 else { return false }
        let isLast = filter.map { feed === $0.incoming || $0.incoming.inbox.isEmpty } ?? true
        return isLast && position > feed.inbox.end - voice.unshownCount
    }

    /// Makes room for more data after a reader of `feed` has consumed something. Shows a consumed part of a line.
    func consumed(from feed: Feed, isPart: Bool) {
        if filter != nil, feed === self.feed { channel.heldElsewhere = feed.inbox.count }
        channel.inboxShrank()
        if let sender = feed.inbox.lastSender { channel.recipient = sender }
        if isPart { voice.showPart() }
    }

    /// Records that a trigger takes the line that ends at `position`: failures show it as answered.
    func lineWasTaken(through position: Int, of inbox: Inbox) {
        log.take(position - inbox.front, following: inbox.end - position)
        if let sender = inbox.nextSender { channel.recipient = sender }
    }

    /// Whether triggers apply to its lines.
    package var hasTriggers: Bool { filter.map { !$0.judge.isIdle } ?? false }
    /// Whether a trigger is answering one of its lines.
    package var isAnswering: Bool { filter?.isAnswering ?? false }

    /// Discards the unread data and all later data except lines for triggers: no statement will read it any more.
    package func discardPermanently() {
        feed.drain()
        guard let filter, !filter.discards else { return }
        filter.discards = true
        filter.sift()
    }

    /// The number of unread bytes, for all readers together.
    package var unreadCount: Int { feed.inbox.count + (filter?.incoming.inbox.count ?? 0) }

    /// Its number in the recording, and how much of what was received has been read. A message counts one more than
    /// its bytes.
    package var reading: (number: Int, position: Int) {
        let unreadMessages =
            (feed.inbox.messageEnds?.count ?? 0) + (filter?.incoming.inbox.messageEnds?.count ?? 0)
        let position = voice.receivedCount - unreadCount - unreadMessages
        return (voice.number, max(0, position))
    }

    /// Wakes all waiters for this session.
    package func wakeAll() {
        feed.waiters.wakeAll()
        filter?.incoming.waiters.wakeAll()
        waiters.wakeAll()
    }

    /// Applies another framing to unread and later data.
    package func setFraming(_ framing: Framing) {
        if let filter { filter.incoming.restart(with: feed.inbox.cut(from: feed.inbox.front), older: 0) }
        channel.setFraming(framing)
        if filter != nil { feed.inbox.setMessages(framing != .line, feedEndsMessage: framing == .datagram) }
        filter?.sift()
    }
}
