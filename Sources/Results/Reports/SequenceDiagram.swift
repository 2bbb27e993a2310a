import Script
import Reactor

/// A part of a conversation as an SVG diagram: a lane for the script and for each session, time downwards.
struct SequenceDiagram {
    let rows: ArraySlice<Conversation.Row>
    let lanes: [String]
    /// The identifier of the first row that shows a failure, if the page refers to it.
    let failureID: String?

    private static let scriptX = 150
    private static let laneWidth = 190
    private static let rowHeight = 34
    private static let headHeight = 34
    /// Long texts are cut to this many characters; the whole text is in the tooltip.
    private static let longestText = 110
    private static let shownBytes = 24

    /// The silence that is drawn as a gap.
    static let gap = Duration.milliseconds(200)

    /// The rows as `<svg>`.
    var text: String {
        var body = ""
        var y = Self.headHeight
        var previous: Duration?
        var isFailureKnown = failureID == nil
        for row in rows {
            if let previous, row.time - previous >= Self.gap {
                body += gapText(row.time - previous, y)
                y += 20
            }
            previous = row.time
            let id = !isFailureKnown && row.isFailure ? failureID : nil
            isFailureKnown = isFailureKnown || id != nil
            body += text(of: row, at: y, id: id)
            y += Self.rowHeight
        }
        let width = max(960, x(ofLane: lanes.count - 1) + 120)
        return """
            <svg role="list" aria-label="Conversation" width="\(width)" height="\(y + 8)" viewBox="0 0 \(width) \(y + 8)">
            \(head(height: y))\(body)</svg>

            """
    }

    private func x(ofLane index: Int) -> Int { Self.scriptX + (index + 1) * Self.laneWidth }

    private func head(height: Int) -> String {
        let names = ["script"] + lanes
        return names.enumerated().map { index, name in
            let x = index == 0 ? Self.scriptX : self.x(ofLane: index - 1)
            let label = escapedForMarkup(cut(name, to: 22))
            return
                "<path class=\"lane\" d=\"M\(x) 24V\(height)\"/><text class=\"name\" x=\"\(x)\" y=\"16\">\(label)</text>\n"
        }.joined()
    }

    private func gapText(_ time: Duration, _ y: Int) -> String {
        "<text class=\"gap\" x=\"\(Self.scriptX + 10)\" y=\"\(y + 12)\">⋮ \(shown(time)) without traffic</text>\n"
    }

    private func text(of row: Conversation.Row, at y: Int, id: String?) -> String {
        let lane = row.session.flatMap { session in lanes.firstIndex(of: session) }
        let x = lane.map { self.x(ofLane: $0) } ?? Self.scriptX
        let (type, line) = drawing(of: row, x)
        let time = fixed(max(0, row.time.inSeconds), digits: 3)
        var result = "<g role=\"listitem\" tabindex=\"0\" class=\"\(type)\(row.isFailure ? " bad" : "")\""
        if let id { result += " id=\"\(id)\"" }
        result += " transform=\"translate(0,\(y))\"><title>\(escapedForMarkup(title(of: row)))</title>"
        result +=
            "<rect width=\"100%\" height=\"\(Self.rowHeight - 2)\"/><text class=\"time\" x=\"4\" y=\"12\">\(time)</text>"
        if let number = row.line { result += "<text class=\"line\" x=\"140\" y=\"12\">\(number)</text>" }
        result +=
            "<text x=\"\(Self.scriptX + 10)\" y=\"12\">\(escapedForMarkup(cut(label(of: row), to: Self.longestText)))</text>"
        result += line
        if !row.bytes.isEmpty {
            result += "<text class=\"hex\" x=\"\(Self.scriptX + 10)\" y=\"28\">\(hex(of: row))</text>"
        }
        return result + "</g>\n"
    }

    /// Returns the class of a row, and its line with an arrowhead.
    private func drawing(of row: Conversation.Row, _ x: Int) -> (String, String) {
        let start = Self.scriptX
        let right = "<path d=\"M\(start) 18H\(x)m-7-4l7 4l-7 4\"/>"
        let left = "<path d=\"M\(x) 18H\(start)m7-4l-7 4l7 4\"/>"
        switch row.kind {
        case .sent: return ("sent", right)
        case .received: return (row.wanted == nil ? "got" : "got met", left)
        case .ended(byPeer: false): return ("end", right)
        case .ended(byPeer: true): return ("end", left)
        case .opened: return ("life", "<circle cx=\"\(x)\" cy=\"18\" r=\"4\"/>")
        case .closed: return ("life", "<path d=\"M\(x - 4) 14l8 8m0-8l-8 8\"/>")
        case .printed: return ("print", "")
        case .failed: return ("fail", "")
        }
    }

    /// What the diagram shows of a row.
    private func label(of row: Conversation.Row) -> String {
        switch row.kind {
        case .failed: "✗ \(row.text)"
        case .opened, .closed, .ended: "\(row.session ?? ""): \(row.text)"
        default: row.text
        }
    }

    /// The whole row as text, for a tooltip and for screen readers.
    private func title(of row: Conversation.Row) -> String {
        let session = row.session ?? ""
        var text =
            switch row.kind {
            case .sent: "\(session)> \(row.text)"
            case .received: "\(session)< \(row.text)"
            case .printed: "print: \(row.text)"
            case .failed: "failed: \(row.text)"
            case .ended(let byPeer): "\(session)\(byPeer ? "<" : ">")| \(row.text)"
            case .opened, .closed: "\(session): \(row.text)"
            }
        if let line = row.line { text += "\nline \(line)" }
        if let wanted = row.wanted { text += ": \(wanted)" }
        if !row.bytes.isEmpty {
            let rows = HexDump.rows(of: row.bytes, width: nil)
            text += "\n" + rows.joined(separator: "\n")
            if row.count > row.bytes.count { text += "\n… \(shown(bytes: row.count)) in all" }
        }
        return text
    }

    private func hex(of row: Conversation.Row) -> String {
        let digits = row.bytes.prefix(Self.shownBytes).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined(separator: " ")
        return row.count > Self.shownBytes ? "\(digits) … \(shown(bytes: row.count))" : digits
    }

    private func cut(_ text: String, to count: Int) -> String {
        text.unicodeScalars.count <= count
            ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(count - 1))) + "…"
    }
}
