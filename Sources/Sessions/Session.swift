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
    package private(set) var lineEnding: LineEnding {
        didSet { voice.ending = lineEnding.bytes }
    }
    /// Whether the line ending adapts to telnet options, because none was chosen.
    private var followsTelnet: Bool
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
    /// The rows of the program's screen with secrets hidden, and as a picture for people; nil without a screen.
    package var screenLines: [String]? { screen?.lines(hiding: transcript.secretRanges) }
    package var screenPicture: [String]? { screenLines.flatMap { screen?.picture($0) } }
    /// Why the program has no screen, as text.
    package var screenProblem: String {
        channel.kind == .terminal
            ? "its terminal is too large to keep the screen (limit \(ProgramScreen.mostCells) cells)"
            : "there is no screen: spawn the program with --pty"
    }
    /// Gets what arrives as it is: the terminal that the session has, or nil.
    package var tap: ((UnsafeRawBufferPointer) -> Void)?
    /// When data last arrived and was last sent.
    private var receivedAt: Instant?
    private var sentAt: Instant?
    private var lineSentAt: Instant?
    /// The client's address that a proxy has reported (PROXY protocol), or nil.
    package var source: String?
    /// Whether the script has waited for the program to end in a certain way.
    package var isEndAwaited = false
    /// Whether a failure has reported how the connection ended.
    package var hasReportedEnd = false
    /// Whether anything was sent, and whether anything has arrived since.
    package private(set) var hasSent = false
    package private(set) var hasArrivedSinceSend = false
    /// Complete lines received and sent.
    package private(set) var linesReceived = 0
    package private(set) var linesSent = 0
    var log = ExchangeLog()

    private var siftTimer: Timer?
    private var promptTimer: Timer?
    private var hasNotedDrop = false
    private var hasNotedFull = false
    private var hasNotedEnding = false
    private let transcript: Transcript
    private let loop: EventLoop
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

    /// Whether the peer asks for a password and waits: what answers it should not be seen.
    package var asksForPassword: Bool {
        guard hasBegunLine, let last = log.entries.last else { return false }
        let line = last.bytes.suffix(from: (last.bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1)
        let text = String(decoding: line.suffix(80), as: UTF8.self).lowercased()
        let end = text.last { $0 != " " }
        return (end == ":" || end == "?" || end == ">")
            && ["password", "passphrase", "passcode", "passwort", "pin"].contains { text.contains($0) }
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

    /// When the next line may be sent, if lines have a pace.
    package var readyAt: Instant? {
        guard let pace, let lineSentAt else { return nil }
        return lineSentAt + pace
    }

    /// Sends a text as a line: with the session's line ending, or as a frame. `line` is the script line, for failures.
    package func send(line text: [UInt8], at line: Int?) throws(Failure) {
        if followsTelnet { lineEnding = channel.linesEndWithReturn ? .cr : .crlf }
        if pace != nil { lineSentAt = loop.readClock() }
        guard let format = framing.format else { return try send(text + lineEnding.bytes, line: line) }
        try requireFit(text.count)
        try send(format.encoded(text), line: line, shown: text)
    }

    /// Chooses the line ending.
    package func setLineEnding(_ lineEnding: LineEnding) {
        followsTelnet = false
        self.lineEnding = lineEnding
    }

    /// Throws if a message of `count` bytes is too long for the session.
    package func requireFit(_ count: Int) throws(Failure) {
        guard count > framing.longest else { return }
        let frame = !framing.hasEnd ? "a datagram" : "a \(framing.name) frame"
        throw Failure(
            .connection,
            "\(name): cannot send: \(count) bytes do not fit into \(frame) (limit \(framing.longest))")
    }

    /// Sends `bytes` and shows them, or the text that they frame; `line` is the script line, for failures.
    package func send(_ bytes: [UInt8], line: Int?, shown text: [UInt8]? = nil) throws(Failure) {
        try admit(bytes)
        (text ?? bytes).withUnsafeBytes { buffer in
            if text != nil {
                voice.message(buffer, arrow: "> ")
            } else if framing.format != nil {
                // Not a frame: after an arrow it would be sent as one.
                transcript.statement("send \(name) --raw \(quotedArgument(String(lossless: bytes)))")
                transcript.report(sent: buffer, of: name)
            } else {
                voice.sent(buffer)
            }
            linesSent += framing == .line ? buffer.lineFeeds : 1
            log.sent(buffer, at: loop.readClock(), line: line)
        }
        try transmit(admitted: bytes)
    }

    /// Sends a whole message of a kind (WebSocket).
    package func send(message: [UInt8], as kind: MessageKind, line: Int?) throws(Failure) {
        guard framing == .message else {
            throw Failure(.connection, "\(name): cannot send: only a WebSocket has text and binary messages")
        }
        let isUTF8 = String(validating: message, as: UTF8.self) != nil
        guard kind == .binary || isUTF8 else {
            throw Failure(
                .connection, "\(name): cannot send: the text is not UTF-8", details: ["to send any bytes: --binary"])
        }
        try admit(message)
        message.withUnsafeBytes { buffer in
            if kind == .binary && isUTF8 {
                // After an arrow it would be sent as a text.
                transcript.statement("send \(name) --binary \(quotedArgument(String(lossless: message)))")
                transcript.report(sent: buffer, of: name)
            } else {
                voice.sent(buffer)
            }
            linesSent += 1
            log.sent(buffer, at: loop.readClock(), line: line)
        }
        try transmit(admitted: message, as: kind)
    }

    /// Sends bytes that the transcript shows in another way.
    package func transmit(_ bytes: [UInt8], as kind: MessageKind? = nil) throws(Failure) {
        try admit(bytes)
        bytes.withUnsafeBytes { transcript.report(sent: $0, of: name) }
        try transmit(admitted: bytes, as: kind)
    }

    /// Passes on the size of the terminal that the session has.
    package func setTerminalSize(rows: Int, columns: Int) {
        screen?.resize(rows: rows, columns: columns)
        channel.setTerminalSize(rows: rows, columns: columns)
    }

    /// Whether the peer writes to a terminal.
    package var hasTerminalPeer: Bool { channel.kind == .terminal || channel.kind == .telnet }

    /// Returns what keys send: to a peer that has no terminal, Enter sends the session's line ending.
    package func typed(_ keys: [UInt8]) -> [UInt8] {
        guard !hasTerminalPeer else { return keys }
        return keys.flatMap { $0 == UInt8(ascii: "\r") ? lineEnding.bytes : [$0] }
    }

    /// Presses keys on the terminal of the program.
    package func press(_ keys: [TerminalKey]) throws(Failure) {
        guard let screen else {
            throw Failure(.connection, "\(name): \(screenProblem)")
        }
        for key in keys { screen.press(key) }
        try transmit(screen.takeOutgoing())
    }

    /// Sends what belongs to the protocol and not to its data.
    package func send(_ control: LayerControl) throws(Failure) {
        try requireOpenOutput()
        if let problem = channel.control(control) {
            throw Failure(.connection, "\(name): cannot send: \(problem)")
        }
        try requireWorkingOutput()
    }

    /// Throws if the peer cannot receive `bytes` as they are.
    private func admit(_ bytes: [UInt8]) throws(Failure) {
        try requireOpenOutput()
        if framing.keepsMessages { try requireFit(bytes.count) }
        if let problem = bytes.withUnsafeBytes({ channel.admit($0) }) {
            throw Failure(.connection, "\(name): cannot send: \(problem)")
        }
    }

    private func transmit(admitted bytes: [UInt8], as kind: MessageKind? = nil) throws(Failure) {
        bytes.withUnsafeBytes { channel.send($0, as: kind) }
        hasSent = true
        sentAt = loop.now
        hasArrivedSinceSend = false
        markSend()
        try requireWorkingOutput()
    }

    /// Marks the unread data as having arrived before this send.
    private func markSend() {
        feed.sendMark = feed.inbox.end
        filter?.incoming.sendMark = filter?.incoming.inbox.end ?? 0
    }

    /// Sends bytes relayed from another session; the caller shows them in the transcript.
    func relay(_ bytes: UnsafeRawBufferPointer) {
        log.sent(bytes, at: loop.now, line: nil)
        markSend()
        linesSent += framing == .line ? bytes.lineFeeds : 1
        channel.send(bytes)
        hasSent = true
        hasArrivedSinceSend = false
    }

    /// Throws if a write has failed; an output that we have ended is not an error.
    package func requireWorkingOutput() throws(Failure) {
        guard case .failed = channel.output else { return }
        var failure = Failure(.connection, "\(name): cannot send: \(outputState)")
        failure.closedSession = name
        failure.reportedEnds = [name]
        throw failure
    }

    private func requireOpenOutput() throws(Failure) {
        try requireWorkingOutput()
        guard channel.output == .open else { throw Failure(.connection, "\(name): cannot send: \(outputState)") }
    }

    /// Ends our side (half-close); a WebSocket with a code, if one is given.
    package func endOutput(as closing: Closing? = nil) throws(Failure) {
        guard framing.hasEnd else {
            throw Failure(.connection, "\(name): cannot end our side: UDP has no end of stream; write: close \(name)")
        }
        guard channel.output == .open else {
            throw Failure(.connection, "\(name): cannot end our side: \(outputState)")
        }
        voice.ended(arrow: ">|")
        // Queued data is sent before the code; without room the code is the usual one.
        if let closing, let code = closing.code, channel.bytesWaiting == 0, framing == .message {
            _ = channel.control(.close(code: code, reason: closing.reason))
        }
        channel.endOutput()
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

    /// Draws what the program has written, and answers what it asks its terminal.
    private func show(_ bytes: UnsafeRawBufferPointer, on screen: ProgramScreen) {
        screen.receive(bytes)
        let answers = screen.takeOutgoing()
        // The terminal that the session has answers itself.
        guard tap == nil else { return }
        if !answers.isEmpty { answers.withUnsafeBytes { channel.send($0) } }
    }

    /// Lets the oldest unread data go instead of pausing the program: its screen is what counts.
    func dropsOldest() {
        guard channel.overflow != .dropOldest else { return }
        hasNotedDrop = true
        channel.overflow = .dropOldest
        channel.inboxShrank()
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
