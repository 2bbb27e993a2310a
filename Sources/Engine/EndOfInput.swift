import Reactor
import Results
import Sessions
import VM

/// The end of a script's input (muxsh(1), END OF INPUT): for every session still open, what waits is sent, the first
/// answer is awaited, our side is ended, and what the peer still says is read until it ends or falls silent.
///
/// Nothing the peers had sent is lost, and nothing hangs: each step lasts at most `linger` without progress.
package final class EndOfInput {
    private let world: World
    private var open: [Course] = []

    /// Where one session is on its way to the end.
    private final class Course {
        enum Step { case flushing, awaitingAnswer, reading }

        let session: Session
        var step = Step.flushing
        var timer: Timer?

        init(_ session: Session) {
            self.session = session
        }
    }

    /// What could not be sent, in words; a run with such a problem has failed.
    package private(set) var problems: [String] = []
    /// What else is worth knowing: peers that were still open when their silence had lasted long enough, and streams
    /// that may not be whole.
    package private(set) var remarks: [String] = []

    /// Begins; turn the world until `isOver`.
    package init(_ world: World) {
        self.world = world
        open = world.sessions.all.map(Course.init)
        world.onChange = { [unowned self] in changed($0) }
        for course in open { advance(course) }
    }

    deinit {
        world.onChange = nil
    }

    package var isOver: Bool { open.isEmpty }

    private func changed(_ session: Session) {
        guard let course = open.first(where: { $0.session === session }) else { return }
        advance(course)
    }

    /// Takes every step that is possible now, and gives the next one its time.
    private func advance(_ course: Course) {
        let session = course.session
        // No statement will read any more: what is unread was shown, and must not stop what comes.
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

    /// A trigger still has something to say, or a program has not ended yet.
    private func isAnswering(_ session: Session) -> Bool {
        let isRunning = session.child.map { $0.ending == nil } ?? false
        return isRunning || session.isAnswering || session.channel.bytesWaiting > 0
    }

    /// Triggers go on answering: of a session that has some, our side stays open until the peer has ended or is silent.
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
        // While the reader of our output is behind, nothing is read: the silence is ours.
        if world.isHolding || session.isAnswering { return restartTimer(course) }
        switch course.step {
        case .flushing: finish(course, problem: lost(session, because: "the peer is not reading"))
        case .awaitingAnswer:
            endOurSide(course)
            restartTimer(course)
        // What another session still waits for may end this one: its peer may be in this very process.
        case .reading where open.contains { $0.step != .reading }: restartTimer(course)
        // Of UDP nobody knows whether the peer is still there.
        case .reading where session.framing.isDatagram: finish(course)
        case .reading:
            let isRunning = session.child.map { $0.ending == nil } ?? false
            let (state, end) = isRunning ? ("still running", "ended") : (session.inputState, "closed")
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
        if problem == nil, !session.hasToldEnd, let gap = session.gap {
            remarks.append("\(session.name): \(gap)")
        }
        session.voice.showRest()
        open.removeAll { $0 === course }
        // Whoever turns the world has to see that it is over.
        if isOver { world.loop.requestImmediateTurn() }
        world.sessions.remove(session.name)
    }
}
