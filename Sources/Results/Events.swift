import Reactor
import Script

/// Something that happened in a run, for the reports that show its course. Secrets are hidden in it.
package struct Event {
    /// The time since the run began.
    package let time: Duration
    /// The statement that caused it, if any.
    package let place: SourceRange?
    package let kind: Kind

    package enum Kind {
        /// A session or a service was opened; `kind` is that of `list`. `former` is the name that it had before.
        case open(session: String, address: String, kind: String, former: String?)
        case sent(Data)
        case received(Data)
        /// A side has ended its stream; a WebSocket with a code.
        case ended(session: String, byPeer: Bool, isReset: Bool, code: Int?)
        /// An expectation was met.
        case matched(session: String, wanted: String, captures: [[UInt8]?], took: Duration)
        case failed(Failure)
        case print([UInt8])
        case note(String)
        /// A fault of a tunnel was set or taken back.
        case fault(String)
        case testBegan
        case test(TestResults.Record)
        case close(session: String)
        /// A statement of the script has ended.
        case done(status: Int32, captures: [[UInt8]?], failure: Failure?)
    }

    /// A line, a message, or a part of a line.
    package struct Data {
        package let session: String
        /// The bytes without the line ending.
        package let bytes: [UInt8]
        package let ending: [UInt8]
        /// Whether more of the line may follow.
        package let isPart: Bool

        package init(session: String, bytes: [UInt8], ending: [UInt8] = [], isPart: Bool = false) {
            self.session = session
            self.bytes = bytes
            self.ending = ending
            self.isPart = isPart
        }
    }
}

/// Gives the events of a run to its reports.
package final class Events {
    /// Returns the statement that is running now.
    package var place: () -> SourceRange? = { nil }
    private let receive: (Event) -> Void
    private let start: Instant
    private let loop: EventLoop

    package init(on loop: EventLoop, start: Instant, receive: @escaping (Event) -> Void) {
        self.loop = loop
        self.start = start
        self.receive = receive
    }

    /// Reports that something has happened now, because of the running statement or the one at `place`.
    package func add(_ kind: Event.Kind, at place: SourceRange? = nil) {
        let cause: SourceRange? =
            switch kind {
            case .received, .ended(_, byPeer: true, _, _): nil
            default: place ?? self.place()
            }
        receive(Event(time: loop.readClock() - start, place: cause, kind: kind))
    }
}
