import Script

/// What stops a script: a failure has a status, words, and what a person needs to see why.
package struct Failure: Error {
    /// Exit statuses as muxsh(1) lists them.
    package enum Status: Int32, Sendable {
        case usage = 1
        case script = 2
        case connection = 3
        case expectation = 4
        /// `skip`: no failure, but nothing that follows is run.
        case skipped = 77
        case hangup = 129
        case interrupted = 130
        case terminated = 143
    }

    package let status: Status
    /// What happened, in one line.
    package let message: String
    /// What belongs below the source line: what was wanted, what arrived.
    package var details: [Detail] = []
    /// The last exchanges, when a session has to do with it.
    package var exchanges: Exchanges?
    /// The sessions whose state it tells: how their connections ended is told with it, when somebody gets it.
    package var reportedEnds: [String] = []
    /// The sessions of which it tells that what was sent was refused.
    package var reportedRefusals: [String] = []
    /// The session that could not be sent to because its connection is gone.
    package var closedSession: String?
    /// How the place was reached, innermost first: calls, files, strands, the test; set by the world.
    package var trace: [String]?
    /// The place in the script; set by the world when the failing instruction did not.
    package var range: SourceRange?

    /// One thing that a person needs to see.
    package enum Detail {
        case text(String)
        case mismatch(Mismatch)
        case excerpt(Excerpt)
        case program(DeadProgram)
    }

    /// A program that has failed may be the reason: told once.
    package mutating func add(_ program: DeadProgram) {
        let isReported = details.contains { if case .program(program) = $0 { true } else { false } }
        if !isReported { details.append(.program(program)) }
    }

    package init(_ status: Status, _ message: String, details: [String] = [], range: SourceRange? = nil) {
        self.status = status
        self.message = message
        self.details = details.map { .text($0) }
        self.range = range
    }

    /// Its message as `${error}` and reports have it: one line.
    package var firstLine: String {
        String(message.split(separator: "\n", omittingEmptySubsequences: false).first ?? "")
    }

    /// Whether the place is a part of its statement: then carets say more than the line alone.
    package var pointsAtArgument: Bool {
        guard let range, details.isEmpty, exchanges?.entries.isEmpty != false else { return false }
        let statement = range.lineText.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return range.columns.count < statement.count
    }
}

/// A text that may carry any bytes, in one line for a person.
package func visible(_ text: String) -> String {
    Escapes.visible(text.losslessBytes)
}

/// A duration as failures and notes show it: `0.3 ms`, `2.0 s`, `1.5 min`.
package func shown(_ duration: Duration) -> String {
    let seconds = duration.inSeconds
    return seconds < 1
        ? "\(fixed(seconds * 1000, digits: 1)) ms"
        : seconds < 100 ? "\(fixed(seconds, digits: 1)) s" : "\(fixed(seconds / 60, digits: 1)) min"
}

/// `value`, which is not negative, with a fixed number of digits behind the point.
package func fixed(_ value: Double, digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let whole = Int((min(value, 1e15) * scale).rounded())
    let fraction = String(whole % Int(scale))
    let zeros = String(repeating: "0", count: max(0, digits - fraction.count))
    return "\(whole / Int(scale))" + (digits > 0 ? ".\(zeros)\(fraction)" : "")
}

/// A number of bytes as people read it: `17 bytes`, `1.0 MiB`.
package func shown(bytes count: Int) -> String {
    switch count {
    case 1: "1 byte"
    case ..<4096: "\(count) bytes"
    case ..<1_048_576: "\(fixed(Double(count) / 1024, digits: 1)) KiB"
    case ..<(1 << 30): "\(fixed(Double(count) / 1_048_576, digits: 1)) MiB"
    default: "\(fixed(Double(count) / 1_073_741_824, digits: 1)) GiB"
    }
}
