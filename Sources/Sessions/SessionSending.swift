import Reactor
import Results
import Script
import Wire

/// What a session sends.
extension Session {
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
        noteSend()
        try requireWorkingOutput()
    }

    /// Notes a send, which an answer may follow: the unread data has arrived before it.
    private func noteSend() {
        hasSent = true
        sentAt = loop.now
        hasArrivedSinceSend = false
        feed.sendMark = feed.inbox.end
        filter?.incoming.sendMark = filter?.incoming.inbox.end ?? 0
    }

    /// Sends bytes relayed from another session; the caller shows them in the transcript.
    func relay(_ bytes: UnsafeRawBufferPointer) {
        log.sent(bytes, at: loop.now, line: nil)
        noteSend()
        linesSent += framing == .line ? bytes.lineFeeds : 1
        channel.send(bytes)
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
}
