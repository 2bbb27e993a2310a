import CPlatform
import Reactor
import Script
import Wire

/// What `on` sets up: whenever a line of a session matches, a block runs beside the script.
final class Trigger {
    /// What a line must have in it.
    enum Pattern {
        case text([UInt8])
        case regex(Regex)
    }

    let range: SourceRange
    fileprivate let title: String
    /// Names and globs of sessions, also of those that open later.
    fileprivate let targets: [String]
    fileprivate var excluded: [String] = []
    fileprivate let pattern: Pattern
    fileprivate let program: Program
    fileprivate let surroundings: Strand.Surroundings

    init(
        targets: [String], pattern: Pattern, program: Program, surroundings: Strand.Surroundings, range: SourceRange
    ) {
        self.range = range
        title = "on " + targets.joined(separator: ",")
        self.targets = targets
        self.pattern = pattern
        self.program = program
        self.surroundings = surroundings
    }

    fileprivate func applies(to session: Session) -> Bool {
        session.isMeant(by: targets) && !session.isMeant(by: excluded)
    }

    /// The match in a whole line, or nil; throws when the pattern is given up.
    fileprivate func match(_ line: UnsafeRawBufferPointer) throws(Failure) -> Match? {
        switch pattern {
        case .text(let text): return line.contains(text) ? Match(start: 0, end: 0, captures: [text]) : nil
        case .regex(let regex):
            switch regex.search(line, from: 0, isWhole: true, beginsLine: true) {
            case .match(let groups):
                let values = groups.map { $0.map { Array(line[$0]) } }
                return Match(start: 0, end: 0, captures: values, groups: regex.groups)
            case .none, .partial: return nil
            case .limit(let why): throw Failure(.expectation, "the pattern was given up: \(why)", range: range)
            }
        }
    }

    /// Whether a line that begins with `part` could match.
    fileprivate func mayMatch(_ part: UnsafeRawBufferPointer) -> Bool {
        guard case .regex(let regex) = pattern else { return true }
        return regex.search(part, from: 0, isWhole: false, beginsLine: true) != .none
    }
}

/// The triggers of a script.
///
/// A session that triggers look at has a gate before its inbox: each whole line is judged once, before anybody can read
/// it, unless a block reads from the session. A match is taken out and answered by a strand of its own; the strands of one session run one after the other, and
/// the next line that matches waits at the gate until then. So answers keep the order of the questions, and a peer that
/// asks faster than it is answered is not read any further.
final class Triggers {
    private unowned let interpreter: Interpreter
    private var triggers: [Trigger] = []
    private var responders: [Strand] = []
    /// The sessions that the script may read, as globs; nil when further statements may come.
    var readers: Set<String>?

    init(_ interpreter: Interpreter) {
        self.interpreter = interpreter
    }

    /// Adds a trigger; one that the same line has set before goes.
    func add(_ trigger: Trigger) {
        triggers.removeAll { $0.range.source === trigger.range.source && $0.range.line == trigger.range.line }
        triggers.append(trigger)
        update()
    }

    func remove(_ trigger: Trigger) {
        triggers.removeAll { $0 === trigger }
        update()
    }

    /// No trigger looks at sessions of these names and globs any more.
    func remove(targets: [String]) {
        triggers.removeAll { trigger in
            trigger.targets.allSatisfy { name in targets.contains { $0 == name || globMatches($0, name) } }
        }
        for trigger in triggers { trigger.excluded += targets }
        update()
    }

    /// Finds the triggers of a session that has opened or has another name.
    func update(_ session: Session) {
        session.triggers = triggers.filter { $0.applies(to: session) }
        let inbox = session.channel.inbox
        if session.triggers.isEmpty {
            guard inbox.isGated else { return }
            inbox.removeGate()
        } else if !session.isHandedOver {
            inbox.closeGate(keepingReadable: session.reader != nil)
        }
        look(at: session)
    }

    /// A block reads from the session it answers: until it ends all that arrives is its, whatever triggers match.
    func handOver(_ session: Session, to strand: Strand) {
        let strands = sequence(first: strand, next: \.parent)
        guard !session.isHandedOver, let responder = session.responder,
            strands.contains(where: { $0 === responder })
        else { return }
        session.isHandedOver = true
        let inbox = session.channel.inbox
        inbox.removeGate()
        // It reads what comes behind its line.
        session.consume(through: max(inbox.front, inbox.lastRemoval))
    }

    /// What a block has left unread is looked at from where it stopped; but the ending of a line it has read is no line.
    private func takeBack(_ session: Session) {
        guard session.isHandedOver else { return }
        session.isHandedOver = false
        guard !session.triggers.isEmpty else { return }
        session.channel.inbox.closeGate(keepingReadable: session.reader != nil)
        session.gateBeginsInLine = !session.frontBeginsLine
    }

