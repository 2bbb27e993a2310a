import Reactor
import Wire

/// Says of each line of a session where it goes.
package protocol LineJudge: AnyObject {
    /// Whether nothing is looked for: then every line passes.
    var isIdle: Bool { get }
    /// Whether a line is being answered.
    var isAnswering: Bool { get }
    /// Where a whole line goes, without its ending. With `take` the judge has begun to answer it.
    func judge(_ line: UnsafeRawBufferPointer) -> LineFilter.Verdict
    /// Whether a line that begins with `part` may be one to take.
    func mayTake(_ part: UnsafeRawBufferPointer) -> Bool
}

/// Stands before what the script reads of a session, and judges each whole line once: a line that a trigger wants is
/// taken out, the others pass.
///
/// Lines are judged in their order. While a line that is wanted has to wait, because the one before it is still being
/// answered, all that follows waits too; so does everything while a block runs that may read what follows its line. What
/// the script can read depends on the bytes alone, then, and not on how they were split.
package final class LineFilter {
    package enum Verdict {
        /// It is for the script.
        case pass
        /// It is taken out and being answered; when `isHeld` nothing is judged until the answer is over.
        case take(isHeld: Bool)
        /// Not now; it and all behind it stay where they are.
        case wait
    }

    /// What has arrived and was not judged. A block that answers a line reads from here.
    package let incoming: Feed
    package let judge: any LineJudge
    /// Nothing will be read by the script: what passes is forgotten.
    package var discards = false
    /// A block that may read what follows its line is running.
    package private(set) var isHeld = false
    /// A line waits for the answer to the one before it.
    private(set) var isWaiting = false
    /// Lines are left for the next turn, so that others have theirs: a regex may take long.
    private(set) var isPausing = false
    /// What is to be judged again once the block that holds everything has ended.
    private var postponed: [(UnsafeRawBufferPointer, Bool) -> Bool] = []
    /// What comes next belongs to a line of which a part has passed.
    private var isInLine = false
    /// Where a part of a line begins that was lent to a wait.
    private var lent: Int?
    /// What comes next may be the ending of a line that was read in part: it is no line.
    private var skipsEnding = false
    private let passed: Feed
    private unowned let session: Session

    init(of session: Session, passing passed: Feed, _ judge: any LineJudge) {
        self.session = session
        self.passed = passed
        self.judge = judge
        incoming = Feed(session.channel.inbox, of: session)
        isInLine = !passed.inbox.isEmpty && !Self.endsLine(passed.inbox) && session.framing == .line
        skipsEnding = passed.inbox.isEmpty && !passed.frontBeginsLine
    }

    /// Whether something has arrived that the script cannot read yet.
    package var withholds: Bool { !incoming.inbox.isEmpty }
    /// Whether that is because a block is running, or for a moment.
    var withholdsForBlock: Bool { withholds && (isHeld || isWaiting || isPausing) }
    /// Whether a line can neither be judged, because its end has not arrived, nor grow, because there is no room.
    package var isStuck: Bool { withholds && !withholdsForBlock && session.channel.isFull && passed.inbox.isEmpty }

    /// Whether a line is being answered.
    var isAnswering: Bool { judge.isAnswering }

    /// Judges what can be judged now.
    package func sift() {
        guard !isHeld, session.isOpen else { return }
        isWaiting = false
        isPausing = false
        let began = session.clock()
        while !isHeld, !isWaiting, !isPausing, let end = incoming.inbox.nextLineEnd() {
            settle(through: end, isMessage: incoming.inbox.messageEnds != nil)
            isPausing = session.clock() - began > Self.slice
        }
        if isPausing { session.siftLater() }
        if !isHeld, !isWaiting, !isPausing, session.framing == .line, !incoming.inbox.isEmpty { siftRest() }
        session.channel.heldElsewhere = passed.inbox.count
        session.channel.inboxShrank()
    }

    /// The block that held everything has ended.
    package func release() {
        guard isHeld else { return }
        isHeld = false
        skipsEnding = !incoming.frontBeginsLine
        let postponed = self.postponed
        self.postponed = []
        for concerns in postponed { reconsider(concerns) }
    }

    // MARK: A line whose end has not arrived

    /// Whether the front of a line waits for its end, because a trigger may want the whole.
    package var holdsPart: Bool {
        withholds && !withholdsForBlock && session.framing == .line && !discards && incoming.inbox.nextLineEnd() == nil
    }
    /// How many bytes of it the script can read for the moment.
    var lentCount: Int { lent.map { passed.inbox.end - max($0, passed.inbox.front) } ?? 0 }

    /// What has arrived of a line counts for a wait that looks for the last time: it can be read until `reclaim`.
    func lend() {
        guard holdsPart, lent == nil else { return }
        lent = passed.inbox.end
        passPart()
    }

    /// What was lent waits again for its line's end, unless some of it was read.
    func reclaim() {
        guard let lent else { return }
        self.lent = nil
        guard passed.inbox.front <= lent, passed.inbox.end > lent else { return }
        takeBack(from: lent)
        isInLine = false
        session.channel.heldElsewhere = passed.inbox.count
    }

    /// The script gets what has arrived of a line, and then the rest of it.
    package func passPart() {
        guard holdsPart else { return }
        isInLine = true
        pass(through: incoming.inbox.end, isMessage: false)
        session.channel.heldElsewhere = passed.inbox.count
    }

    /// What has arrived of a line is forgotten; its rest will be the rest of a line.
    func dropPart(_ reason: String?) {
        guard holdsPart else { return }
        incoming.drop(through: incoming.inbox.end, reason ?? "dropped")
        isInLine = true
    }

    /// Something new is looked for: what is unread is judged again from the first line on that it could concern.
    ///
    /// - Parameter concerns: whether a line, or one that begins so, may be wanted.
    package func reconsider(_ concerns: @escaping (_ line: UnsafeRawBufferPointer, _ isWhole: Bool) -> Bool) {
        // What comes before the line of a block that reads is not for that block.
        guard !isHeld else { return postponed.append(concerns) }
        let inbox = passed.inbox
        var position = inbox.front
        let skips = !passed.frontBeginsLine
        if inbox.isEmpty {
            // The rest of a line whose front was read is looked at like a line, unless it is only its ending.
            if isInLine { (isInLine, skipsEnding) = (false, skips) }
            return
        }
        for end in Self.lineEnds(of: inbox) {
            let line = inbox.bytes(in: position..<end.text).withoutReturn(session.framing)
            let isEnding = position == inbox.front && skips && line.isEmpty
            if !isEnding, concerns(line, end.isWhole) {
                takeBack(from: position)
                isInLine = false
                skipsEnding = position == inbox.front && skips
                return
            }
            position = end.next
        }
    }

    /// What is unread from `position` on is judged again, before what has not been judged.
    private func takeBack(from position: Int) {
        let older = max(0, passed.sendMark - position)
        let olderIncoming = max(0, incoming.sendMark - incoming.inbox.front)
        let rest = passed.inbox.cut(from: position)
        passed.sendMark = min(passed.sendMark, position)
        incoming.restart(with: rest, older: olderIncoming > 0 ? rest.count + olderIncoming : older)
    }

    /// Where one line goes: its text ends at `end`.
    private func settle(through end: Inbox.LineEnd, isMessage: Bool) {
        let inbox = incoming.inbox
        let line = inbox.bytes(in: inbox.front..<end.text).withoutReturn(session.framing)
        if skipsEnding, !isMessage, line.isEmpty {
            skipsEnding = false
            return incoming.advance(to: end.next)
        }
        skipsEnding = false
        switch isInLine ? .pass : judge.judge(line) {
        case .wait: isWaiting = true
        case .take(let isHeld):
            self.isHeld = isHeld
            session.lineWasTaken(through: end.next, of: inbox)
            remove(through: end.next, isMessage: isMessage)
        case .pass: pass(through: end.next, isMessage: isMessage)
        }
        isInLine = false
    }

    /// What has arrived of a line whose end has not: it waits, unless nothing that begins so is wanted. At the end of the
    /// stream it is a line.
    private func siftRest() {
        let inbox = incoming.inbox
        if session.inputHasEnded {
            return settle(through: Inbox.LineEnd(text: inbox.end, next: inbox.end), isMessage: false)
        }
        if skipsEnding, inbox.count == 1, inbox.bytes.first == UInt8(ascii: "\r") { return }
        guard isInLine || !judge.mayTake(inbox.bytes) else { return }
        skipsEnding = false
        isInLine = true
        pass(through: inbox.end, isMessage: false)
    }

    private func pass(through end: Int, isMessage: Bool) {
        let inbox = incoming.inbox
        if !discards {
            passed.inbox.append(inbox.bytes(in: inbox.front..<end))
            if isMessage { passed.inbox.endMessage() }
            if end <= incoming.sendMark { passed.sendMark = passed.inbox.end }
        }
        remove(through: end, isMessage: isMessage)
    }

    private func remove(through end: Int, isMessage: Bool) {
        if isMessage { incoming.advanceMessage() } else { incoming.advance(to: end) }
    }

    /// How long lines are judged before others have their turn.
    private static let slice = Duration.milliseconds(50)

    private static func endsLine(_ inbox: Inbox) -> Bool {
        inbox.messageEnds != nil || inbox.bytes.last == UInt8(ascii: "\n")
    }

    /// Where the lines of an inbox end; the last one need not be whole.
    private static func lineEnds(of inbox: Inbox) -> [(text: Int, next: Int, isWhole: Bool)] {
        if let ends = inbox.messageEnds {
            return zip([inbox.front] + ends, ends).map { (inbox.textEnd(ofMessage: $0..<$1), $1, true) }
        }
        let bytes = inbox.bytes
        var ends: [(text: Int, next: Int, isWhole: Bool)] = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map
        {
            (inbox.front + $0, inbox.front + $0 + 1, true)
        }
        if (ends.last?.next ?? inbox.front) < inbox.end { ends.append((inbox.end, inbox.end, false)) }
        return ends
    }
}

extension UnsafeRawBufferPointer {
    /// Without the carriage return that belongs to a line's ending; a message has none.
    fileprivate func withoutReturn(_ framing: Framing) -> UnsafeRawBufferPointer {
        framing == .line && last == UInt8(ascii: "\r") ? UnsafeRawBufferPointer(rebasing: self[..<(count - 1)]) : self
    }
}
