import Functions
import Reactor
import Script

/// Reports what happens as JSON Lines, one event a line as it happens. schemas/events.json describes the events.
package final class JSONLinesReport: Report {
    private let write: ([UInt8]) -> Void
    private let diagnostics: Diagnostics
    private var counts = (passed: 0, failed: 0, skipped: 0)
    private var last = Duration.zero

    package init(version: String, diagnostics: Diagnostics, write: @escaping ([UInt8]) -> Void) {
        self.write = write
        self.diagnostics = diagnostics
        var object = JSONObject(event: "run", at: .zero)
        object.add("version", version)
        object.add("format", 1)
        write(object.line)
    }

    package func add(_ record: TestResults.Record) {
        switch record.outcome {
        case .passed: counts.passed += 1
        case .failed: counts.failed += 1
        case .skipped: counts.skipped += 1
        }
    }

    package func addScript(_ name: String) {}
    package func add(_ failure: Failure, endsRun: Bool) {}

    package func add(_ event: Event) {
        last = event.time
        // The event at the end of a test has its duration.
        if case .testBegan = event.kind { return }
        var object = JSONObject(event: Self.name(of: event.kind), at: event.time)
        if let place = event.place {
            object.add("file", bytes: hidden(place.source.name))
            object.add("line", place.line)
        }
        describe(event.kind, in: &object)
        write(object.line)
    }

    package func end(status: Int32, skipReason reason: String?) {
        var object = JSONObject(event: "done", at: last)
        object.add("run", true)
        object.add("status", Int(status))
        object.add("passed", counts.passed)
        object.add("failed", counts.failed)
        object.add("skipped", counts.skipped)
        write(object.line)
    }

    private static func name(of kind: Event.Kind) -> String {
        switch kind {
        case .open: "open"
        case .sent: "sent"
        case .received: "received"
        case .ended: "ended"
        case .matched: "matched"
        case .failed: "failed"
        case .print: "print"
        case .note, .fault: "note"
        case .test, .testBegan: "test"
        case .close: "close"
        case .done: "done"
        }
    }

    private func describe(_ kind: Event.Kind, in object: inout JSONObject) {
        switch kind {
        case .open(let session, let address, let kind, let former):
            object.add("session", bytes: hidden(session))
            object.add("address", bytes: hidden(address))
            object.add("kind", kind)
            if let former { object.add("former", bytes: hidden(former)) }
        case .sent(let data), .received(let data): describe(data, in: &object)
        case .ended(let session, let byPeer, let isReset, let code):
            object.add("session", session)
            object.add("by", byPeer ? "peer" : "us")
            if isReset { object.add("reset", true) }
            if let code { object.add("code", code) }
        case .matched(let session, let wanted, let captures, let took):
            object.add("session", bytes: hidden(session))
            object.add("wanted", bytes: wanted.losslessBytes)
            object.add("captures", captures)
            object.add("took", seconds: took)
        case .failed(let failure): describe(failure, in: &object)
        case .print(let text): object.add(content: text)
        case .note(let text), .fault(let text): object.add(content: text.losslessBytes)
        case .test(let record): describe(record, in: &object)
        case .testBegan: break
        case .close(let session): object.add("session", bytes: hidden(session))
        case .done(let status, let captures, let failure):
            object.add("status", Int(status))
            object.add("captures", captures)
            if let failure { object.add("failure", bytes: hidden(failure.firstLine)) }
        }
    }

    private func describe(_ data: Event.Data, in object: inout JSONObject) {
        object.add("session", data.session)
        object.add(content: data.bytes)
        if !data.ending.isEmpty { object.add("ending", bytes: data.ending) }
        if data.isPart { object.add("part", true) }
    }

    private func describe(_ failure: Failure, in object: inout JSONObject) {
        object.add("status", Int(failure.status.rawValue))
        object.add("message", bytes: hidden(failure.firstLine))
        if let range = failure.range { object.add("column", range.characterColumn) }
        object.add(content: diagnostics.message(of: failure).losslessBytes)
    }

    private func describe(_ record: TestResults.Record, in object: inout JSONObject) {
        object.add("name", bytes: hidden(record.name))
        object.add("took", seconds: record.duration)
        switch record.outcome {
        case .passed: object.add("outcome", "passed")
        case .skipped(let why):
            object.add("outcome", "skipped")
            object.add("reason", bytes: hidden(why))
        case .failed(let failure):
            object.add("outcome", "failed")
            object.add("failure", bytes: hidden(failure.firstLine))
        }
    }

    private func hidden(_ text: String) -> [UInt8] { diagnostics.hidden(text).losslessBytes }
}

/// A JSON object on one line, made member by member.
private struct JSONObject {
    private var text: String

    init(event name: String, at time: Duration) {
        text = #"{"event":"\#(name)","t":\#(fixed(time.inSeconds, digits: 6))"#
    }

    var line: [UInt8] { Array((text + "}\n").utf8) }

    mutating func add(_ key: String, _ value: Int) { text += ",\"\(key)\":\(value)" }
    mutating func add(_ key: String, _ value: Bool) { text += ",\"\(key)\":\(value)" }
    mutating func add(_ key: String, _ value: String) { add(key, bytes: value.losslessBytes) }
    mutating func add(_ key: String, seconds: Duration) { text += ",\"\(key)\":\(fixed(seconds.inSeconds, digits: 6))" }

    /// Adds any bytes: a string, or an object with the member `base64` where they are not UTF-8.
    mutating func add(_ key: String, bytes: [UInt8]) { text += ",\"\(key)\":\(Self.value(bytes))" }

    /// Adds bytes as the member `text`, or as `base64` where they are not UTF-8.
    mutating func add(content bytes: [UInt8]) {
        if let string = Self.string(bytes) {
            text += ",\"text\":\(string)"
        } else {
            text += ",\"base64\":\"\(Self.base64(bytes))\""
        }
    }

    mutating func add(_ key: String, _ values: [[UInt8]?]) {
        text += ",\"\(key)\":[\(values.map { $0.map(Self.value) ?? "null" }.joined(separator: ","))]"
    }

    private static func value(_ bytes: [UInt8]) -> String {
        string(bytes) ?? "{\"base64\":\"\(base64(bytes))\"}"
    }

    private static func string(_ bytes: [UInt8]) -> String? {
        Functions.jsonString(bytes).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        String(decoding: Functions.base64(bytes), as: UTF8.self)
    }
}