    /// Lets lines pass the gate of a session and answers those that match.
    func look(at session: Session) {
        let channel = session.channel
        // What waits at the gate of a session that we have closed is for nobody.
        guard channel.inbox.isGated, interpreter.sessions[session.name] === session else { return }
        var failure: Failure?
        channel.sift { line in
            do throws(Failure) {
                let isRest = session.gateBeginsInLine && line.isEmpty
                session.gateBeginsInLine = false
                guard !isRest, failure == nil, let (trigger, match) = try self.match(line, session) else {
                    return .release
                }
                guard session.responder == nil else { return .keep }
                respond(to: match, of: trigger, session)
                return .remove
            } catch {
                failure = error
                return .release
            }
        } mayMatter: { part in
            let mayMatter = session.triggers.contains { $0.mayMatch(part) }
            // Released, it is the beginning of a line that nobody judges.
            if !mayMatter { session.gateBeginsInLine = false }
            return mayMatter
        }
        if let failure { return interpreter.end(.failed(failure)) }
        forgetUnread(session)
    }

    /// Ends every block that runs.
    func cancelAll() {
        for strand in responders { interpreter.cancel(strand) }
    }

    private func update() {
        for session in interpreter.sessions.all { update(session) }
    }

    private func match(
        _ line: UnsafeRawBufferPointer, _ session: Session
    ) throws(Failure) -> (Trigger, Match)? {
        for trigger in session.triggers {
            if let match = try trigger.match(line) { return (trigger, match) }
        }
        return nil
    }

    private func respond(to match: Match, of trigger: Trigger, _ session: Session) {
        // The line goes, and what is unread then begins behind it.
        if session.channel.inbox.isEmpty { session.frontIsBehindLine() }
        let strand = Strand(
            program: trigger.program, title: trigger.title, startedAt: trigger.range,
            surroundings: trigger.surroundings, names: [("session", Array(session.name.utf8))],
            interpreter: interpreter)
        if let captures = match.captures { strand.capture(captures, groups: match.groups) }
        session.responder = strand
        responders.append(strand)
        strand.whenEnded = { [unowned self, unowned strand] result in
            responders.removeAll { $0 === strand }
            session.responder = nil
            takeBack(session)
            if case .failed(let failure) = result {
                guard failure.isOfClient(session) else { return interpreter.end(result) }
                return leave(session)
            }
            guard case .passed = result else { return }
            interpreter.sessionChanged(session)
        }
        interpreter.start(strand)
    }

    /// A client that goes away before its answer: whether the kernel had taken the answer by then is chance, so it is no
    /// failure of the script that plays the server.
    private func leave(_ session: Session) {
        session.noteLoss()
        interpreter.sessions.remove(session.name)
    }

    /// Whether the script never reads it, except for the blocks that answer it.
    private func isUnread(_ session: Session) -> Bool {
        readers.map { !session.isMeant(by: $0) } ?? false
    }

    /// A session that only triggers use keeps nothing; and data that nobody reads does not keep lines from triggers.
    private func forgetUnread(_ session: Session) {
        let inbox = session.channel.inbox
        if isUnread(session) {
            guard session.responder == nil else { return }
            session.drain()
            closeIfDone(session)
        } else if inbox.isFull, session.reader == nil, !inbox.isEmpty {
            session.drain()
            session.noteDrop()
        }
    }

    /// A connection that was accepted for triggers alone ends when its peer has ended and everything is answered.
    private func closeIfDone(_ session: Session) {
        guard session.listener != nil, session.inputHasEnded, session.responder == nil,
            session.channel.inbox.held == 0, session.channel.bytesWaiting == 0
        else { return }
        interpreter.sessions.remove(session.name)
    }
}

extension Session {
    /// Whether one of these names and globs means it.
    func isMeant(by targets: some Sequence<String>) -> Bool {
        let names = [name] + (formerName.map { [$0] } ?? [])
        return targets.contains { target in
            names.contains { isGlob(target) ? globMatches(target, $0) : target == $0 }
        }
    }
}

extension Failure {
    /// Whether it only says that somebody who had connected to us has gone.
    fileprivate func isOfClient(_ session: Session) -> Bool {
        session.listener != nil && goneSession == session.name
    }
}

extension UnsafeRawBufferPointer {
    /// Whether `text` stands somewhere in it.
    fileprivate func contains(_ text: [UInt8]) -> Bool {
        guard let base = baseAddress, count >= text.count else { return text.isEmpty }
        return text.withUnsafeBytes { c_memmem(base, count, $0.baseAddress, $0.count) } != nil
    }
}
