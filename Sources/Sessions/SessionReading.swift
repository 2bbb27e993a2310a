import Wire

/// What is unread in a session, and who can read it.
extension Session {
    /// Whether something has arrived that readers of `feed` cannot see yet.
    func withholds(from feed: Feed) -> Bool { feed === self.feed && filter?.withholds == true }

    /// The same, because a block is running.
    func withholdsForBlock(from feed: Feed) -> Bool { feed === self.feed && filter?.withholdsForBlock == true }

    /// How many bytes have arrived that readers of `feed` cannot see yet.
    func withheldCount(from feed: Feed) -> Int {
        feed === self.feed ? filter.map { $0.incoming.inbox.count + $0.lentCount } ?? 0 : 0
    }

    /// Whether what lies before `position` has a part of a line in it that the transcript has not shown.
    func isUnshown(_ position: Int, of feed: Feed) -> Bool {
        guard voice.unshownCount > 0 else { return false }
        let isLast = filter.map { feed === $0.incoming || $0.incoming.inbox.isEmpty } ?? true
        return isLast && position > feed.inbox.end - voice.unshownCount
    }

    /// A reader of `feed` has consumed something: there is room for more. A part of a line that was consumed is shown.
    func consumed(from feed: Feed, isPart: Bool) {
        if filter != nil, feed === self.feed { channel.heldElsewhere = feed.inbox.count }
        channel.inboxShrank()
        if isPart { voice.showPart() }
    }

    /// A trigger takes the line that ends at `position`: failures show it as answered.
    func lineWasTaken(through position: Int, of inbox: Inbox) {
        log.take(position - inbox.front, following: inbox.end - position)
    }

    /// Whether triggers look at its lines.
    package var hasTriggers: Bool { filter.map { !$0.judge.isIdle } ?? false }
    /// Whether a trigger is answering a line of it.
    package var isAnswering: Bool { filter?.isAnswering ?? false }

    /// No statement will read it any more: what is unread goes, and what comes besides lines for triggers.
    package func discardPermanently() {
        feed.drain()
        guard let filter, !filter.discards else { return }
        filter.discards = true
        filter.sift()
    }

    /// How many bytes are unread, whoever could read them.
    package var unreadCount: Int { feed.inbox.count + (filter?.incoming.inbox.count ?? 0) }

    /// Wakes those who wait for anything here.
    package func wakeAll() {
        feed.waiters.wakeAll()
        filter?.incoming.waiters.wakeAll()
        waiters.wakeAll()
    }

    /// Reads what is unread, and what comes, with another framing.
    package func setFraming(_ framing: Framing) {
        if let filter { filter.incoming.restart(with: feed.inbox.cut(from: feed.inbox.front), older: 0) }
        channel.setFraming(framing)
        if filter != nil { feed.inbox.setMessages(framing != .line, feedEndsMessage: framing == .datagram) }
        filter?.sift()
    }
}
