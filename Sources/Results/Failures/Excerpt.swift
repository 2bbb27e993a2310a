/// An excerpt of a session for a failure: the data received since the last send, which of it is unread, and the state.
package struct Excerpt {
    /// One line or one message.
    package struct Line {
        package let bytes: [UInt8]
        /// Whether no newline has followed it yet.
        package let isPart: Bool
        package let disposition: Disposition

        package init(_ bytes: [UInt8], isPart: Bool = false, _ disposition: Disposition = .unread) {
            self.bytes = bytes
            self.isPart = isPart
            self.disposition = disposition
        }
    }

    /// What happened to a line.
    package enum Disposition: Equatable {
        case unread
        /// The script cannot read it yet: a trigger may need the whole line, or is answering the previous line.
        case held
        case consumed
        /// A trigger has answered it.
        case taken
        /// Discarded, with a remark: "dropped after the failed test".
        case dropped(String)
    }

    package let session: String
    /// Whether anything was sent, and the script line of the last send.
    package let lastSend: (hasSent: Bool, line: Int?)
    /// The lines that arrived since then, oldest first.
    package let lines: [Line]
    /// Whether more data arrived before the first of `lines` and was not kept.
    package let isCut: Bool
    /// The unread lines that arrived before the last send: the first of them, and the number of all of them.
    package let earlier: (lines: [Line], count: Int)
    /// The state of the connection, as text.
    package let state: String

    package init(
        session: String, lastSend: (hasSent: Bool, line: Int?), lines: [Line], isCut: Bool,
        earlier: (lines: [Line], count: Int), state: String
    ) {
        self.session = session
        self.lastSend = lastSend
        self.lines = lines
        self.isCut = isCut
        self.earlier = earlier
        self.state = state
    }
}

/// How the first unread line differs from what was expected.
package struct Mismatch {
    /// What was expected.
    package enum Expected {
        /// Exactly these bytes, as a whole line or part of one.
        case text([UInt8], isPart: Bool)
        /// A regex, as written.
        case pattern(String)
        /// Bytes that the script specified in hexadecimal.
        case hex([UInt8])
    }

    package let session: String
    package let expected: Expected
    package let arrived: [UInt8]
    /// Whether no newline has followed `arrived` yet.
    package let isPart: Bool
    /// Suggestions for the user.
    package var hints: [String] = []
    /// The unread lines that follow it: the first of them, and the number of all of them.
    package var following: (lines: [Excerpt.Line], count: Int) = ([], 0)
    /// The script line of the last send, and whether the mismatched line arrived before it.
    package var arrivedBeforeSend: (line: Int?, Bool) = (nil, false)
    /// The state of the connection, as text.
    package var state = ""

    package init(session: String, expected: Expected, arrived: [UInt8], isPart: Bool) {
        self.session = session
        self.expected = expected
        self.arrived = arrived
        self.isPart = isPart
    }
}

/// The last data sent and received in a session, with times.
package struct Exchanges {
    /// One send, or the bytes of one read.
    package struct Entry {
        /// The time since the first entry.
        package let time: Duration
        package let isSend: Bool
        /// The bytes; if there are many, the beginning of sent data or the end of received data.
        package let bytes: [UInt8]
        /// The total number of bytes.
        package let count: Int
        /// The data received directly before and after it, because a secret may arrive in several reads.
        package let around: (before: [UInt8], after: [UInt8])

        package init(
            time: Duration, isSend: Bool, bytes: [UInt8], count: Int, around: (before: [UInt8], after: [UInt8])
        ) {
            self.time = time
            self.isSend = isSend
            self.bytes = bytes
            self.count = count
            self.around = around
        }
    }

    package let session: String
    /// Whether line feeds end lines; otherwise each entry is a message.
    package let isStream: Bool
    package let entries: [Entry]

    package init(session: String, isStream: Bool, entries: [Entry]) {
        self.session = session
        self.isStream = isStream
        self.entries = entries
    }
}

/// A program that has failed.
package struct DeadProgram: Equatable {
    package let name: String
    /// How it ended, as text.
    package let ending: String
    /// The last line of its output, or nil.
    package let lastLine: [UInt8]?

    package init(name: String, ending: String, lastLine: [UInt8]?) {
        self.name = name
        self.ending = ending
        self.lastLine = lastLine
    }
}
