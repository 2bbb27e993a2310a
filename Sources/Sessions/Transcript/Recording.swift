import DequeModule
import Results
import Script

/// What happened at a prompt, for `save`: lines that make a script, with what was received as expectations.
///
/// Data is kept as bytes and becomes text when it is saved, so a secret that was defined later is hidden too.
package final class Recording {
    private struct Entry {
        var content: Content
        /// The number of the last typed entry when it came.
        let number: Int

        var isComment: Bool {
            if case .line(let text) = content { text.hasPrefix("#") } else { false }
        }

        /// What it takes in memory, in bytes: of short lines most is not text.
        var size: Int {
            let heap = 48
            return switch content {
            case .line(let text): MemoryLayout<Entry>.stride + heap + text.utf8.count
            case .data(let data): MemoryLayout<Entry>.stride + heap + data.bytes.count
            }
        }
    }

    private enum Content {
        /// A statement or a comment.
        case line(String)
        case data(Data)
    }

    /// Data that was sent or received.
    struct Data {
        let name: String
        let arrow: String
        var bytes: [UInt8]
        let isPart: Bool
        let isRest: Bool
        /// Where it was received; nil if it was sent.
        let source: Source?
    }

    /// A place in what one session has received: in bytes, and one for each message.
    struct Source {
        let session: Int
        let range: Range<Int>
    }

    /// The most that is kept, in bytes; the oldest entries are dropped.
    private static let limit = 16 << 20

    private var entries: Deque<Entry> = []
    private var size = 0
    private var dropped = 0
    private var number = 0
    private var sessions = 0
    package private(set) var secrets: [String] = []
    private let redactor: Redactor

    init(hiding redactor: Redactor) {
        self.redactor = redactor
    }

    /// Returns a number that no other session has.
    func nextSession() -> Int {
        sessions += 1
        return sessions
    }

    func add(line: String) { add(Entry(content: .line(line), number: number)) }

    func add(_ data: Data) { add(Entry(content: .data(data), number: number)) }

    private func add(_ entry: Entry) {
        entries.append(entry)
        size += entry.size
        while size > Self.limit, let oldest = entries.popFirst() {
            size -= oldest.size
            dropped += 1
        }
    }

    // MARK: Typed entries

    /// A place between entries. Positions count from the first entry ever.
    package struct Mark {
        fileprivate let position: Int
    }

    package func begin() -> Mark {
        number += 1
        return here
    }

    /// The current place.
    package var here: Mark { Mark(position: dropped + entries.count) }

    /// Names a variable that is a secret: a saved script takes it from the environment.
    package func add(secret name: String) {
        if !secrets.contains(name) { secrets.append(name) }
    }

    /// The secrets that a saved script uses.
    package func secrets(in script: [UInt8]) -> [String] {
        secrets.filter { script.range(of: Array("${\($0)}".utf8)) != nil }
    }

    /// Removes the `open` of each session for which `isGone` is true.
    package func dropOpens(since mark: Mark, _ isGone: (String) -> Bool) {
        rewrite(from: max(0, mark.position - dropped)) { tail in
            tail.filter { entry in
                guard case .line(let text) = entry.content else { return true }
                let words = text.split(separator: " ")
                return !(words.first == "open" && words.count > 1 && isGone(String(words[1])))
            }
        }
    }

    /// Puts a typed text in place of what its run has sent and received.
    ///
    /// - Parameter consumed: how far each session was read before and after.
    package func replace(since mark: Mark, with text: String, consumed: [(session: Int, range: Range<Int>)]) {
        let start = max(0, mark.position - dropped)
        let first = firstEntry(of: consumed, before: start)
        rewrite(from: first) { tail in
            var place: Int?
            var kept: [Entry] = []
            for (index, var entry) in tail.enumerated() {
                if case .data(var data) = entry.content, let source = data.source {
                    let range = consumed.first { $0.session == source.session }?.range ?? 0..<0
                    if source.range.overlaps(range) {
                        place = place ?? kept.count
                        guard source.range.upperBound > range.upperBound else { continue }
                        // The rest of a line is read like a line; only its ending does not count as one.
                        data.bytes = Array(data.bytes.dropFirst(range.upperBound - source.range.lowerBound))
                        if data.bytes.isEmpty { continue }
                        entry.content = .data(data)
                    }
                } else if first + index >= start, !entry.isComment {
                    continue
                }
                kept.append(entry)
            }
            kept.insert(Entry(content: .line(text), number: number), at: place ?? kept.count)
            return kept
        }
    }

    /// Returns the index of the first entry from which a run may have read, at most `start`. A typed line must not cost
    /// a walk through all that is kept.
    private func firstEntry(of consumed: [(session: Int, range: Range<Int>)], before start: Int) -> Int {
        var pending = consumed.filter { !$0.range.isEmpty }
        var index = entries.count
        while index > 0, index > start || !pending.isEmpty {
            index -= 1
            guard case .data(let data) = entries[index].content, let source = data.source else { continue }
            pending.removeAll { $0.session == source.session && source.range.lowerBound <= $0.range.lowerBound }
        }
        return min(index, start)
    }

    /// Replaces the entries from an index on.
    private func rewrite(from first: Int, _ change: ([Entry]) -> [Entry]) {
        let first = min(first, entries.count)
        let tail = Array(entries[first...])
        let kept = change(tail)
        entries.removeLast(tail.count)
        entries.append(contentsOf: kept)
        size += kept.reduce(0) { $0 + $1.size } - tail.reduce(0) { $0 + $1.size }
    }

    // MARK: The script

    /// Returns the script since a place, or of everything, with the number of its lines.
    package func script(since mark: Mark? = nil) -> (text: [UInt8], lines: Int) {
        script(of: entries.dropFirst(max(0, (mark?.position ?? 0) - dropped)), isCut: dropped > (mark?.position ?? 0))
    }

    /// Returns the script of the last `count` typed entries, with the number of its lines.
    package func script(last count: Int) -> (text: [UInt8], lines: Int) {
        // Only entries that have left something count.
        let numbers = Set(entries.filter { !$0.isComment }.map(\.number)).sorted()
        let first = numbers.suffix(count).first ?? .max
        return script(of: entries.filter { $0.number >= first }[...], isCut: false)
    }

    private func script(of entries: Deque<Entry>.SubSequence, isCut: Bool) -> (text: [UInt8], lines: Int) {
        var lines = entries.map(rendered)
        var head: [String] = isCut ? ["# earlier lines were too long to keep"] : []
        for name in secrets where lines.contains(where: { $0.includes("${\(name)}") }) {
            head.append("let --secret \(name) ${env.\(name)}")
        }
        for (name, address) in repeatedAddresses(in: lines) {
            head.append("let \(name) \(address)")
            lines = lines.map { line in
                let words = line.split(separator: " ", omittingEmptySubsequences: false)
                guard words.first == "open", words.count > 2, words[2] == address else { return line }
                return (words[..<2] + ["${\(name)}"] + words[3...]).joined(separator: " ")
            }
        }
        let all = head + lines
        return (all.flatMap { $0.losslessBytes + [UInt8(ascii: "\n")] }, lines.count { !$0.hasPrefix("#") })
    }

    /// The addresses that are opened more than once, with names for them.
    private func repeatedAddresses(in lines: [String]) -> [(name: String, address: String)] {
        var counts: [String: Int] = [:]
        var order: [String] = []
        for line in lines {
            let words = line.split(separator: " ")
            guard words.first == "open", words.count > 2 else { continue }
            let address = String(words[2])
            if counts[address] == nil { order.append(address) }
            counts[address, default: 0] += 1
        }
        return order.filter { counts[$0, default: 0] > 1 }.enumerated().map { index, address in
            (index == 0 ? "address" : "address\(index + 1)", address)
        }
    }

    private func rendered(_ entry: Entry) -> String {
        switch entry.content {
        case .line(let text): return redactor.redacted(text)
        case .data(let data):
            var line = Array((data.name + data.arrow).utf8)
            if data.bytes.isEmpty, !data.isPart, line.last == UInt8(ascii: " ") { line.removeLast() }
            data.bytes.withUnsafeBytes {
                redactor.appendEscaped($0, to: &line, isCutBefore: data.isRest, isCutAfter: data.isPart)
            }
            return String(lossless: line + (data.isPart ? [UInt8(ascii: "\\")] : []))
        }
    }
}
