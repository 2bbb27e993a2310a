import Script

/// Dates and times of day in a line, as one piece each.
package struct DateShape {
    package init() {}

    private static let day = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
    private static let month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    private static let time = "\\d\\d:\\d\\d:\\d\\d(?:[.,]\\d+)?"

    /// The forms of RFC 5322 and HTTP, of web server logs, of asctime(3), of ISO 8601, and a time alone.
    private let regex = try? Regex(
        Array(
            [
                "(?:\(Self.day)[a-z]*, )?\\d{1,2}[ -]\(Self.month)[ -]\\d{4}(?: \(Self.time)(?: (?:GMT|UTC|[+-]\\d{4}))?)?",
                "\\d\\d/\(Self.month)/\\d{4}:\(Self.time) [+-]\\d{4}",
                "\(Self.day) \(Self.month) [ \\d]\\d \(Self.time)(?: [A-Z]+)? \\d{4}",
                "\\d{4}-\\d\\d-\\d\\d(?:[T ]\(Self.time)(?:Z|[+-]\\d\\d:?\\d\\d)?)?", Self.time,
            ].map { "(?:\($0))" }.joined(separator: "|").utf8))

    /// Whether a date is in a line.
    package func occurs(in line: [UInt8]) -> Bool { !ranges(in: line).isEmpty }

    /// Returns the ranges of the dates in a line.
    func ranges(in line: [UInt8]) -> [Range<Int>] {
        guard let regex, line.contains(where: { (0x30...0x39).contains($0) }) else { return [] }
        return line.withUnsafeBytes { bytes in
            var ranges: [Range<Int>] = []
            var index = 0
            while index < bytes.count,
                case .match(let groups) = regex.search(bytes, from: index, isWhole: true, beginsLine: true),
                let found = groups.first ?? nil, !found.isEmpty
            {
                ranges.append(found)
                index = found.upperBound
            }
            return ranges
        }
    }

    /// Returns the pattern for dates of one shape; nil if these texts are not such dates.
    func pattern(of texts: [[UInt8]]) -> String? {
        let shapes = Set(texts.map { text in ranges(in: text) == [text.indices] ? Self.shape(of: text) : "" })
        return shapes.count == 1 ? shapes.first.flatMap { $0.isEmpty ? nil : $0 } : nil
    }

    /// Returns a date with patterns for its numbers and names.
    private static func shape(of text: [UInt8]) -> String {
        var shape = ""
        var index = 0
        while index < text.count {
            let end = run(of: text, from: index)
            let piece = text[index..<end]
            if (0x30...0x39).contains(text[index]) {
                // The day of the month has one digit or two.
                shape += end - index <= 2 && !isInTime(text, index, end) ? "\\d{1,2}" : "\\d+"
            } else if piece.count == 3, piece.dropFirst().allSatisfy({ (0x61...0x7A).contains($0) }) {
                shape += "[A-Z][a-z]+"
            } else {
                shape += String(decoding: LineVariants.quoted(Array(piece)), as: UTF8.self)
            }
            index = end
        }
        return shape
    }

    private static func isInTime(_ text: [UInt8], _ start: Int, _ end: Int) -> Bool {
        let colon = UInt8(ascii: ":")
        return start > 0 && text[start - 1] == colon || end < text.count && text[end] == colon
    }

    /// Returns the end of a number, of a word, or of a single other byte.
    private static func run(of text: [UInt8], from start: Int) -> Int {
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
        let isLetter = { (byte: UInt8) in (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) }
        let belongs = isDigit(text[start]) ? isDigit : isLetter
        guard belongs(text[start]) else { return start + 1 }
        return text[start...].firstIndex { !belongs($0) } ?? text.count
    }
}
