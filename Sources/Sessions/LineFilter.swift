import Reactor
import Wire

/// Decides where each line of a session goes.
package protocol LineJudge: AnyObject {
    /// Whether it looks for nothing: then every line passes.
    var isIdle: Bool { get }
    /// Whether a line is being answered.
    var isAnswering: Bool { get }
    /// Returns where a whole line, without its ending, goes. For `take` the judge has begun to answer it.
    func judge(_ line: UnsafeRawBufferPointer) -> LineFilter.Verdict
    /// Whether a line that begins with `part` may be taken.
    func mayTake(_ part: UnsafeRawBufferPointer) -> Bool
    /// Whether it also looks at lines whose end has not arrived, when nothing more has arrived for a while.
    var awaitsPrompts: Bool { get }
    /// Returns where the beginning of a line goes, and how many bytes of it are taken; `pass` leaves it where it is.
    func judge(prompt: UnsafeRawBufferPointer) -> (verdict: LineFilter.Verdict, end: Int)
}

/// Judges each whole line of a session once, before the script can read it: lines that a trigger wants are taken out,
/// the others pass.
///
/// Lines are judged in sequence. While a wanted line has to wait because the previous one is still being answered, all
/// following data waits too. The same applies while a running block may read what follows its line. So the data that
/// the script can read depends on the bytes alone, not on how they were split.
package final class LineFilter {
    package enum Verdict {
        /// The line is for the script.
        case pass
        /// The line is taken out and being answered; if `isHeld`, nothing is judged until the answer is complete.
        case take(isHeld: Bool)
        /// The line has to wait; it and all following data stay where they are.
        case wait
    }

    /// Received data that has not been judged. A block that answers a line reads from here.
    package let incoming: Feed
    package let judge: any LineJudge
    /// Whether the script will read nothing, so lines that pass are discarded.
    package var discards = false
    /// Whether a block is running that may read what follows its line.
    package private(set) var isHeld = false
    /// Whether a line waits for the answer to the previous one.
    private(set) var isWaiting = false
    /// Whether lines are left for the next turn to let other work run: a regex may take long.
    private(set) var isPausing = false
    /// Calls of `reconsider` postponed until the block that holds everything has ended.
    private var postponed: [(UnsafeRawBufferPointer, Bool) -> Bool] = []
    /// Whether the next data belongs to a line of which a part has passed.
    private var isInLine = false
    /// The position at which the part of a line lent to a wait begins.
    private var lent: Int?
    /// Whether the next data may be the ending of a partly read line, which does not count as a line.
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

    /// Whether data has arrived that the script cannot read yet.
    package var withholds: Bool { !incoming.inbox.isEmpty }
    /// Whether data is withheld because a block is running, or only for a moment.
    var withholdsForBlock: Bool { withholds && (isHeld || isWaiting || isPausing) }
    /// Whether a line can neither be judged, because its end has not arrived, nor grow, because the inbox is full.
    package var isStuck: Bool { withholds && !withholdsForBlock && session.channel.isFull && passed.inbox.isEmpty }

    /// Whether a line is being answered.
    var isAnswering: Bool { judge.isAnswering }

    /// Judges all lines that can be judged now.
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
        if holdsPrompt { session.siftWhenQuiet() }
    }

    /// Whether the beginning of a line waits that may be a prompt.
    private var holdsPrompt: Bool {
        judge.awaitsPrompts && withholds && !withholdsForBlock && !isInLine && session.framing == .line
            && incoming.inbox.nextLineEnd() == nil
    }

    /// Judges the beginning of a line, after nothing has arrived for a while.
    func siftPrompt() {
        guard holdsPrompt else { return }
        let inbox = incoming.inbox
        let (verdict, end) = judge.judge(prompt: inbox.bytes)
        guard case .take(let isHeld) = verdict else { return }
        self.isHeld = isHeld
        session.lineWasTaken(through: inbox.front + end, of: inbox)
        remove(through: inbox.front + end, isMessage: false)
        skipsEnding = true
        session.channel.inboxShrank()
    }

    /// Judges nothing until `release`: a block that no line has started may read from here.
    package func hold() {
        isHeld = true
    }

    /// Ends the hold, after the block that held everything has ended.
    package func release() {
        guard isHeld else { return }
        isHeld = false
        skipsEnding = !incoming.frontBeginsLine
        let postponed = self.postponed
        self.postponed = []
        for concerns in postponed { reconsider(concerns) }
    }

    // MARK: A line whose end has not arrived

    /// Whether the beginning of a line waits for its end, because a trigger may want the whole line.
    package var holdsPart: Bool {
        withholds && !withholdsForBlock && session.framing == .line && !discards && incoming.inbox.nextLineEnd() == nil
    }
    /// The number of lent bytes that the script can read for the moment.
    var lentCount: Int { lent.map { passed.inbox.end - max($0, passed.inbox.front) } ?? 0 }

    /// Makes the received part of a line readable until `reclaim`, for a wait that looks for the last time.
    func lend() {
        guard holdsPart, lent == nil else { return }
        lent = passed.inbox.end
        passPart()
    }

    /// Withholds the lent part again until its line ends, unless some of it was read.
    func reclaim() {
        guard let lent else { return }
        self.lent = nil
        guard passed.inbox.front <= lent, passed.inbox.end > lent else { return }
        takeBack(from: lent)
        isInLine = false
        session.channel.heldElsewhere = passed.inbox.count
    }

    /// Passes the received part of a line to the script, and later the rest of the line.
    package func passPart() {
        guard holdsPart else { return }
        isInLine = true
        pass(through: incoming.inbox.end, isMessage: false)
        session.channel.heldElsewhere = passed.inbox.count
    }

    /// Drops the received part of a line; the data after it counts as the rest of a line.
    func dropPart(_ reason: String?) {
        guard holdsPart else { return }
        incoming.drop(through: incoming.inbox.end, reason ?? "dropped")
        isInLine = true
    }

    /// Judges unread data again for a new trigger, beginning with the first line that the trigger may want.
    ///
    /// - Parameter concerns: whether a line, or a line with this beginning, may be wanted.
    package func reconsider(_ concerns: @escaping (_ line: UnsafeRawBufferPointer, _ isWhole: Bool) -> Bool) {
        // A block that reads must not get data from before its line.
        guard !isHeld else { return postponed.append(concerns) }
        let inbox = passed.inbox
        var position = inbox.front
        let skips = !passed.frontBeginsLine
        if inbox.isEmpty {
            // The rest of a line whose beginning was read is judged like a line, unless only its ending is left.
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

    /// Moves the unread data from `position` on back, to be judged again before the data not judged yet.
    private func takeBack(from position: Int) {
        let older = max(0, passed.sendMark - position)
        let olderIncoming = max(0, incoming.sendMark - incoming.inbox.front)
        let rest = passed.inbox.cut(from: position)
        passed.sendMark = min(passed.sendMark, position)
        incoming.restart(with: rest, older: olderIncoming > 0 ? rest.count + olderIncoming : older)
    }

    /// Judges one line, whose text ends at `end`, and routes it.
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

    /// Handles a line whose end has not arrived: it waits, unless no line with this beginning is wanted. At the end of
    /// the stream it counts as a line.
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
            if isMessage { passed.inbox.endMessage(from: inbox.nextSender) }
            if end <= incoming.sendMark { passed.sendMark = passed.inbox.end }
        }
        remove(through: end, isMessage: isMessage)
    }

    private func remove(through end: Int, isMessage: Bool) {
        if isMessage { incoming.advanceMessage() } else { incoming.advance(to: end) }
    }

    /// How long lines are judged before other work gets a turn.
    private static let slice = Duration.milliseconds(50)

    private static func endsLine(_ inbox: Inbox) -> Bool {
        inbox.messageEnds != nil || inbox.bytes.last == UInt8(ascii: "\n")
    }

    /// Returns the ends of the lines in an inbox; the last line may be incomplete.
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
    /// Returns the bytes without the carriage return of a line ending; a message has none.
    fileprivate func withoutReturn(_ framing: Framing) -> UnsafeRawBufferPointer {
        framing == .line && last == UInt8(ascii: "\r") ? UnsafeRawBufferPointer(rebasing: self[..<(count - 1)]) : self
    }
}
