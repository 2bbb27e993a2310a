import Sessions
import Wire

/// What options and `set` govern.
package struct Settings {
    /// The limit of a wait that names none.
    package var timeout = Duration.seconds(5)
    /// Multiplies the limits of waits, for slow machines.
    package var timeoutScale = 1.0
    /// How long silence may last at the end of input.
    package var linger = Duration.seconds(1)
    /// The line ending of new sessions.
    package var lineEnding = LineEnding.lf
    /// How the bytes of new sessions become lines.
    package var framing = Framing.line
    /// A connection that is closed without close_notify has ended in order (TLS).
    package var cutIsEnd = false
    /// The most an inbox holds, in bytes.
    package var inboxLimit = 16 << 20
    /// How long a peer of a UDP listener that was not accepted may be silent.
    package var idle = Duration.seconds(60)
    /// How many typed lines are kept.
    package var historySize = 10_000
    /// Commands, skipped data and timing in the transcript too.
    package var isVerbose = false
    /// Whether `set color auto` means colours: standard output is a terminal that has them.
    package var autoColor = false
    /// Somebody sits at a prompt: of a full inbox the oldest unread data gives way, where otherwise the peer waits, and
    /// little is read at a time.
    package var isAtPrompt = false

    package init() {}

    /// The line ending of a new session: a datagram needs none.
    package func lineEnding(isDatagram: Bool) -> LineEnding { isDatagram ? .none : lineEnding }

    /// The framing of a new session; of datagrams --frame raw makes whole ones.
    package func framing(_ given: Framing?, isDatagram: Bool) -> Framing {
        isDatagram ? (given == .raw || given == .rawDatagram ? .rawDatagram : .datagram) : given ?? framing
    }

    /// `limit` times the scale.
    package func scaled(_ limit: Duration) -> Duration {
        timeoutScale == 1
            ? limit : .nanoseconds(Int64((Double(limit.nanoseconds) * timeoutScale).clamped(to: 0...3.2e16)))
    }
}

extension Settings {
    /// The options of a session as its statement in the transcript has them.
    package func options(_ lineEnding: LineEnding?, _ framing: Framing?, isDatagram: Bool) -> [String] {
        let lineEnding = lineEnding ?? self.lineEnding(isDatagram: isDatagram)
        let framing = self.framing(framing, isDatagram: isDatagram)
        let plainEnding = isDatagram ? LineEnding.none : .lf
        let isPlain = framing == .line || framing == .datagram
        return (lineEnding == plainEnding ? [] : ["--eol", lineEnding.rawValue])
            + (isPlain ? [] : ["--frame", framing == .rawDatagram ? "raw" : framing.rawValue])
    }
}
