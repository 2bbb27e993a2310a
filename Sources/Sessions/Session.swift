import Reactor
import Results
import Script
import Wire

/// Receives the events of a session.
package protocol SessionObserver: AnyObject {
    /// Something happened: bytes, an end, or room to send.
    func sessionChanged(_ session: Session)
    /// There is a problem that has not failed anything yet.
    func session(_ session: Session, warns message: String)
    /// The block that opened the session has ended: close it and record that in the transcript.
    func sessionIsDone(_ session: Session)
}

/// A session under its name in a script: the channel, with the state that the language and the transcript need.
package final class Session: ChannelDelegate {
    package private(set) var name: String
    /// The original name, if `accept` gave another one; both are valid.
    package private(set) var formerName: String?
    /// The listener that accepted it, or nil.
    package let listener: String?
    /// The address as written.
    package let address: String
    package let channel: Channel
    /// The program that the session talks to, or nil.
    package let child: ChildProcess?
    /// The time of opening.
    package let openedAt: Instant
    /// The line ending sent after a line.
    package internal(set) var lineEnding: LineEnding {
        didSet { voice.ending = lineEnding.bytes }
    }
    /// Whether the line ending adapts to telnet options, because none was chosen.
    var followsTelnet: Bool
    /// The default time limit of a wait in this session, or nil for the script's.
    package var timeout: Duration?
    /// The least time between two lines that the script sends, or nil.
    package var pace: Duration?
    /// Shows the session in the transcript.
    package let voice: Voice
    /// The waiters for room to send, or for an end.
    package let waiters: WaitQueue
    /// The data that the script reads.
    package private(set) lazy var feed = Feed(channel.inbox, of: self)
    /// Filters the data before the script reads it; set once a trigger applies to the session.
    package private(set) var filter: LineFilter?
    /// The screen of the program, if it has a pseudo-terminal.
    package let screen: ProgramScreen?
    /// Gets what arrives as it is: the terminal that the session has, or nil.
    package var tap: ((UnsafeRawBufferPointer) -> Void)?
    /// When data last arrived and was last sent.
    private var receivedAt: Instant?
    var sentAt: Instant?
    var lineSentAt: Instant?
    /// The client's address that a proxy has reported (PROXY protocol), or nil.
    package var source: String?
    /// Whether the script has waited for the program to end in a certain way.
    package var isEndAwaited = false
    /// Whether a failure has reported how the connection ended.
    package var hasReportedEnd = false
    /// Whether anything was sent, and whether anything has arrived since.
    package internal(set) var hasSent = false
    package internal(set) var hasArrivedSinceSend = false
    /// How long the last answer took: from the last send to the first data after it.
    package private(set) var latency: Duration?
    /// Complete lines received and sent.
    package private(set) var linesReceived = 0
    package internal(set) var linesSent = 0
    var log = ExchangeLog()

    private var siftTimer: Timer?
    private var promptTimer: Timer?
    var hasNotedDrop = false
    var hasNotedFull = false
    private var hasNotedEnding = false
    let transcript: Transcript
    let loop: EventLoop
    private weak var observer: (any SessionObserver)?

    /// - Parameters:
    ///   - lineEnding: the one that was asked for, or nil.
    ///   - ownEnding: that of its kind of connection.
    package init(
        name: String, address: String, channel: Channel, child: ChildProcess? = nil, lineEnding: LineEnding?,
        ownEnding: LineEnding, screen: ProgramScreen? = nil,
        listener: String? = nil, color: String,
        transcript: Transcript, observer: any SessionObserver, on loop: EventLoop
    ) {
        self.name = name
        waiters = WaitQueue(title: name)
        self.listener = listener
        self.address = address
        self.channel = channel
        self.child = child
        self.screen = screen
        self.lineEnding = lineEnding ?? ownEnding
        followsTelnet = lineEnding == nil && channel.kind == .telnet
        voice = Voice(
            name: name, ending: (lineEnding ?? ownEnding).bytes, keepsMessages: channel.framing.keepsMessages,
            color: color, in: transcript)
        self.transcript = transcript
        self.observer = observer
        self.loop = loop
        openedAt = loop.readClock()
        channel.delegate = self
        child?.onExit = { [weak self] in self?.childEnded() }
    }

    /// Whether the peer's side has ended, in any way.
    package var inputHasEnded: Bool { channel.input != .open }

    /// How its bytes become lines.
    package var framing: Framing { channel.framing }
    /// Whether data has arrived within the last 20 ms.
    var isReceiving: Bool { receivedAt.map { loop.readClock() - $0 < .milliseconds(20) } ?? false }

    /// The time since which the peer has sent nothing.
    package var silentSince: Instant { max(openedAt, receivedAt ?? openedAt) }

    /// The time since which neither side has sent anything.
    package var idleSince: Instant { [openedAt, receivedAt ?? openedAt, sentAt ?? openedAt].max() ?? openedAt }

    /// The last nonempty line received, as far as the log keeps it; nil if there is none.
    package var lastLine: [UInt8]? {
        let said = log.entries.filter { !$0.isSend }.flatMap(\.bytes)
        return SourceText.lines(of: said).last { !$0.isEmpty }
    }

    /// Whether the peer has sent the beginning of a line, but not its end, since our last send.
    package var hasBegunLine: Bool {
        guard framing == .line, let last = log.entries.last, !last.isSend else { return false }
        return last.bytes.last != UInt8(ascii: "\n")
    }

    /// Returns the current time.
    func clock() -> Instant { loop.readClock() }

    /// Lets the filter continue in the next turn of the loop.
    package func siftLater() {
        guard siftTimer == nil else { return }
        siftTimer = loop.schedule(after: .zero) { [weak self] in
            guard let self else { return }
            siftTimer = nil
            filter?.sift()
            changed()
        }
    }

    /// How long nothing arrives after a prompt.
    private static let promptQuiet = Duration.milliseconds(50)

    /// Lets the filter look for a prompt once nothing has arrived for a while.
    func siftWhenQuiet() {
        guard promptTimer == nil else { return }
        let due = (receivedAt ?? loop.now) + Self.promptQuiet
        promptTimer = loop.schedule(at: due) { [weak self] in
            guard let self else { return }
            promptTimer = nil
            guard let receivedAt, receivedAt + Self.promptQuiet > loop.now else {
                filter?.siftPrompt()
                return changed()
            }
            siftWhenQuiet()
        }
    }

    /// Wakes all waiters, which look again, and notifies the observer, after a change that a wait may depend on.
    package func changed() {
        wakeAll()
        observer?.sessionChanged(self)
    }

    /// Whether the script knows the session: it was neither closed by us nor replaced by another of the same name.
    package private(set) var isOpen = true

    /// Closes the connection immediately, for the table that removes the session; wakes all waiters.
    func shut(reset: Bool) {
        isOpen = false
        channel.close(reset: reset)
        wakeAll()
    }

    /// Whether `text` is its current or original name.
    package func isNamed(_ text: String) -> Bool { name == text || formerName == text }

    func rename(_ name: String) {
        formerName = formerName ?? self.name
        self.name = name
        voice.name = name
        waiters.title = name
        feed.waiters.title = name
        filter?.incoming.waiters.title = name
    }

    /// Returns the line filter, and creates it if needed: `judge` sees each whole line before the script can read it.
    package func filter(by judge: any LineJudge) -> LineFilter {
        if let filter { return filter }
        _ = feed
        _ = channel.divertInbox()
        let filter = LineFilter(of: self, passing: feed, judge)
        self.filter = filter
        return filter
    }

    /// Closes the session at the end of the block that opened it.
    package func close() {
        observer?.sessionIsDone(self)
    }

    package func discardUnread(_ reason: String) {
        feed.drain(reason)
    }

    package func channel(_ channel: Channel, received bytes: UnsafeRawBufferPointer) {
        if let sentAt, !hasArrivedSinceSend { latency = loop.now - sentAt }
        hasArrivedSinceSend = true
        receivedAt = loop.now
        if let screen { show(bytes, on: screen) }
        tap?(bytes)
        guard framing != .line else {
            log.received(bytes, at: loop.now)
            linesReceived += bytes.lineFeeds
            return voice.received(bytes)
        }
        log.received(bytes, at: loop.now, isMessage: true)
        linesReceived += 1
        voice.message(bytes, arrow: "< ")
    }

    package func channelInboxGrew(_ channel: Channel) {
        filter?.sift()
        changed()
    }

    package func channelInputEnded(_ channel: Channel) {
        hasArrivedSinceSend = true
        switch channel.input {
        case .ended: voice.ended(arrow: "<|" + (channel.closing?.code.map { " \($0)" } ?? ""))
        case .failed(let error):
            voice.showRest()
            transcript.note("\(name): \(error.message)")
        case .oversized:
            voice.showRest()
            transcript.note("\(name): \(inputState)")
        case .open, .reset, .cut, .closed: voice.ended(arrow: "<| reset")
        }
        if let gap { transcript.note("\(name): \(gap)") }
        noteEnding()
        filter?.sift()
        changed()
    }

    package func channelOutputAdvanced(_ channel: Channel) {
        changed()
    }

    package func channelOutputFailed(_ channel: Channel) {
        changed()
    }

    package func channel(_ channel: Channel, notes note: String) {
        transcript.note("\(name): \(note)")
    }

    package func channelWasRefused(_ channel: Channel) {
        hasArrivedSinceSend = true
        transcript.note("\(name): \(refusal ?? "refused")")
        changed()
    }

    /// Returns the refusal and clears it.
    package func takeRefusal() -> String? {
        defer { channel.refusal = nil }
        return refusal
    }

    /// Returns, once, why sent data may have been lost, unless an expectation has already reported it: a refused
    /// datagram, or a failed connection. A reset is the peer's way to end, and a failure only where an expectation
    /// meets it.
    package func takeLoss() -> String? {
        if let refusal = takeRefusal() { return "not delivered: \(refusal)" }
        guard !hasReportedEnd else { return nil }
        switch channel.input {
        case .failed(let failure):
            hasReportedEnd = true
            return failure.message
        case .oversized:
            hasReportedEnd = true
            return inputState
        case .open, .ended, .reset, .cut, .closed: return nil
        }
    }

    package func channel(_ channel: Channel, mustDrop count: Int) {
        let ofFeed = min(count, feed.inbox.count)
        feed.consume(through: feed.inbox.front + ofFeed)
        if let incoming = filter?.incoming {
            incoming.consume(through: incoming.inbox.front + min(count - ofFeed, incoming.inbox.count))
        }
        noteDrop()
    }

    private func childEnded() {
        if inputHasEnded { noteEnding() }
        changed()
    }

    /// Notes once in the transcript how the program ended: after all its output, unless asked for earlier.
    package func noteEnding() {
        guard !hasNotedEnding, let ending = child?.ending else { return }
        hasNotedEnding = true
        voice.showPart()
        transcript.note("\(name): \(ending.description)")
    }

    /// Notes in the transcript that its answer no longer reaches the peer.
    package func noteLoss() {
        transcript.note("\(name): the peer left before it was answered: \(outputState)")
    }

    /// Notes once in the transcript that unread data is lost.
    func noteDrop() {
        guard !hasNotedDrop else { return }
        hasNotedDrop = true
        transcript.note("\(name): inbox full; the oldest unread data is dropped from now on")
    }

    /// Warns once that the inbox is full and not being read.
    package func noteFull(_ message: String) {
        guard !hasNotedFull else { return }
        hasNotedFull = true
        observer?.session(self, warns: message)
    }
}
