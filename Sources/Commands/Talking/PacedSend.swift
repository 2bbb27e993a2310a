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
            guard session.framing.format == nil, !session.framing.keepsMessages else {
                throw Failure(.connection, "\(session.name): --pace sends single bytes, not frames or datagrams")
            }
            let options = hasEnding ? "" : " --raw"
            let text = quotedArgument(String(lossless: bytes))
            world.transcript.statement("send \(session.name) --pace \(microseconds(pace))\(options) \(text)")
        }
        let all = sessions.map { PacedSendWait.Course($0, bytes + (hasEnding ? $0.lineEnding.bytes : [])) }
        return .wait(PacedSendWait(all, pace: pace))
    }
}

/// Returns a duration as an argument in the language.
func microseconds(_ duration: Duration) -> String { "\(fixed(duration.inSeconds * 1e6, digits: 0))us" }

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

/// Sends lines, to each session at its own pace (`set T pace`).
final class LinesWait: Wait {
    var limit: Duration?
    let succeedsLate = true
    var wanted: String { "the time of the next line to \(courses.map(\.session.name).joined(separator: ", "))" }
    private let lines: [[UInt8]]
    private let line: Int
    private unowned let world: World
    /// The sessions that have not been sent all lines, and how many each has been sent.
    private var courses: [(session: Session, sent: Int)]

    /// Sends the lines to sessions without a pace immediately, and returns a wait for the others.
    static func step(
        _ lines: [[UInt8]], to sessions: [Session], at line: Int, _ world: World
    ) throws(Failure) -> Step {
        if sessions.contains(where: { $0.pace != nil }) { return .wait(LinesWait(lines, sessions, line, world)) }
        for session in sessions {
            for text in lines { try session.send(line: text, at: line) }
        }
        return SendWait.step(for: sessions, world)
    }

    private init(_ lines: [[UInt8]], _ sessions: [Session], _ line: Int, _ world: World) {
        self.lines = lines
        self.line = line
        self.world = world
        courses = sessions.map { ($0, 0) }
    }

    func check(_ strand: Strand, isLate: Bool) throws(Failure) -> Bool {
        let now = world.loop.readClock()
        for index in courses.indices { try advance(&courses[index], now) }
        courses.removeAll { $0.sent == lines.count }
        guard let due = courses.compactMap(\.session.readyAt).min() else { return true }
        if isLate { strand.scheduler.extend(strand, by: due - now) } else { limit = limit ?? due - now }
        return false
    }

    private func advance(_ course: inout (session: Session, sent: Int), _ now: Instant) throws(Failure) {
        while course.sent < lines.count, course.session.readyAt.map({ $0 <= now }) ?? true {
            try course.session.send(line: lines[course.sent], at: line)
            course.sent += 1
        }
    }
}
