import Functions
import Reactor
import Script

/// Reports a run as one HTML page: a summary, and for each test its failure and its conversation as a diagram.
///
/// The page needs nothing besides itself. It is complete without JavaScript; its script only folds and moves. Text from
/// outside is escaped, and a content security policy allows no other script.
package final class HTMLReport: Report {
    private let write: ([UInt8]) -> Void
    private let diagnostics: Diagnostics
    private let version: String
    private let started: String
    private var sections: [HTMLSection] = []
    /// The events since the last test.
    private var conversation = Conversation()
    private var failures: [String] = []
    private var file = ""
    private var last = Duration.zero
    private var kept = 0

    /// The most that is kept of conversations, in bytes; that of tests which passed is left out first.
    private static let limit = 64 << 20

    package init(version: String, diagnostics: Diagnostics, write: @escaping ([UInt8]) -> Void) {
        self.version = version
        started = utcTime()
        self.diagnostics = diagnostics
        self.write = write
    }

    package func addScript(_ name: String) { file = diagnostics.hidden(name) }
    package func add(_ failure: Failure, endsRun: Bool) {}
    package func add(_ record: TestResults.Record) {}

    package func add(_ event: Event) {
        last = event.time
        if file.isEmpty, let place = event.place { file = diagnostics.hidden(place.source.name) }
        switch event.kind {
        case .failed(let failure):
            failures.append(diagnostics.message(of: failure))
            conversation.add(event, hiding: diagnostics)
        case .testBegan: endScript()
        case .test(let record): endTest(record)
        case .done, .note: break
        default: conversation.add(event, hiding: diagnostics)
        }
    }

    package func end(status: Int32, skipReason reason: String?) {
        endScript()
        let page = HTMLPage(
            version: version, started: started, duration: last, status: status, skipReason: reason, sections: sections)
        write(Array(page.text.utf8))
    }

    private func endTest(_ record: TestResults.Record) {
        let outcome: HTMLSection.Outcome =
            switch record.outcome {
            case .passed: .passed
            case .failed: .failed
            case .skipped(let why): .skipped(visible(diagnostics.hidden(why)))
            }
        add(
            HTMLSection(
                title: visible(diagnostics.hidden(record.name)), isTest: true, place: record.range.description,
                outcome: outcome, duration: record.duration, failures: failures, conversation: conversation))
        failures = []
        conversation = Conversation()
    }

    /// Makes a section of what happened outside of tests; the closing of a test's sessions belongs to the test.
    private func endScript() {
        defer { conversation = Conversation() }
        if conversation.onlyCloses, !sections.isEmpty {
            return sections[sections.count - 1].conversation.append(conversation)
        }
        guard !conversation.isEmpty || (sections.isEmpty && !file.isEmpty) else { return }
        let isOfFailure = conversation.hasFailed
        add(
            HTMLSection(
                title: sections.isEmpty ? "Script" : "Outside of tests", isTest: false, place: visible(file),
                outcome: isOfFailure ? .failed : .passed, duration: conversation.duration,
                failures: isOfFailure ? failures : [], conversation: conversation))
        if isOfFailure { failures = [] }
    }

    private func add(_ section: HTMLSection) {
        sections.append(section)
        kept += section.conversation.size
        for index in sections.indices where kept > Self.limit && sections[index].outcome == .passed {
            kept -= sections[index].conversation.size
            sections[index].conversation.leaveOut()
        }
    }
}

/// A test, or what happened between tests.
struct HTMLSection {
    enum Outcome: Equatable {
        case passed, failed
        /// With the reason.
        case skipped(String)

        var word: String {
            switch self {
            case .passed: "passed"
            case .failed: "failed"
            case .skipped: "skipped"
            }
        }
    }

    let title: String
    let isTest: Bool
    let place: String
    let outcome: Outcome
    let duration: Duration
    /// The failures as the terminal shows them.
    let failures: [String]
    var conversation: Conversation
}
