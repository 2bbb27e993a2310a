import OrderedCollections
import Results
import Script
import Sessions
import VM

/// The triggers of a script, and the strands that answer lines.
///
/// A session with triggers has a line filter before the data that the script reads. Each matching line is answered by a
/// separate strand. The strands of one session run one after the other; the next matching line waits for its
/// predecessor's strand. So answers keep the order of the questions, and a peer that asks faster than it is answered is
/// not read any further (backpressure).
package final class Triggers {
    private unowned let world: World
    /// The triggers by the script line that set them, in the order in which they were set.
    private var triggers: OrderedDictionary<Place, Trigger> = [:]
    private var responders: [Strand] = []
    /// The sessions that the script may read, as globs; nil if further statements may come.
    var readers: Set<String>? {
        didSet {
            for session in world.sessions.all { decideDiscarding(session) }
        }
    }

    private struct Place: Hashable {
        let source: ObjectIdentifier
        let line: Int
        /// The strand of `parallel` whose trigger it is, or nil.
        let strand: ObjectIdentifier?

        init(of trigger: Trigger) {
            source = ObjectIdentifier(trigger.range.source)
            line = trigger.range.line
            strand = trigger.strand
        }
    }

    package init(_ world: World) {
        self.world = world
    }

    /// Adds a trigger, replacing one set by the same line.
    package func add(_ trigger: Trigger) {
        let place = Place(of: trigger)
        if let former = triggers[place] { remove(former) }
        triggers[place] = trigger
        trigger.owner = self
        for session in world.sessions.all where trigger.applies(to: session) { set([trigger], on: session) }
    }

    /// The triggers for `list`, or those of one session for `show`: the line that has set each, and its use.
    package func rows(of session: Session? = nil) -> [(line: String, use: String)] {
        let now = world.loop.readClock()
        return triggers.values.filter { trigger in session.map(trigger.applies) ?? true }.map {
            $0.description(at: now)
        }
    }

    package func remove(_ trigger: Trigger) {
        let place = Place(of: trigger)
        guard triggers[place] === trigger else { return }
        triggers.removeValue(forKey: place)
        forget(trigger) { _ in true }
    }

    /// Removes the triggers that a strand of `parallel` has set.
    package func remove(of strand: Strand) {
        let id = ObjectIdentifier(strand)
        for trigger in triggers.values.filter({ $0.strand == id }) { remove(trigger) }
    }

    /// Removes the triggers of sessions with these names and globs.
    package func remove(targets: [String]) {
        for trigger in Array(triggers.values) {
            if trigger.targets.allSatisfy({ name in targets.contains { $0 == name || globMatches($0, name) } }) {
                remove(trigger)
            } else {
                trigger.exclude(targets)
                forget(trigger) { !trigger.applies(to: $0) }
            }
        }
    }

    /// Applies the triggers to a session that has opened or was renamed.
    package func update(_ session: Session) {
        let known = judge(of: session)?.triggers ?? []
        let new = triggers.values.filter { trigger in
            trigger.applies(to: session) && !known.contains { $0 === trigger }
        }
        if !new.isEmpty { set(new, on: session) }
    }

    /// Starts the block of 'on … connect' for a connection that a listener has accepted.
    func accepted(_ session: Session) {
        guard let judge = judge(of: session), judge.responder == nil,
            let trigger = judge.triggers.first(where: { $0.event == .connect })
        else { return }
        answer(trigger, judge, session)
    }

    /// Starts the block of 'on … eof' or 'on … reset', once, when the stream has ended and every line is answered.
    private func answerEnd(_ session: Session, _ filter: LineFilter) {
        let event: Trigger.Event? =
            switch session.channel.input {
            case .ended: .eof
            case .reset, .cut: .reset
            default: nil
            }
        guard let event, let judge = judge(of: session), judge.responder == nil, !filter.withholds, !judge.hasJudgedEnd
        else { return }
        judge.hasJudgedEnd = true
        if let trigger = judge.triggers.first(where: { $0.event == event }) { answer(trigger, judge, session) }
    }

    /// Starts the block of an event; lines wait for it if it may read from the session.
    private func answer(_ trigger: Trigger, _ judge: SessionJudge, _ session: Session) {
        judge.responder = answer(Match(start: 0, end: 0), of: trigger, session)
        if trigger.mayRead(session, definitions) { session.filter?.hold() }
    }

    /// Returns the feed that a strand reads from a session: a block that answers a line reads the data after that line.
    package func feed(of session: Session, for strand: Strand) -> Feed {
        guard let filter = session.filter, filter.isHeld, let responder = judge(of: session)?.responder,
            sequence(first: strand, next: \.parent).contains(where: { $0 === responder })
        else { return session.feed }
        return filter.incoming
    }

    /// Handles a change in a session: closes it when its triggers have nothing left to do, and reports when they cannot
    /// continue.
    package func look(at session: Session) {
        guard let filter = session.filter, world.sessions[session.name] === session else { return }
        answerEnd(session, filter)
        if filter.discards { closeIfDone(session, filter) }
        if session.hasTriggers, !session.hasReportedEnd, case .oversized = session.channel.input {
            session.hasReportedEnd = true
            let place = judge(of: session)?.triggers.first?.range
            return world.end(.failed(Failure(.expectation, "\(session.name): \(session.inputState)", range: place)))
        }
        guard session.hasTriggers, !session.inputHasEnded, session.channel.isFull, !session.isAnswering,
            session.channel.overflow == .pause
        else {
            return
        }
        let limit = shown(bytes: session.channel.inbox.limit)
        if filter.isStuck {
            let place = judge(of: session)?.triggers.first?.range
            var failure = Failure(
                .expectation, "\(session.name): inbox full (\(limit)) before a whole line arrived for 'on'",
                details: ["raise the limit: set inbox SIZE"], range: place)
            failure.exchanges = session.exchanges
            world.end(.failed(failure))
        } else if session.feed.waiters.reader == nil {
            session.noteFull(
                "inbox full (\(limit)): reading from the peer and 'on' pause until the script reads")
        }
    }

    /// Ends all running blocks.
    func cancelAll() {
        for strand in responders { world.scheduler.cancel(strand) }
    }

    private func judge(of session: Session) -> SessionJudge? { session.filter?.judge as? SessionJudge }

    private func set(_ new: [Trigger], on session: Session) {
        let filter = session.filter(by: SessionJudge(self, of: session))
        guard let judge = judge(of: session) else { return }
        decideDiscarding(session)
        for trigger in new {
            judge.triggers.append(trigger)
            filter.reconsider { line, isWhole in
                // A pattern that is too complex is reported when the line is judged.
                isWhole ? trigger.concerns(line) : trigger.mayMatch(line)
            }
        }
        filter.sift()
        session.changed()
    }

    private func forget(_ trigger: Trigger, where isMeant: (Session) -> Bool) {
        if triggers[Place(of: trigger)] !== trigger { trigger.owner = nil }
        for session in world.sessions.all where isMeant(session) {
            guard let judge = judge(of: session), judge.triggers.contains(where: { $0 === trigger }) else { continue }
            judge.triggers.removeAll { $0 === trigger }
            session.filter?.sift()
        }
    }

    /// Discards the data of a session that only triggers use.
    private func decideDiscarding(_ session: Session) {
        guard let filter = session.filter, let readers else { return }
        filter.discards = !session.isMeant(by: readers)
        if filter.discards { session.feed.drain() }
    }

    /// Closes a connection accepted only for triggers when its peer has ended and everything is answered.
    private func closeIfDone(_ session: Session, _ filter: LineFilter) {
        guard session.listener != nil, session.inputHasEnded, !session.isAnswering, !filter.withholds,
            session.channel.bytesWaiting == 0
        else { return }
        session.close()
    }

    // MARK: Answering

    /// Starts the block of a trigger for a matching line.
    fileprivate func answer(_ match: Match, of trigger: Trigger, _ session: Session) -> Strand {
        let strand = Strand(
            program: trigger.program, place: Strand.Place(title: trigger.title, range: trigger.range),
            environment: trigger.environment, names: [("session", Array(session.name.utf8))],
            on: world.scheduler)
        if let captures = match.captures { strand.capture(captures, groups: match.groups) }
        trigger.noteStart(at: world.loop.now)
        responders.append(strand)
        strand.onEnd = { [unowned self, unowned strand] outcome in
            responders.removeAll { $0 === strand }
            answered(session, outcome)
        }
        world.scheduler.start(strand)
        return strand
    }

    private func answered(_ session: Session, _ outcome: Scheduler.Outcome) {
        judge(of: session)?.responder = nil
        session.filter?.release()
        if case .failed(let failure) = outcome {
            guard failure.isOfClient(session) else { return world.end(outcome) }
            // The client left before it was answered. Whether the kernel had already accepted the answer is chance, so
            // this is not a failure of the script that plays the server.
            session.noteLoss()
            return world.sessions.remove(session.name)
        }
        // If all blocks are being ended, the next one must not begin in the meantime.
        guard case .passed = outcome else { return session.siftLater() }
        session.filter?.sift()
        session.changed()
    }

    fileprivate var definitions: Definitions { world.definitions }

    fileprivate func fail(_ failure: Failure) {
        world.end(.failed(failure))
    }
}

