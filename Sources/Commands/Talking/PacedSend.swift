import Engine
import Reactor
import Results
import Script
import Sessions
import VM

/// `send --pace`: sends one byte after the other, with a pause between them.
struct PacedSendInstruction: Instruction {
    let target: Target
    let bytes: Value<[UInt8]>
    let pace: Value<Duration>
    /// Whether the session's line ending follows.
    let hasEnding: Bool
    let range: SourceRange

    func execute(in strand: Strand) throws(Failure) -> Step {
        let world = strand.world
        let bytes = try bytes.evaluate(in: strand)
        let pace = try pace.evaluate(in: strand)
        let sessions = try strand.sessions(target, orFail: .connection)
        for session in sessions {
            guard session.framing.format == nil, !session.framing.isDatagram else {
                throw Failure(.connection, "\(session.name): --pace sends single bytes, not frames or datagrams")
            }
            let options = hasEnding ? "" : " --raw"
            let text = quotedArgument(String(lossless: bytes))
            world.transcript.statement("send \(session.name) --pace \(shown(pace))\(options) \(text)")
        }
        let all = sessions.map { PacedSendWait.Course($0, bytes + (hasEnding ? $0.lineEnding.bytes : [])) }
        return .wait(PacedSendWait(all, pace: pace))
    }

    /// The pause as a duration in the language.
    private func shown(_ pace: Duration) -> String { "\(fixed(pace.inSeconds * 1e6, digits: 0))us" }
}

/// Sends the next byte whenever the pause is over.
private final class PacedSendWait: Wait {
    struct Course {
        let session: Session
        let bytes: [UInt8]

        init(_ session: Session, _ bytes: [UInt8]) {
            self.session = session
            self.bytes = bytes
        }
    }

    var limit: Duration?
    let succeedsLate = true
    var wanted: String { "the next byte of send --pace" }
    private let all: [Course]
    private let pace: Duration
    private var next = 0

    init(_ all: [Course], pace: Duration) {
        self.all = all
        self.pace = pace
        limit = pace
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        guard isLate || next == 0 else { return false }
        for course in all where next < course.bytes.count {
            try course.session.transmit([course.bytes[next]])
        }
        next += 1
        if next >= all.map(\.bytes.count).max() ?? 0 { return true }
        if isLate { strand.scheduler.extend(strand, by: pace) }
        return false
    }
}
