import Script

/// A value that the server gave and the script sends back later: it becomes a capture with a name.
package struct LearnedCapture {
    package let name: String
    /// The line of the script where it first arrives.
    package let line: Int
    /// The value that was recorded.
    package let value: [UInt8]
    /// The text directly before the value, and which of its occurrences in the line that is, counted from 0.
    let before: [UInt8]
    let ordinal: Int

    /// Returns the range of the value in a line that has arrived instead of the recorded one, or nil.
    package func range(in arrived: [UInt8]) -> Range<Int>? {
        let isWord = value.allSatisfy(Token.isWord)
        func belongs(_ byte: UInt8) -> Bool { isWord ? Token.isWord(byte) : Token.isCoarse(byte) }
        var found = -1
        for index in arrived.indices where index + before.count <= arrived.count {
            let start = index + before.count
            guard arrived[index...].starts(with: before), start < arrived.count, belongs(arrived[start]),
                !before.isEmpty || index == 0
            else { continue }
            found += 1
            guard found == ordinal else { continue }
            var end = arrived[start...].firstIndex { !belongs($0) } ?? arrived.count
            while end > start + 1, Token.isJoint(arrived[end - 1]) { end -= 1 }
            return start..<end
        }
        return nil
    }

    /// Creates the capture of a token, at a range in the recorded text of a line.
    init(name: String, line: Int, text: [UInt8], range: Range<Int>) {
        self.name = name
        self.line = line
        value = Array(text[range])
        // The separators in front, and the word before them if it is not likely to change.
        var start = range.lowerBound
        while start > 0, !Token.isWord(text[start - 1]) { start -= 1 }
        let separators = start
        while start > 0, Token.isWord(text[start - 1]) { start -= 1 }
        if text[start..<separators].contains(where: { (0x30...0x39).contains($0) }) { start = separators }
        before = Array(text[start..<range.lowerBound])
        var count = 0
        for index in 0..<start where text[index...].starts(with: before) { count += 1 }
        ordinal = count
    }
}

/// The pieces that lines consist of.
enum Token {
    static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
    }

    /// Whether a byte may join words to one value, such as a UUID or a value in base64.
    static func isJoint(_ byte: UInt8) -> Bool { Array("-+/.~%".utf8).contains(byte) }

    static func isCoarse(_ byte: UInt8) -> Bool { isWord(byte) || isJoint(byte) || byte == UInt8(ascii: "=") }

    /// Returns the ranges of values of six or more bytes in a text, whole ones before their parts.
    static func values(in text: [UInt8]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        let kinds: [(UInt8) -> Bool] = [
            { byte in isWord(byte) || isJoint(byte) }, { byte in isWord(byte) || byte == UInt8(ascii: "-") },
            { byte in isWord(byte) },
        ]
        for belongs in kinds {
            var index = 0
            while index < text.count {
                guard isWord(text[index]) else {
                    index += 1
                    continue
                }
                var end = text[index...].firstIndex { !belongs($0) } ?? text.count
                let next = end
                while end > index, isJoint(text[end - 1]) { end -= 1 }
                // The padding of base64 belongs to it.
                if end == next, end - index >= 8 {
                    while end < text.count, end < next + 2, text[end] == UInt8(ascii: "=") { end += 1 }
                    if end < text.count, isWord(text[end]) { end = next }
                }
                if end - index >= 6, !ranges.contains(index..<end) { ranges.append(index..<end) }
                index = max(next, index + 1)
            }
        }
        return ranges
    }

    /// Returns where a value occurs in a text as a whole.
    static func occurrences(of value: [UInt8], in text: [UInt8]) -> [Range<Int>] {
        guard let first = value.first else { return [] }
        var found: [Range<Int>] = []
        var index = 0
        while let start = text[index...].firstIndex(of: first) {
            let end = start + value.count
            index = start + 1
            guard end <= text.count, text[start..<end].elementsEqual(value),
                start == 0 || !isWord(text[start - 1]) && text[start - 1] != UInt8(ascii: "\\"),
                end == text.count || !isWord(text[end])
            else { continue }
            found.append(start..<end)
            index = end
        }
        return found
    }
}
