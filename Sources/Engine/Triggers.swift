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

    fileprivate func applies(to conversation: Conversation) -> Bool {
        conversation.isMeant(by: targets) && !conversation.isMeant(by: excluded)
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
    func update(_ conversation: Conversation) {
        conversation.triggers = triggers.filter { $0.applies(to: conversation) }
        let inbox = conversation.session.inbox
        if conversation.triggers.isEmpty {
            guard inbox.isGated else { return }
            inbox.removeGate()
        } else if !conversation.isHandedOver {
            inbox.closeGate(keepingReadable: conversation.reader != nil)
        }
        look(at: conversation)
    }

    /// A block reads from the session it answers: until it ends all that arrives is its, whatever triggers match.
    func handOver(_ conversation: Conversation, to strand: Strand) {
        let strands = sequence(first: strand, next: \.parent)
        guard !conversation.isHandedOver, let responder = conversation.responder,
            strands.contains(where: { $0 === responder })
        else { return }
        conversation.isHandedOver = true
        let inbox = conversation.session.inbox
        inbox.removeGate()
        // It reads what comes behind its line.
        conversation.consume(through: max(inbox.front, inbox.lastRemoval))
    }

    /// What a block has left unread is looked at from where it stopped; but the ending of a line it has read is no line.
    private func takeBack(_ conversation: Conversation) {
        guard conversation.isHandedOver else { return }
        conversation.isHandedOver = false
        guard !conversation.triggers.isEmpty else { return }
        conversation.session.inbox.closeGate(keepingReadable: conversation.reader != nil)
        conversation.gateBeginsInLine = !conversation.frontBeginsLine
    }

    /// Lets lines pass the gate of a session and answers those that match.
    func look(at conversation: Conversation) {
        let session = conversation.session
        // What waits at the gate of a session that we have closed is for nobody.
        guard session.inbox.isGated, interpreter.sessions[conversation.name] === conversation else { return }
        var failure: Failure?
        session.sift { line in
            do throws(Failure) {
                let isRest = conversation.gateBeginsInLine && line.isEmpty
                conversation.gateBeginsInLine = false
                guard !isRest, failure == nil, let (trigger, match) = try self.match(line, conversation) else {
                    return .release
                }
                guard conversation.responder == nil else { return .keep }
                respond(to: match, of: trigger, conversation)
                return .remove
            } catch {
                failure = error
                return .release
            }
        } mayMatter: { part in
            let mayMatter = conversation.triggers.contains { $0.mayMatch(part) }
            // Released, it is the beginning of a line that nobody judges.
            if !mayMatter { conversation.gateBeginsInLine = false }
            return mayMatter
        }
        if let failure { return interpreter.end(.failed(failure)) }
        forgetUnread(conversation)
    }

    /// Ends every block that runs.
    func cancelAll() {
        for strand in responders { interpreter.cancel(strand) }
    }

    private func update() {
        for conversation in interpreter.sessions.all { update(conversation) }
    }

    private func match(
        _ line: UnsafeRawBufferPointer, _ conversation: Conversation
    ) throws(Failure) -> (Trigger, Match)? {
        for trigger in conversation.triggers {
            if let match = try trigger.match(line) { return (trigger, match) }
        }
        return nil
    }

    private func respond(to match: Match, of trigger: Trigger, _ conversation: Conversation) {
        // The line goes, and what is unread then begins behind it.
        if conversation.session.inbox.isEmpty { conversation.frontIsBehindLine() }
        let strand = Strand(
            program: trigger.program, title: trigger.title, startedAt: trigger.range,
            surroundings: trigger.surroundings, names: [("session", Array(conversation.name.utf8))],
            interpreter: interpreter)
        if let captures = match.captures { strand.capture(captures, groups: match.groups) }
        conversation.responder = strand
        responders.append(strand)
        strand.whenEnded = { [unowned self, unowned strand] result in
            responders.removeAll { $0 === strand }
            conversation.responder = nil
            takeBack(conversation)
            if case .failed(let failure) = result {
                guard failure.isOfClient(conversation) else { return interpreter.end(result) }
                return leave(conversation)
            }
            guard case .passed = result else { return }
            interpreter.conversationChanged(conversation)
        }
        interpreter.start(strand)
    }

    /// A client that goes away before its answer: whether the kernel had taken the answer by then is chance, so it is no
    /// failure of the script that plays the server.
    private func leave(_ conversation: Conversation) {
        conversation.noteLoss()
        interpreter.sessions.remove(conversation.name)
    }

    /// Whether the script never reads it, except for the blocks that answer it.
    private func isUnread(_ conversation: Conversation) -> Bool {
        readers.map { !conversation.isMeant(by: $0) } ?? false
    }

    /// A session that only triggers use keeps nothing; and data that nobody reads does not keep lines from triggers.
    private func forgetUnread(_ conversation: Conversation) {
        let inbox = conversation.session.inbox
        if isUnread(conversation) {
            guard conversation.responder == nil else { return }
            conversation.drain()
            closeIfDone(conversation)
        } else if inbox.isFull, conversation.reader == nil, !inbox.isEmpty {
            conversation.drain()
            conversation.noteDrop()
        }
    }

    /// A connection that was accepted for triggers alone ends when its peer has ended and everything is answered.
    private func closeIfDone(_ conversation: Conversation) {
        guard conversation.listener != nil, conversation.inputHasEnded, conversation.responder == nil,
            conversation.session.inbox.held == 0, conversation.session.bytesWaiting == 0
        else { return }
        interpreter.sessions.remove(conversation.name)
    }
}

extension Conversation {
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
    fileprivate func isOfClient(_ conversation: Conversation) -> Bool {
        conversation.listener != nil && goneSession == conversation.name
    }
}

extension UnsafeRawBufferPointer {
    /// Whether `text` stands somewhere in it.
    fileprivate func contains(_ text: [UInt8]) -> Bool {
        guard let base = baseAddress, count >= text.count else { return text.isEmpty }
        return text.withUnsafeBytes { c_memmem(base, count, $0.baseAddress, $0.count) } != nil
    }
}
