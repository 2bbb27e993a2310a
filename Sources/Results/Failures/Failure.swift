import Script

/// A failure that stops a script: a status, a message, and the details needed to understand the cause.
package struct Failure: Error {
    /// The exit statuses listed in muxsh(1).
    package enum Status: Int32, Sendable {
        case usage = 1
        case script = 2
        case connection = 3
        case expectation = 4
        /// `skip`: not a failure, but nothing after it runs.
        case skipped = 77
        case hangup = 129
        case interrupted = 130
        case terminated = 143
    }

    package let status: Status
    /// The failure in one line.
    package let message: String
    /// The details below the source line: expected data, received data.
    package var details: [Detail] = []
    /// The last exchanges, if a session is involved.
    package var exchanges: Exchanges?
    /// The sessions whose state it reports: when the failure is reported, the end of their connections is reported too.
    package var reportedEnds: [String] = []
    /// The sessions for which it reports that sent data was refused.
    package var reportedRefusals: [String] = []
    /// The session to which nothing could be sent, because its connection is closed.
    package var closedSession: String?
    /// The text as it is shown, for the error of a statement that cannot run; nil for all others.
    package private(set) var rendered: String?
    /// How the position was reached, innermost first: calls, files, strands, the test. Set by the scheduler.
    package var trace: [String]?
    /// The position in the script; set by the scheduler if the failing instruction did not set it.
    package var range: SourceRange?

    /// One detail of a failure.
    package enum Detail {
        case text(String)
        case mismatch(Mismatch)
        case comparison(Comparison)
        case excerpt(Excerpt)
        case program(DeadProgram)
    }

    /// Adds a failed program as a possible cause; each program is reported only once.
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

    /// The failure of a statement that cannot run.
    package init(_ error: ScriptError) {
        self.init(.script, error.message, range: error.range)
        rendered = error.rendered
    }

    /// The first line of the message, for `${error}` and reports.
    package var firstLine: String {
        String(message.split(separator: "\n", omittingEmptySubsequences: false).first ?? "")
    }

    /// Whether the range is only part of its statement, so that carets are more useful than the line alone.
    package var pointsAtArgument: Bool {
        guard let range, details.isEmpty, exchanges?.entries.isEmpty != false else { return false }
        let statement = range.lineText.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return range.columns.count < statement.count
    }
}

/// Returns text that may contain any bytes as one readable line.
package func visible(_ text: String) -> String {
    Escapes.visible(text.losslessBytes)
}

/// Returns a duration as shown in failures and notes: `0.3 ms`, `2.0 s`, `1.5 min`.
package func shown(_ duration: Duration) -> String {
    let seconds = duration.inSeconds
    return seconds < 1
        ? "\(fixed(seconds * 1000, digits: 1)) ms"
        : seconds < 100 ? "\(fixed(seconds, digits: 1)) s" : "\(fixed(seconds / 60, digits: 1)) min"
}

/// Returns `value`, which must not be negative, with a fixed number of digits after the decimal point.
package func fixed(_ value: Double, digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let whole = Int((min(value, 1e15) * scale).rounded())
    let fraction = String(whole % Int(scale))
    let zeros = String(repeating: "0", count: max(0, digits - fraction.count))
    return "\(whole / Int(scale))" + (digits > 0 ? ".\(zeros)\(fraction)" : "")
}

/// Returns a number of bytes in a readable unit: `17 bytes`, `1.0 MiB`.
package func shown(bytes count: Int) -> String {
    switch count {
    case 1: "1 byte"
    case ..<4096: "\(count) bytes"
    case ..<1_048_576: "\(fixed(Double(count) / 1024, digits: 1)) KiB"
    case ..<(1 << 30): "\(fixed(Double(count) / 1_048_576, digits: 1)) MiB"
    default: "\(fixed(Double(count) / 1_073_741_824, digits: 1)) GiB"
    }
}
