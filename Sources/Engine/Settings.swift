import Results
import Sessions
import Sockets
import Wire

/// The settings controlled by options and `set`.
package struct Settings {
    /// The default time limit of a wait.
    package var timeout = Duration.seconds(5)
    /// The factor for the time limits of waits, for slow machines.
    package var timeoutScale = 1.0
    /// The maximum silence at the end of input.
    package var linger = Duration.seconds(1)
    /// The line ending of new sessions.
    package var lineEnding = LineEnding.lf
    /// How the bytes of new sessions become lines.
    package var framing = Framing.line
    /// Whether a connection closed without close_notify has ended cleanly (TLS).
    package var cutIsEnd = false
    /// The maximum size of an inbox, in bytes.
    package var inboxLimit = 16 << 20
    /// The maximum silence of a UDP listener's peer that was not accepted.
    package var idle = Duration.seconds(60)
    /// The maximum number of typed lines kept.
    package var historySize = 10_000
    /// The text of the prompt, with its variables; nil for the usual one.
    package var prompt: String?
    /// Whether the transcript also shows commands, skipped data and timing.
    package var isVerbose = false
    /// Whether `set color auto` enables colors: standard output is a terminal that supports them.
    package var autoColor = false
    /// Whether the user is at a prompt. A full inbox then drops its oldest unread data instead of pausing the peer, and
    /// little is read at a time.
    package var isAtPrompt = false

    package init() {}

    /// Returns the line ending of a new session: a message needs none, and a telnet line ends with CR LF (RFC 854).
    package func lineEnding(of kind: TransportKind) -> LineEnding {
        kind.medium.keepsMessages ? .none : kind == .telnet ? .crlf : lineEnding
    }

    /// Returns the framing of a new session; for datagrams, --frame raw selects whole ones.
    package func framing(_ given: Framing?, over medium: Medium) -> Framing {
        switch medium {
        case .stream: given ?? framing
        case .datagrams: given == .raw || given == .rawDatagram ? .rawDatagram : .datagram
        case .messages: .message
        }
    }

    /// Returns `limit` multiplied by the scale.
    package func scaled(_ limit: Duration) -> Duration {
        timeoutScale == 1
            ? limit : .nanoseconds(Int64((Double(limit.nanoseconds) * timeoutScale).clamped(to: 0...3.2e16)))
    }
}

extension Settings {
    /// Returns the options of a session as written in its transcript statement.
    package func options(_ lineEnding: LineEnding?, _ framing: Framing?, of kind: TransportKind) -> [String] {
        let lineEnding = lineEnding ?? self.lineEnding(of: kind)
        let framing = self.framing(framing, over: kind.medium)
        let plainEnding = kind.medium.keepsMessages ? LineEnding.none : kind == .telnet ? .crlf : .lf
        let isPlain = framing == .line || framing == .datagram || framing == .message
        return (lineEnding == plainEnding ? [] : ["--eol", lineEnding.rawValue])
            + (isPlain ? [] : ["--frame", quotedArgument(framing.name)])
    }
}
