import Glibc
import Reactor
import Results
import Sessions
import VM

/// The end of a script's input (muxsh(1), END OF INPUT). For every open session: sends the waiting data, awaits the
/// first answer, ends our side, and reads from the peer until it ends or falls silent.
///
/// No data sent by the peers is lost, and nothing hangs: each step lasts at most `linger` without progress.
package final class EndOfInput {
    private let world: World
    private var open: [Course] = []

    /// The progress of one session toward its end.
    private final class Course {
        enum Step { case flushing, awaitingAnswer, reading }

        let session: Session
        var step = Step.flushing
        var timer: Timer?
        /// Whether its program was told to end.
        var isTerminated = false

        init(_ session: Session) {
            self.session = session
        }
    }

    /// Messages about data that could not be sent; a run with such a problem has failed.
    package private(set) var problems: [String] = []
    /// Other remarks: peers that were still open after the maximum silence, and streams that may be incomplete.
    package private(set) var remarks: [String] = []

    /// Begins; call `turn()` of the world until `isOver`.
    package init(_ world: World) {
        self.world = world
        open = world.sessions.all.map(Course.init)
        world.onChange = { [unowned self] in changed($0) }
        for course in open { advance(course) }
        endIdlePrograms()
    }

    /// How long a program must have been silent to be ended without waiting for the linger time.
    private static let idleTime = Duration.seconds(1)

    /// Ends the programs that nothing waits for: they were sent nothing, or have answered, and are silent. Other sessions
    /// may talk to them, so they are ended last. What they write is read to its end.
    private func endIdlePrograms() {
        guard open.allSatisfy({ $0.session.child != nil }) else { return }
        for course in open where !course.isTerminated && course.step == .reading {
            let session = course.session
            guard session.child?.ending == nil, world.loop.readClock() - session.silentSince >= Self.idleTime else {
                continue
            }
            course.isTerminated = true
            session.child?.send(signal: SIGTERM)
        }
    }

    deinit {
        world.onChange = nil
    }

    package var isOver: Bool { open.isEmpty }

    private func changed(_ session: Session) {
        guard let course = open.first(where: { $0.session === session }) else { return }
        advance(course)
    }

    /// Takes every step that is possible now, and restarts the timer for the next one.
    private func advance(_ course: Course) {
        let session = course.session
        // No statement reads any more: unread data was shown, and must not block further input.
        session.discardPermanently()
        if course.step == .flushing {
            if case .failed = session.channel.output, session.channel.bytesWaiting > 0 {
                return finish(course, problem: lost(session, because: session.outputState))
            }
            if session.channel.bytesWaiting == 0 { course.step = .awaitingAnswer }
        }
        if course.step == .awaitingAnswer, !session.hasSent || session.hasArrivedSinceSend {
            endOurSide(course)
        }
        if let loss = session.takeLoss() { return finish(course, problem: loss) }
        if session.inputHasEnded && course.step != .flushing && !isAnswering(session) {
            return finish(course)
        }
        restartTimer(course)
    }

    /// Whether a trigger is still answering, data waits to be sent, or a program has not ended yet.
    private func isAnswering(_ session: Session) -> Bool {
        let isRunning = session.child.map { $0.ending == nil } ?? false
        return isRunning || session.isAnswering || session.channel.bytesWaiting > 0
    }

    /// Ends our side, unless the session has triggers: they continue to answer, so our side stays open until the peer
    /// has ended or is silent.
    private func endOurSide(_ course: Course) {
        course.step = .reading
        let session = course.session
        let isGone = session.child?.ending != nil
        if !session.hasTriggers, session.channel.output == .open, !isGone {
            try? session.endOutput()
        }
    }

    private func restartTimer(_ course: Course) {
        if let timer = course.timer { world.loop.cancel(timer) }
        course.timer = world.loop.schedule(after: world.settings.linger) { [unowned self] in
            timeIsOver(course)
        }
    }

    private func timeIsOver(_ course: Course) {
        let session = course.session
        // While the reader of our output is too slow, nothing is read: the silence is ours.
        if world.isHolding || session.isAnswering { return restartTimer(course) }
        switch course.step {
        case .flushing: finish(course, problem: lost(session, because: "the peer is not reading"))
        case .awaitingAnswer:
            endOurSide(course)
            restartTimer(course)
        // A session in an earlier step may still end this one: its peer may be in this very process.
        case .reading where open.contains { $0.step != .reading }: restartTimer(course)
        // UDP does not show whether the peer still exists.
        case .reading where !session.framing.hasEnd: finish(course)
        case .reading:
            let isRunning = session.child.map { $0.ending == nil } ?? false
            let (state, end) =
                isRunning ? ("still running", "terminated by muxsh") : (session.inputState, "closed by muxsh")
            remarks.append(
                "\(session.name): \(state) after \(shown(world.settings.linger)) of silence; \(end)")
            finish(course)
        }
    }

    private func lost(_ session: Session, because reason: String) -> String {
        "\(shown(bytes: session.channel.bytesWaiting)) could not be sent: \(reason)"
    }

    private func finish(_ course: Course, problem: String? = nil) {
        let session = course.session
        if let timer = course.timer { world.loop.cancel(timer) }
        if let problem { problems.append("\(session.name): \(problem)") }
        if problem == nil, !session.hasReportedEnd, let gap = session.gap {
            remarks.append("\(session.name): \(gap)")
        }
        session.voice.showRest()
        open.removeAll { $0 === course }
        // The caller of `turn()` has to see that it is over.
        if isOver { world.loop.requestImmediateTurn() }
        world.sessions.remove(session.name)
        endIdlePrograms()
    }
}
