import Reactor
import Script
import Wire

/// The end of a script's input (muxsh(1), END OF INPUT): for every session still open, what waits is sent, the first
/// answer is awaited, our side is ended, and what the peer still says is read until it ends or falls silent.
///
/// Nothing the peers had sent is lost, and nothing hangs: each step lasts at most `linger` without progress.
package final class EndOfInput {
    private let interpreter: Interpreter
    private var open: [Session] = []

    /// Where one session is on its way to the end.
    private final class Session {
        enum Step { case flushing, awaitingAnswer, reading }

        let conversation: Conversation
        var step = Step.flushing
        var timer: Timer?

        init(_ conversation: Conversation) {
            self.conversation = conversation
        }
    }

    /// What could not be sent, in words; a run with such a problem has failed.
    package private(set) var problems: [String] = []
    /// What else is worth knowing: peers that were still open when their silence had lasted long enough, and streams
    /// that may not be whole.
    package private(set) var remarks: [String] = []

    /// Begins; turn the interpreter until `isOver`.
    package init(_ interpreter: Interpreter) {
        self.interpreter = interpreter
        open = interpreter.sessions.all.map(Session.init)
        interpreter.onChange = { [unowned self] in changed($0) }
        for session in open { advance(session) }
    }

    deinit {
        interpreter.onChange = nil
    }

    package var isOver: Bool { open.isEmpty }

    private func changed(_ conversation: Conversation) {
        guard let session = open.first(where: { $0.conversation === conversation }) else { return }
        advance(session)
    }

    /// Takes every step that is possible now, and gives the next one its time.
    private func advance(_ session: Session) {
        let conversation = session.conversation
        // Nobody reads the inbox any more: what is in it was shown, and must not stop what comes.
        conversation.drain()
        if session.step == .flushing {
            if case .failed = conversation.session.output, conversation.session.bytesWaiting > 0 {
                return finish(session, problem: lost(conversation, because: conversation.outputState))
            }
            if conversation.session.bytesWaiting == 0 { session.step = .awaitingAnswer }
        }
        if session.step == .awaitingAnswer, !conversation.hasSent || conversation.hasArrivedSinceSend {
            endOurSide(session)
        }
        if let loss = conversation.takeLoss() { return finish(session, problem: loss) }
        if conversation.inputHasEnded && session.step != .flushing && !isAnswering(conversation) {
            return finish(session)
        }
        restartTimer(session)
    }

    /// A trigger still has something to say, or a program has not ended yet.
    private func isAnswering(_ conversation: Conversation) -> Bool {
        let isRunning = conversation.child.map { $0.ending == nil } ?? false
        return isRunning || conversation.responder != nil || conversation.session.bytesWaiting > 0
    }

    /// Triggers go on answering: of a session that has some, our side stays open until the peer has ended or is silent.
    private func endOurSide(_ session: Session) {
        session.step = .reading
        let conversation = session.conversation
        let isGone = conversation.child?.ending != nil
        if conversation.triggers.isEmpty, conversation.session.output == .open, !isGone {
            try? conversation.endOutput()
        }
    }

    private func restartTimer(_ session: Session) {
        if let timer = session.timer { interpreter.loop.cancel(timer) }
        session.timer = interpreter.loop.schedule(after: interpreter.settings.linger) { [unowned self] in
            timeIsOver(session)
        }
    }

    private func timeIsOver(_ session: Session) {
        let conversation = session.conversation
        // While the reader of our output is behind, nothing is read: the silence is ours.
        if interpreter.isHolding || conversation.responder != nil { return restartTimer(session) }
        switch session.step {
        case .flushing: finish(session, problem: lost(conversation, because: "the peer does not read"))
        case .awaitingAnswer:
            endOurSide(session)
            restartTimer(session)
        // What another session still waits for may end this one: its peer may be in this very process.
        case .reading where open.contains { $0.step != .reading }: restartTimer(session)
        // Of UDP nobody knows whether the peer is still there.
        case .reading where conversation.framing.isDatagram: finish(session)
        case .reading:
            let isRunning = conversation.child.map { $0.ending == nil } ?? false
            let (state, end) = isRunning ? ("still running", "ended") : (conversation.inputState, "closed")
            remarks.append(
                "\(conversation.name): \(state) after \(shown(interpreter.settings.linger)) of silence; \(end)")
            finish(session)
        }
    }

    private func lost(_ conversation: Conversation, because reason: String) -> String {
        "\(shown(bytes: conversation.session.bytesWaiting)) could not be sent: \(reason)"
    }

    private func finish(_ session: Session, problem: String? = nil) {
        let conversation = session.conversation
        if let timer = session.timer { interpreter.loop.cancel(timer) }
        if let problem { problems.append("\(conversation.name): \(problem)") }
        if problem == nil, !conversation.hasToldEnd, let gap = conversation.gap {
            remarks.append("\(conversation.name): \(gap)")
        }
        interpreter.transcript.showRest(of: conversation)
        open.removeAll { $0 === session }
        interpreter.sessions.remove(conversation.name)
    }
}
