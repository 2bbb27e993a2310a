import Reactor
import Script
import Wire

/// What the interpreter is told of a conversation.
protocol ConversationObserver: AnyObject {
    /// Something happened that a wait may be about: bytes, an end, room to send.
    func conversationChanged(_ conversation: Conversation)
}

/// A session under its name in a script: the wire's session with what the language and the transcript know of it.
package final class Conversation: SessionDelegate {
    package let name: String
    /// The address as it was written.
    package let address: String
    package let session: Session
    /// When it was opened.
    package let openedAt: Instant
    /// Sent after a line.
    package var lineEnding: LineEnding
    /// The limit of a wait here that names none, or nil for the script's.
    package var timeout: Duration?
    /// Received bytes of a line that the transcript has not shown yet.
    var unshown: [UInt8] = []
    /// The transcript has shown a part of the line that is still arriving.
    var hasShownPart = false
    /// The colour of its name (ECMA-48 SGR).
    let color: Int
    /// The strand that waits for this session; a second one is an error.
    weak var waiter: Strand?
    /// Whether anything was sent, and whether anything has arrived since.
    private(set) var hasSent = false
    private(set) var hasArrivedSinceSend = false
    /// Complete lines received and sent.
    package private(set) var linesReceived = 0
    package private(set) var linesSent = 0
    /// The last received byte before the inbox's front was a line's end, or there was none.
    private(set) var frontBeginsLine = true
    /// The last consumed byte was a carriage return: whether a line begins here depends on what follows.
    private(set) var frontFollowsReturn = false
    private(set) var log = ExchangeLog()

    private var hasNotedDrop = false
    private let transcript: Transcript
    private let loop: EventLoop
    private weak var observer: (any ConversationObserver)?

    init(
        name: String, address: String, session: Session, lineEnding: LineEnding, color: Int, transcript: Transcript,
        observer: any ConversationObserver, on loop: EventLoop
    ) {
        self.name = name
        self.address = address
        self.session = session
        self.lineEnding = lineEnding
        self.color = color
        self.transcript = transcript
        self.observer = observer
        self.loop = loop
        openedAt = loop.readClock()
        session.delegate = self
    }

    /// Whether the peer has ended its side, in whatever way.
    package var inputHasEnded: Bool { session.input != .open }

    /// Sends `bytes` and shows them; `line` is the script's, for failures.
    func send(_ bytes: [UInt8], line: Int?) throws(Failure) {
        guard session.output == .open else {
            throw Failure(.connection, "\(name): cannot send: \(outputState)")
        }
        bytes.withUnsafeBytes { buffer in
            transcript.sent(buffer, by: self)
            log.sent(buffer, at: loop.readClock(), line: line)
            for byte in buffer where byte == UInt8(ascii: "\n") { linesSent += 1 }
            session.send(buffer)
        }
        hasSent = true
        hasArrivedSinceSend = false
        if case .failed = session.output { throw Failure(.connection, "\(name): cannot send: \(outputState)") }
    }

    /// Ends our side.
    func endOutput() throws(Failure) {
        guard session.output == .open else {
            throw Failure(.connection, "\(name): cannot end our side: \(outputState)")
        }
        transcript.ended(self, arrow: ">|")
        session.endOutput()
    }

    /// Consumes through `position` of the inbox; a part of a line that is consumed is shown.
    func consume(through position: Int) {
        let inbox = session.inbox
        guard position > inbox.front else { return }
        let last = inbox.bytes[position - inbox.front - 1]
        frontBeginsLine = last == UInt8(ascii: "\n")
        frontFollowsReturn = last == UInt8(ascii: "\r")
        session.consume(through: position)
        if !unshown.isEmpty, position > inbox.end - unshown.count { transcript.showPart(of: self) }
    }

    package func session(_ session: Session, received bytes: UnsafeRawBufferPointer) {
        hasArrivedSinceSend = true
        log.received(bytes, at: loop.now)
        for byte in bytes where byte == UInt8(ascii: "\n") { linesReceived += 1 }
        transcript.received(bytes, by: self)
        observer?.conversationChanged(self)
    }

    package func sessionInputEnded(_ session: Session) {
        hasArrivedSinceSend = true
        switch session.input {
        case .ended: transcript.ended(self, arrow: "<|")
        case .failed(let error):
            transcript.showPart(of: self)
            transcript.note("\(name): \(words(for: error))")
        case .open, .reset, .closed: transcript.ended(self, arrow: "<| reset")
        }
        observer?.conversationChanged(self)
    }

    package func sessionOutputAdvanced(_ session: Session) {
        observer?.conversationChanged(self)
    }

    package func sessionOutputFailed(_ session: Session) {
        observer?.conversationChanged(self)
    }

    package func session(_ session: Session, dropped count: Int) {
        guard !hasNotedDrop else { return }
        hasNotedDrop = true
        transcript.note("\(name): the inbox is full; the oldest unread data is dropped from here on")
    }

    /// The state of our direction in words.
    package var outputState: String {
        switch session.output {
        case .open: "open"
        case .ending, .ended: "our side has ended (half-closed)"
        case .failed(let error): words(for: error)
        case .closed: "the session is closed"
        }
    }

    /// The state of the peer's direction in words.
    package var inputState: String {
        switch session.input {
        case .open: "still open"
        case .ended: "closed by the peer"
        case .reset: "reset by the peer"
        case .failed(let error): words(for: error)
        case .closed: "closed by us"
        }
    }
}
