import Functions
import Reactor
import Script

/// The text of the page of an `HTMLReport`.
struct HTMLPage {
    let version: String
    let started: String
    let duration: Duration
    let status: Int32
    let skipReason: String?
    let sections: [HTMLSection]

    /// The rows of one diagram: more are folded into several.
    private static let rowsInDiagram = 200
    /// Up to so many lanes are in the same places in all diagrams of a part.
    private static let fixedLanes = 8
    /// A silence that begins a new diagram.
    private static let fold = Duration.seconds(2)

    var text: String {
        let tests = sections.filter(\.isTest)
        let failed = sections.count { $0.outcome == .failed }
        let title = failed == 0 && status == 0 ? "passed" : status == 77 ? "skipped" : "failed"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <meta http-equiv="Content-Security-Policy" content="\(policy)">
            <title>muxsh: \(title)</title>
            <style>\(HTMLStyle.sheet)</style>
            </head>
            <body>
            <header>
            <h1 class="\(title)">\(title)</h1>
            <p>\(counts(tests)), status \(status), \(shown(duration)), \(started), muxsh \(version)</p>
            \(skipReason.map { "<p>skipped: \(escapedForMarkup(visible($0)))</p>" } ?? "")\(links)</header>
            <main>
            \(table)\(sections.indices.map(section).joined())</main>
            <script>\(HTMLStyle.script)</script>
            </body>
            </html>

            """
    }

    private var policy: String {
        let digest = (try? Functions.apply(.sha256, to: Array(HTMLStyle.script.utf8), [], outputLimit: .max)) ?? []
        let hash = String(decoding: Functions.base64(digest), as: UTF8.self)
        return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-\(hash)'"
    }

    private func counts(_ tests: [HTMLSection]) -> String {
        guard !tests.isEmpty else { return "no tests" }
        let words = ["passed", "failed", "skipped"].compactMap { word -> String? in
            let count = tests.count { $0.outcome.word == word }
            return count == 0 ? nil : "\(count) \(word)"
        }
        return "\(counted(tests.count, "test")): \(words.joined(separator: ", "))"
    }

    /// Links to the failing exchanges.
    private var links: String {
        let failed = sections.indices.filter { sections[$0].outcome == .failed }
        guard !failed.isEmpty else { return "" }
        let items = failed.prefix(20).map { index in
            "<li><a href=\"#\(target(index))\">\(escapedForMarkup(sections[index].title))</a></li>"
        }
        let more = failed.count > 20 ? "<li>and \(failed.count - 20) more</li>" : ""
        return "<nav aria-label=\"Failures\"><p>Failed:</p><ul>\(items.joined())\(more)</ul></nav>\n"
    }

    private func target(_ index: Int) -> String {
        sections[index].conversation.hasFailed ? "failure\(index)" : "part\(index)"
    }

    private var table: String {
        let rows = sections.enumerated().filter(\.element.isTest).map { index, section in
            let name = "<a href=\"#part\(index)\">\(escapedForMarkup(section.title))</a>"
            return
                "<tr class=\"\(section.outcome.word)\"><td>\(section.outcome.word)</td><td>\(name)</td><td>\(escapedForMarkup(section.place))</td><td>\(shown(section.duration))</td></tr>\n"
        }
        guard !rows.isEmpty else { return "" }
        return """
            <table>
            <thead><tr><th>Outcome</th><th>Test</th><th>Place</th><th>Time</th></tr></thead>
            <tbody>
            \(rows.joined())</tbody>
            </table>

            """
    }

    private func section(_ index: Int) -> String {
        let section = sections[index]
        let word = section.outcome.word
        var text = "<details class=\"part \(word)\" id=\"part\(index)\"\(isOpen(section) ? " open" : "")>\n<summary>"
        text += "<b class=\"\(word)\">\(section.isTest || section.outcome == .failed ? word : "ran")</b> "
        text += "<span>\(escapedForMarkup(section.title))</span> <small>\(escapedForMarkup(section.place)), "
        text += "\(shown(section.duration))</small></summary>\n"
        if case .skipped(let why) = section.outcome, !why.isEmpty { text += "<p>\(escapedForMarkup(why))</p>\n" }
        for failure in section.failures {
            let lines = failure.split(separator: "\n", omittingEmptySubsequences: false)
            text += "<pre>\(lines.map { escapedForMarkup(visible(String($0))) }.joined(separator: "\n"))</pre>\n"
        }
        return text + diagrams(of: section.conversation, index) + "</details>\n"
    }

    /// Failed parts are open, and the only one of a small run.
    private func isOpen(_ section: HTMLSection) -> Bool {
        section.outcome == .failed || sections.count == 1 && section.conversation.rows.count <= Self.rowsInDiagram
    }

    /// The diagrams of a conversation: one, or folded ones with at most 200 rows each, of which those with a failure
    /// are open.
    private func diagrams(of conversation: Conversation, _ index: Int) -> String {
        let lanes = conversation.lanes
        var id: String? = "failure\(index)"
        let groups = groups(of: conversation.rows)
        var text = ""
        for group in groups {
            let isFailing = group.contains(where: \.isFailure)
            let diagram = SequenceDiagram(
                rows: group, lanes: shownLanes(lanes, of: group), failureID: isFailing ? id : nil
            ).text
            if isFailing { id = nil }
            text += groups.count == 1 ? "<figure>\(diagram)</figure>\n" : folded(diagram, of: group, isOpen: isFailing)
        }
        if conversation.missing > 0 { text += "<p>\(counted(conversation.missing, "event")) left out</p>\n" }
        return text
    }

    /// The lanes of a diagram: all of its part, or where there are many, those in which something happens.
    private func shownLanes(_ lanes: [String], of group: ArraySlice<Conversation.Row>) -> [String] {
        guard lanes.count > Self.fixedLanes else { return lanes }
        let used = Set(group.compactMap(\.session))
        return lanes.filter(used.contains)
    }

    private func folded(_ diagram: String, of group: ArraySlice<Conversation.Row>, isOpen: Bool) -> String {
        let (first, last) = (group.startIndex + 1, group.endIndex)
        let times = [group.first, group.last].map { fixed(max(0, $0?.time.inSeconds ?? 0), digits: 3) }
        return
            "<details class=\"fold\"\(isOpen ? " open" : "")><summary>\(first) to \(last), \(times[0]) s to \(times[1]) s</summary>\n<figure>\(diagram)</figure></details>\n"
    }

    private func groups(of rows: [Conversation.Row]) -> [ArraySlice<Conversation.Row>] {
        var groups: [ArraySlice<Conversation.Row>] = []
        var start = 0
        for index in rows.indices.dropFirst() {
            let isSilence = rows[index].time - rows[index - 1].time >= Self.fold
            let isFull = index - start >= Self.rowsInDiagram
            guard isFull || isSilence && index - start >= 20 else { continue }
            groups.append(rows[start..<index])
            start = index
        }
        if start < rows.count { groups.append(rows[start...]) }
        return groups
    }
}
