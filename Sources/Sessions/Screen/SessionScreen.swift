import Results
import Wire

/// A session whose peer writes to a terminal: its screen, its keys and its size.
extension Session {
    /// The rows of the program's screen with secrets hidden, and as a picture for people; nil without a screen.
    package var screenLines: [String]? { screen?.lines(hiding: transcript.secretRanges) }
    package var screenPicture: [String]? { screenLines.flatMap { screen?.picture($0) } }
    /// Why the program has no screen, as text.
    package var screenProblem: String {
        channel.kind == .terminal
            ? "its terminal is too large to keep the screen (limit \(ProgramScreen.mostCells) cells)"
            : "there is no screen: spawn the program with --pty"
    }
    /// Whether the peer asks for a password and waits, by its prompt or by telnet's ECHO: what answers it should not be
    /// seen.
    package var asksForPassword: Bool {
        if channel.hidesTyping { return true }
        guard hasBegunLine else { return false }
        // It may have come in pieces, and in color.
        var line: [UInt8] = []
        for entry in log.entries.reversed() {
            guard !entry.isSend, line.count < 512 else { break }
            let start = entry.bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 }
            line = Array(entry.bytes.suffix(from: start ?? 0)) + line
            if start != nil { break }
        }
        let text = String(decoding: ControlSequences.removed(from: line).suffix(80), as: UTF8.self).lowercased()
        let end = text.last { $0 != " " }
        return (end == ":" || end == "?" || end == ">")
            && ["password", "passphrase", "passcode", "passwort", "pin"].contains { text.includes($0) }
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

    /// Draws what the program has written, and answers what it asks its terminal.
    func show(_ bytes: UnsafeRawBufferPointer, on screen: ProgramScreen) {
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
}