/// Judges the lines of one session by its triggers, in the order in which they were set.
private final class SessionJudge: LineJudge {
    var triggers: [Trigger] = []
    /// The strand that answers a line, one at a time.
    var responder: Strand?
    /// Whether the end of the stream was judged.
    var hasJudgedEnd = false
    private unowned let owner: Triggers
    private unowned let session: Session

    init(_ owner: Triggers, of session: Session) {
        self.owner = owner
        self.session = session
    }

    var isIdle: Bool { triggers.isEmpty }
    var isAnswering: Bool { responder != nil }

    func judge(_ line: UnsafeRawBufferPointer) -> LineFilter.Verdict {
        do throws(Failure) {
            for trigger in triggers {
                guard let match = try trigger.match(line) else { continue }
                guard responder == nil else { return .wait }
                responder = owner.answer(match, of: trigger, session)
                return .take(isHeld: trigger.mayRead(session, owner.definitions))
            }
        } catch {
            owner.fail(error)
        }
        return .pass
    }

    func mayTake(_ part: UnsafeRawBufferPointer) -> Bool {
        triggers.contains { $0.mayMatch(part) }
    }

    var awaitsPrompts: Bool { triggers.contains(where: \.isPrompt) }

    func judge(prompt part: UnsafeRawBufferPointer) -> (verdict: LineFilter.Verdict, end: Int) {
        do throws(Failure) {
            for trigger in triggers {
                guard let match = try trigger.match(prompt: part) else { continue }
                guard responder == nil else { return (.wait, 0) }
                responder = owner.answer(match, of: trigger, session)
                return (.take(isHeld: trigger.mayRead(session, owner.definitions)), match.end)
            }
        } catch {
            owner.fail(error)
        }
        return (.pass, 0)
    }
}

extension Failure {
    /// Whether it only reports that a client that had connected to us has left.
    fileprivate func isOfClient(_ session: Session) -> Bool {
        session.listener != nil && closedSession == session.name
    }
}
