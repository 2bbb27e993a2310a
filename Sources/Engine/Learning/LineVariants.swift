import Script

/// The lines that arrived for one expected line, in several runs, as one pattern.
package struct LineVariants {
    /// A piece of a line. Numbers stand for each other, and so do dates and captured values.
    private struct Piece: Hashable {
        enum Kind: Hashable {
            case text([UInt8])
            case number, decimal, date
            /// The value of a capture, by index.
            case value(Int)
        }

        let kind: Kind
        let bytes: [UInt8]

        static func == (left: Piece, right: Piece) -> Bool { left.kind == right.kind }

        func hash(into hasher: inout Hasher) { hasher.combine(kind) }
    }

    private let variants: [[Piece]]
    private let dates = DateShape()
    private let captures: [LearnedCapture]
    private let lengths: Set<Int>

    /// - Parameters:
    ///   - lines: the recorded line and those that have arrived.
    ///   - captures: the values in it that have names.
    ///   - lengths: numbers that are lengths of data which changes, so they change too.
    package init(_ lines: [[UInt8]], captures: [LearnedCapture], lengths: Set<Int> = []) {
        self.captures = captures
        self.lengths = lengths
        let dates = dates
        variants = lines.map { Self.pieces(of: $0, captures, dates) }
    }

    /// Whether another run may give a line of another length: the lines have different lengths, or numbers in them
    /// differ.
    package var mayChangeLength: Bool {
        let counts = Set(variants.map { $0.reduce(0) { $0 + $1.bytes.count } })
        let numbers = variants.map { $0.filter { $0.kind == .number || $0.kind == .decimal }.map(\.bytes) }
        return counts.count > 1 || numbers.contains { $0 != numbers[0] }
    }

    /// Whether a number in a line is one of these.
    static func hasNumber(_ number: Int, in line: [UInt8]) -> Bool {
        plainPieces(line[...]).contains { $0.kind == .number && $0.bytes.elementsEqual(String(number).utf8) }
    }

    /// The regex that matches all of them.
    package var pattern: [UInt8] {
        let common = variants.dropFirst().reduce(variants[0]) { Self.common($0, $1) }
        var positions = variants.map { _ in 0 }
        var steps: [(gap: [[UInt8]], same: [Piece])] = []
        for piece in common {
            steps.append((gap(upTo: piece, &positions), variants.indices.map { variants[$0][positions[$0] - 1] }))
        }
        // Figures such as run times come together: if one changes, the others may.
        let hasFigures = steps.contains { $0.same.first?.kind == .decimal && !Self.areEqual($0.same) }
        var pattern: [UInt8] = []
        for step in steps { pattern += Array(narrowest(step.gap).utf8) + shared(step.same, hasFigures: hasFigures) }
        return pattern + Array(narrowest(gap(upTo: nil, &positions)).utf8)
    }

    /// Returns the text before the next common piece in each line, and moves on to the text after it.
    private func gap(upTo piece: Piece?, _ positions: inout [Int]) -> [[UInt8]] {
        variants.indices.map { index in
            let variant = variants[index]
            let start = positions[index]
            let end = piece.flatMap { piece in variant[start...].firstIndex(of: piece) } ?? variant.count
            positions[index] = end + 1
            return variant[min(start, end)..<end].flatMap(\.bytes)
        }
    }

    private static func areEqual(_ pieces: [Piece]) -> Bool { pieces.allSatisfy { $0.bytes == pieces[0].bytes } }

    /// Returns the pattern of a piece that is in all lines.
    private func shared(_ pieces: [Piece], hasFigures: Bool) -> [UInt8] {
        let texts = pieces.map(\.bytes)
        let isSame = Self.areEqual(pieces)
        switch pieces[0].kind {
        case .value(let index): return captured(texts, captures[index].name)
        case .decimal where !isSame || hasFigures: return Array("\\d+\\.\\d+".utf8)
        case .number where !isSame || lengths.contains { texts[0].elementsEqual(String($0).utf8) }:
            return Array("\\d+".utf8)
        case .date where !isSame: return Array((dates.pattern(of: texts) ?? ".*?").utf8)
        default: return Self.quoted(texts[0])
        }
    }

    private func captured(_ values: [[UInt8]], _ name: String) -> [UInt8] {
        let pattern =
            values.allSatisfy { $0.allSatisfy(Self.isDigit) }
            ? "\\d+"
            : Self.hexadecimal(values).map { $0 + "+" }
                ?? (values.joined().allSatisfy(Token.isWord) ? "\\w+" : "[\\w+/.~%=-]+")
        return Array("(?<\(name)>\(pattern))".utf8)
    }

    // MARK: Patterns

    /// Returns the narrowest pattern for different texts in the same place.
    private func narrowest(_ texts: [[UInt8]]) -> String {
        guard texts.contains(where: { !$0.isEmpty }) else { return "" }
        let isOptional = texts.contains(where: \.isEmpty)
        let full = texts.filter { !$0.isEmpty }
        let many = isOptional ? "*" : "+"
        if full.allSatisfy({ $0.allSatisfy(Self.isDigit) }) { return "\\d" + many }
        if let digits = Self.hexadecimal(full) { return digits + many }
        if !isOptional, let numbered = Self.numbered(full) { return numbered }
        if !isOptional, let shape = dates.pattern(of: full) { return shape }
        let hasBlank = full.contains { $0.contains { $0 == 0x20 || (0x09...0x0D).contains($0) } }
        return hasBlank ? ".*?" : "\\S" + many
    }

    /// Returns the pattern of texts that differ only in one number, such as `login1` and `login27`; nil for others.
    private static func numbered(_ texts: [[UInt8]]) -> String? {
        guard let first = texts.first, let shortest = texts.map(\.count).min() else { return nil }
        var start = 0
        while start < shortest, texts.allSatisfy({ $0[start] == first[start] }) { start += 1 }
        while start > 0, isDigit(first[start - 1]) { start -= 1 }
        var end = 0
        while end < shortest - start, texts.allSatisfy({ $0[$0.count - 1 - end] == first[first.count - 1 - end] }) {
            end += 1
        }
        while end > 0, isDigit(first[first.count - end]) { end -= 1 }
        let middles = texts.map { $0[start..<($0.count - end)] }
        guard start + end > 0, middles.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isDigit) }) else { return nil }
        let parts = [quoted(Array(first[..<start])), Array("\\d+".utf8), quoted(Array(first.suffix(end)))]
        return String(decoding: parts.joined(), as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    /// Returns the class of hexadecimal numbers of four or more digits; nil for other texts.
    private static func hexadecimal(_ texts: [[UInt8]]) -> String? {
        let all = texts.joined()
        let isLower = all.allSatisfy { isDigit($0) || (0x61...0x66).contains($0) }
        let isUpper = all.allSatisfy { isDigit($0) || (0x41...0x46).contains($0) }
        guard isLower || isUpper, texts.allSatisfy({ $0.count >= 4 }), all.contains(where: isDigit) else { return nil }
        return isLower ? "[0-9a-f]" : "[0-9A-F]"
    }

    /// Returns a text as a regex that matches only itself.
    package static func quoted(_ bytes: [UInt8]) -> [UInt8] {
        var pattern: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case 0x20 where index == bytes.count - 1 && bytes.count > 1, 0..<0x20, 0x7F...:
                pattern += escaped(byte, in: bytes, at: index)
            case _ where Token.isWord(byte) || byte == 0x20: pattern.append(byte)
            case _ where Array("\"'#%&,-:;<=>@_`~!/".utf8).contains(byte): pattern.append(byte)
            default: pattern += [UInt8(ascii: "\\"), byte]
            }
        }
        return pattern
    }

    private static func escaped(_ byte: UInt8, in bytes: [UInt8], at index: Int) -> [UInt8] {
        // Characters that are valid stay as they are.
        if byte >= 0x80, String(validating: bytes, as: UTF8.self) != nil { return [byte] }
        return Array("\\x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
    }

    // MARK: Pieces

    private static func pieces(
        of line: [UInt8], _ captures: [LearnedCapture], _ shape: DateShape
    ) -> [Piece] {
        let values = captures.enumerated().compactMap { index, capture in
            capture.range(in: line).map { (range: $0, kind: Piece.Kind.value(index)) }
        }
        let dates = shape.ranges(in: line).filter { date in !values.contains { $0.range.overlaps(date) } }
        let known = (values + dates.map { ($0, .date) }).sorted { $0.range.lowerBound < $1.range.lowerBound }
        var pieces: [Piece] = []
        var index = 0
        for (range, kind) in known where range.lowerBound >= index {
            pieces += plainPieces(line[index..<range.lowerBound]) + [Piece(kind: kind, bytes: Array(line[range]))]
            index = range.upperBound
        }
        return pieces + plainPieces(line[index...])
    }

    /// Returns the words, numbers and other characters of a text.
    private static func plainPieces(_ text: ArraySlice<UInt8>) -> [Piece] {
        var pieces: [Piece] = []
        var index = text.startIndex
        while index < text.endIndex {
            let isWord = Token.isWord(text[index])
            let belongs = { (byte: UInt8) in isWord ? Token.isWord(byte) : byte & 0xC0 == 0x80 }
            var end = text[(index + 1)...].firstIndex { !belongs($0) } ?? text.endIndex
            if !isWord, text[index] < 0xC0 { end = index + 1 }
            var kind = text[index..<end].allSatisfy(isDigit) ? Piece.Kind.number : .text(Array(text[index..<end]))
            let isAfterPoint = index > text.startIndex && text[index - 1] == UInt8(ascii: ".")
            if kind == .number, !isAfterPoint, let last = decimalEnd(text, from: end) { (kind, end) = (.decimal, last) }
            pieces.append(Piece(kind: kind, bytes: Array(text[index..<end])))
            index = end
        }
        return pieces
    }

    /// Returns the end of the digits after a decimal point at `point`, unless more numbers follow, as in an address.
    private static func decimalEnd(_ text: ArraySlice<UInt8>, from point: Int) -> Int? {
        guard point + 1 < text.endIndex, text[point] == UInt8(ascii: "."), isDigit(text[point + 1]) else { return nil }
        let end = text[(point + 1)...].firstIndex { !Token.isWord($0) } ?? text.endIndex
        guard text[(point + 1)..<end].allSatisfy(isDigit) else { return nil }
        let goesOn = end + 1 < text.endIndex && text[end] == UInt8(ascii: ".") && isDigit(text[end + 1])
        return goesOn ? nil : end
    }

    /// Returns the longest common subsequence of two lines.
    private static func common(_ left: [Piece], _ right: [Piece]) -> [Piece] {
        // Equal ends need no table, and a line of very many pieces gets no more than that.
        var start = 0
        while start < min(left.count, right.count), left[start] == right[start] { start += 1 }
        var end = 0
        while end < min(left.count, right.count) - start, left[left.count - 1 - end] == right[right.count - 1 - end] {
            end += 1
        }
        let (inLeft, inRight) = (left[start..<(left.count - end)], right[start..<(right.count - end)])
        let middle = inLeft.count * inRight.count <= 4_000_000 ? table(Array(inLeft), Array(inRight)) : []
        return left[..<start] + middle + left[(left.count - end)...]
    }

    private static func table(_ left: [Piece], _ right: [Piece]) -> [Piece] {
        guard !left.isEmpty, !right.isEmpty else { return [] }
        var lengths = [[Int]](repeating: [Int](repeating: 0, count: right.count + 1), count: left.count + 1)
        for row in left.indices.reversed() {
            for column in right.indices.reversed() {
                lengths[row][column] =
                    left[row] == right[column]
                    ? lengths[row + 1][column + 1] + 1 : max(lengths[row + 1][column], lengths[row][column + 1])
            }
        }
        var (row, column) = (0, 0)
        var result: [Piece] = []
        while row < left.count, column < right.count {
            if left[row] == right[column] {
                result.append(left[row])
                (row, column) = (row + 1, column + 1)
            } else if lengths[row + 1][column] >= lengths[row][column + 1] {
                row += 1
            } else {
                column += 1
            }
        }
        return result
    }
}
