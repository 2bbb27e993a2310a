/// What a failure shows of a session: what has arrived since the last send, what of it is unread, and the state.
package struct Excerpt {
    /// One line, or one message.
    package struct Line {
        package let bytes: [UInt8]
        /// No newline has come after it.
        package let isPart: Bool
        package let disposition: Disposition

        package init(_ bytes: [UInt8], isPart: Bool = false, _ disposition: Disposition = .unread) {
            self.bytes = bytes
            self.isPart = isPart
            self.disposition = disposition
        }
    }

    /// What has become of a line.
    package enum Disposition: Equatable {
        case unread
        /// The script cannot read it yet: a trigger may want the whole line, or answers the one before it.
        case held
        case consumed
        /// A trigger has answered it.
        case taken
        /// Forgotten, in words: "dropped after the failed test".
        case dropped(String)
    }

    package let session: String
    /// The last send, if anything was sent, and the line of the script it stands in.
    package let lastSend: (hasSent: Bool, line: Int?)
    /// What arrived since then, oldest first.
    package let lines: [Line]
    /// More had arrived before the first of `lines`, and was not kept.
    package let isCut: Bool
    /// What is unread and had arrived before the last send: the front of it, and how many lines there are.
    package let earlier: (lines: [Line], count: Int)
    /// The state of the connection, in words.
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
        /// Exactly these bytes, or a line of them.
        case text([UInt8], isPart: Bool)
        /// A regex, as it was written.
        case pattern(String)
        /// Bytes, as the script gave them in hexadecimal.
        case hex([UInt8])
    }

    package let session: String
    package let expected: Expected
    package let arrived: [UInt8]
    /// No newline has come after `arrived`.
    package let isPart: Bool
    /// What to do about it.
    package var hints: [String] = []
    /// The lines that follow it, unread, and how many there are.
    package var following: (lines: [Excerpt.Line], count: Int) = ([], 0)
    /// The line of the last send, when what differs had arrived before that.
    package var arrivedBeforeSend: (line: Int?, Bool) = (nil, false)
    /// The state of the connection, in words.
    package var state = ""

    package init(session: String, expected: Expected, arrived: [UInt8], isPart: Bool) {
        self.session = session
        self.expected = expected
        self.arrived = arrived
        self.isPart = isPart
    }
}

/// The last things said in a session, with their times.
package struct Exchanges {
    /// One send, or the bytes of one read.
    package struct Entry {
        /// Since the first of them.
        package let time: Duration
        package let isSend: Bool
        /// Of a long one, the front of a send and the end of what arrived.
        package let bytes: [UInt8]
        /// How many bytes there were.
        package let count: Int
        /// What arrived right before and after it: a secret may have come in several reads.
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
    /// How it has ended, in words.
    package let ending: String
    /// The last line that it said, or nil.
    package let lastLine: [UInt8]?

    package init(name: String, ending: String, lastLine: [UInt8]?) {
        self.name = name
        self.ending = ending
        self.lastLine = lastLine
    }
}
