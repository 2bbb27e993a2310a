import Script

/// Shows the replies of Redis (RESP2 and RESP3) as values, as redis-cli does.
struct RESPView: LineView {
    /// The bytes of a reply that is not complete, and how far they were looked at.
    private var pending: [UInt8] = []
    private var scan = RESPScan()

    /// The most bytes held back for a reply.
    private static let longest = 1 << 20

    mutating func take(_ text: [UInt8], ending: [UInt8], isPart: Bool) -> [ViewRow]? {
        let isAlone = pending.isEmpty && !isPart
        pending += text + ending
        var rows: [ViewRow] = []
        var start = 0
        while start < pending.count {
            switch scan.advance(in: pending) {
            case .complete:
                var reader = RESPReader(pending, from: start)
                rows += reader.rows()
                start = scan.index
            case .incomplete where pending.count - start <= Self.longest:
                pending.removeFirst(start)
                scan.index -= start
                return rows
            case .incomplete, .invalid:
                let rest = Array(pending[start...])
                (pending, scan) = ([], RESPScan())
                return isAlone && rows.isEmpty ? nil : rows + Self.plain(rest)
            }
        }
        (pending, scan) = ([], RESPScan())
        return rows
    }

    mutating func finish() -> [ViewRow] {
        defer { (pending, scan) = ([], RESPScan()) }
        return Self.plain(pending)
    }

    private static func plain(_ bytes: [UInt8]) -> [ViewRow] {
        SourceText.lines(of: bytes).map { ViewRow($0.last == 0x0D ? $0.dropLast() : $0[...]) }
    }
}

/// Finds the ends of replies; looks at each byte once.
private struct RESPScan {
    enum Outcome {
        case complete, incomplete, invalid
    }

    /// How far it has looked.
    var index = 0
    /// The bytes of a string that are still missing, with its line ending.
    private var stringLeft = 0
    /// The elements that are still missing, for each list around the next one.
    private var elementsLeft: [Int] = []

    private static let deepest = 32

    mutating func advance(in bytes: [UInt8]) -> Outcome {
        while index < bytes.count {
            if stringLeft > 0 {
                let count = min(stringLeft, bytes.count - index)
                index += count
                stringLeft -= count
                if stringLeft > 0 { return .incomplete }
                if endElement() { return .complete }
                continue
            }
            guard let end = bytes[index...].firstIndex(of: 0x0A) else { return .incomplete }
            guard end > index + 1, bytes[end - 1] == 0x0D else { return .invalid }
            let (kind, text) = (bytes[index], bytes[(index + 1)..<(end - 1)])
            index = end + 1
            guard let isWhole = begin(kind, text) else { return .invalid }
            if isWhole, endElement() { return .complete }
        }
        return .incomplete
    }

    /// Begins an element; returns whether it is whole, or nil if it is invalid.
    private mutating func begin(_ kind: UInt8, _ text: ArraySlice<UInt8>) -> Bool? {
        guard !"+-:,(#_".utf8.contains(kind) else { return true }
        guard let count = Int(String(decoding: text, as: UTF8.self)), count >= -1, count <= 1 << 29 else { return nil }
        switch kind {
        case UInt8(ascii: "$"), UInt8(ascii: "="), UInt8(ascii: "!"):
            stringLeft = count + 2
            return count < 0
        case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"), UInt8(ascii: "%"):
            guard count > 0 else { return true }
            guard elementsLeft.count < Self.deepest else { return nil }
            elementsLeft.append(kind == UInt8(ascii: "%") ? 2 * count : count)
            return false
        default: return nil
        }
    }

    /// Ends an element, and the lists of which it is the last; returns whether that ends the reply.
    private mutating func endElement() -> Bool {
        stringLeft = 0
        while let left = elementsLeft.popLast() {
            if left > 1 {
                elementsLeft.append(left - 1)
                return false
            }
        }
        return true
    }
}

/// Reads complete replies.
private struct RESPReader {
    private let bytes: [UInt8]
    private var index: Int

    init(_ bytes: [UInt8], from index: Int) {
        self.bytes = bytes
        self.index = index
    }

    mutating func rows() -> [ViewRow] {
        guard index < bytes.count, let end = bytes[index...].firstIndex(of: 0x0A) else { return [] }
        let (kind, text) = (bytes[index], bytes[(index + 1)..<(end - 1)])
        index = end + 1
        switch kind {
        case UInt8(ascii: "+"): return [ViewRow(text, style: ViewStyle.text)]
        case UInt8(ascii: "-"): return [ViewRow("(error) ".utf8 + Array(text), style: ViewStyle.error)]
        case UInt8(ascii: ":"): return [ViewRow("(integer) ".utf8 + Array(text), style: ViewStyle.number)]
        case UInt8(ascii: ","): return [ViewRow("(double) ".utf8 + Array(text), style: ViewStyle.number)]
        case UInt8(ascii: "("): return [ViewRow("(big number) ".utf8 + Array(text), style: ViewStyle.number)]
        case UInt8(ascii: "#"):
            return [ViewRow(text.first == UInt8(ascii: "t") ? "(true)" : "(false)", style: ViewStyle.number)]
        case UInt8(ascii: "_"): return [Self.null]
        case UInt8(ascii: "!"): return string(text, style: ViewStyle.error)
        case UInt8(ascii: "$"), UInt8(ascii: "="): return string(text, style: ViewStyle.text)
        case UInt8(ascii: "%"): return map(Self.number(text))
        default: return list(Self.number(text))
        }
    }

    private static let null = ViewRow("(nil)", style: ViewStyle.aside)
    private static let empty = ViewRow("(empty)", style: ViewStyle.aside)

    private static func number(_ text: ArraySlice<UInt8>) -> Int { Int(String(decoding: text, as: UTF8.self)) ?? 0 }

    private mutating func string(_ text: ArraySlice<UInt8>, style: String) -> [ViewRow] {
        let count = Self.number(text)
        guard count >= 0, index + count <= bytes.count else { return [Self.null] }
        let value = bytes[index..<(index + count)]
        index += count + 2
        return [ViewRow("\"".utf8 + Array(value) + "\"".utf8, style: style)]
    }

    private mutating func list(_ count: Int) -> [ViewRow] {
        guard count > 0 else { return [count < 0 ? Self.null : Self.empty] }
        let width = String(count).count
        var all: [ViewRow] = []
        for number in 1...count {
            let digits = String(number)
            let head = String(repeating: " ", count: width - digits.count) + digits + ") "
            for (index, row) in rows().enumerated() {
                all.append(row.indented(index == 0 ? head : String(repeating: " ", count: head.count)))
            }
        }
        return all
    }

    private mutating func map(_ count: Int) -> [ViewRow] {
        guard count > 0 else { return [Self.empty] }
        var all: [ViewRow] = []
        for _ in 0..<count {
            var keys = rows()
            let values = rows()
            if var last = keys.popLast() {
                last.append(" => ")
                if values.count == 1 { last.append(values[0]) }
                all += keys + [last]
            }
            if values.count > 1 { all += values.map { $0.indented("  ") } }
        }
        return all
    }
}
