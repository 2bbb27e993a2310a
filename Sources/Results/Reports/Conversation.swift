import DequeModule
import Reactor
import Script

/// What was sent and received in one part of a run, as the rows of a sequence diagram.
struct Conversation {
    /// One event in the diagram.
    struct Row {
        enum Kind {
            case sent, received
            /// The peer or we have ended, or the session was reset.
            case ended(byPeer: Bool)
            /// The session was opened or closed.
            case opened, closed
            case printed, failed
        }

        let kind: Kind
        let time: Duration
        /// The lane; nil for the script itself.
        let session: String?
        let text: String
        /// The first bytes, and the number of all; empty if it has none.
        var bytes: [UInt8] = []
        var count = 0
        /// The line of the script: of a send, or of the expectation that read it.
        var line: Int?
        /// What was expected, if an expectation read it.
        var wanted: String?
        var isFailure = false
    }

    private(set) var rows: [Row] = []
    /// The rows that were too many to keep.
    private(set) var missing = 0
    private(set) var size = 0
    private(set) var hasFailed = false
    /// The rows of received data that no expectation has read yet, by session.
    private var unread: [String: Deque<Int>] = [:]

    private static let maximum = 200_000
    /// The bytes of a line that are kept.
    private static let longest = 2048

    var isEmpty: Bool { rows.isEmpty }

    /// Whether nothing happens but the end of sessions.
    var onlyCloses: Bool {
        !rows.isEmpty
            && rows.allSatisfy { row in
                switch row.kind {
                case .closed, .ended: true
                default: false
                }
            }
    }

    var duration: Duration {
        guard let first = rows.first, let last = rows.last else { return .zero }
        return last.time - first.time
    }

    /// The sessions in the order of their first rows.
    var lanes: [String] {
        var seen: Set<String> = []
        return rows.compactMap(\.session).filter { seen.insert($0).inserted }
    }

    mutating func add(_ event: Event, hiding diagnostics: Diagnostics) {
        let line = event.place?.line
        func text(_ string: String) -> String { visible(diagnostics.hidden(string)) }
        switch event.kind {
        case .open(let session, let address, let kind, let former):
            let what = former.map { "was \($0)" } ?? "\(kind) \(address)"
            add(Row(kind: .opened, time: event.time, session: text(session), text: text(what), line: line))
        case .sent(let data): add(row(.sent, data, event.time, line))
        case .received(let data): add(row(.received, data, event.time, nil))
        case .ended(let session, let byPeer, let isReset, let code):
            let what = isReset ? "reset" : code.map { "closed with \($0)" } ?? "end of stream"
            add(Row(kind: .ended(byPeer: byPeer), time: event.time, session: text(session), text: what, line: line))
        case .matched(let session, let wanted, _, _): mark(text(session), line, visible(wanted))
        case .failed(let failure): fail(failure, event.time, text(failure.firstLine))
        case .print(let bytes):
            add(Row(kind: .printed, time: event.time, session: nil, text: shortened(bytes), line: line))
        case .fault(let what):
            add(Row(kind: .printed, time: event.time, session: nil, text: text(what), line: line))
        case .close(let session):
            add(Row(kind: .closed, time: event.time, session: text(session), text: "closed", line: line))
        case .note, .test, .testBegan, .done: break
        }
    }

    private func row(_ kind: Row.Kind, _ data: Event.Data, _ time: Duration, _ line: Int?) -> Row {
        let bytes = data.bytes + data.ending
        return Row(
            kind: kind, time: time, session: visible(data.session), text: shortened(data.bytes),
            bytes: Array(bytes.prefix(64)), count: bytes.count, line: line)
    }

    private func shortened(_ bytes: [UInt8]) -> String {
        Escapes.visible(bytes.prefix(Self.longest)) + (bytes.count > Self.longest ? "…" : "")
    }

    private mutating func add(_ row: Row) {
        guard rows.count < Self.maximum else { return missing += 1 }
        if case .received = row.kind, let session = row.session { unread[session, default: []].append(rows.count) }
        rows.append(row)
        size += row.text.utf8.count + 200
    }

    /// Notes the expectation that read the oldest row of a session that none has read yet.
    private mutating func mark(_ session: String, _ line: Int?, _ wanted: String) {
        guard let index = unread[session]?.popFirst() else { return }
        rows[index].line = line
        rows[index].wanted = wanted
    }

    private mutating func fail(_ failure: Failure, _ time: Duration, _ message: String) {
        hasFailed = true
        let session = failure.exchanges.map { visible($0.session) }
        let last = rows.lastIndex { row in
            switch row.kind {
            case .sent, .received, .ended: row.session == session
            default: false
            }
        }
        if let last { rows[last].isFailure = true }
        var row = Row(kind: .failed, time: time, session: session, text: message, line: failure.range?.line)
        row.isFailure = true
        rows.append(row)
    }

    mutating func append(_ other: Conversation) {
        rows += other.rows
        size += other.size
        missing += other.missing
        hasFailed = hasFailed || other.hasFailed
    }

    /// Forgets the rows.
    mutating func leaveOut() {
        missing += rows.count
        (rows, unread) = ([], [:])
        size = 0
    }
}
