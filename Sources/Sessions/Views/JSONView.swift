/// Shows JSON (RFC 8259) with one member a row, where it does not fit in one row.
struct JSONView: LineView {
    /// Whether a text contains a secret: it is shown as it is, since rows could divide the secret.
    let hidesSecret: ([UInt8]) -> Bool
    private var joiner = LineJoiner()

    init(hidesSecret: @escaping ([UInt8]) -> Bool) { self.hidesSecret = hidesSecret }

    mutating func take(_ text: [UInt8], ending: [UInt8], isPart: Bool) -> [ViewRow]? {
        guard let line = joiner.join(text, isPart: isPart) else { return [] }
        return (hidesSecret(line) ? nil : JSONLayout.rows(of: line))
            ?? (line.count == text.count ? nil : [ViewRow(line)])
    }

    mutating func finish() -> [ViewRow] {
        let rest = joiner.takeRest()
        return rest.isEmpty ? [] : [ViewRow(rest)]
    }
}

/// The layout of a JSON text in rows.
enum JSONLayout {
    private indirect enum Node {
        case scalar([UInt8], style: String?)
        case array([Node])
        case object([(key: [UInt8], value: Node)])
    }

    /// A longer text is not laid out.
    private static let longest = 1 << 20
    private static let deepest = 100
    /// The most bytes in which an array or an object is shown in one row.
    private static let widest = 64

    /// Returns the rows of an object or an array; nil for any other text.
    static func rows(of text: [UInt8]) -> [ViewRow]? {
        guard text.count <= longest else { return nil }
        var reader = Reader(text)
        guard let node = reader.node(depth: 0), reader.isAtEnd else { return nil }
        if case .scalar = node { return nil }
        return rows(of: node)
    }

    private static func rows(of node: Node) -> [ViewRow] {
        if let row = oneRow(node) { return [row] }
        switch node {
        case .scalar(let text, let style): return [ViewRow(text, style: style)]
        case .array(let values): return group("[", values.map { rows(of: $0) }, "]")
        case .object(let members):
            return group("{", members.map { key, value in named(key, rows(of: value)) }, "}")
        }
    }

    private static func named(_ key: [UInt8], _ rows: [ViewRow]) -> [ViewRow] {
        var first = ViewRow(key, style: ViewStyle.name)
        first.append(": ")
        if let row = rows.first { first.append(row) }
        return [first] + rows.dropFirst()
    }

    private static func group(_ start: String, _ values: [[ViewRow]], _ end: String) -> [ViewRow] {
        var rows = [ViewRow(start)]
        for (index, value) in values.enumerated() {
            var value = value
            if index < values.count - 1, var last = value.popLast() {
                last.append(",")
                value.append(last)
            }
            rows += value.map { $0.indented("  ") }
        }
        return rows + [ViewRow(end)]
    }

    private static func oneRow(_ node: Node) -> ViewRow? {
        var row = ViewRow()
        return append(node, to: &row) ? row : nil
    }

    /// Appends a node; returns false if it does not fit in one row.
    private static func append(_ node: Node, to row: inout ViewRow) -> Bool {
        switch node {
        case .scalar(let text, let style): row.append(text, style: style)
        case .array(let values):
            row.append("[")
            for (index, value) in values.enumerated() {
                if index > 0 { row.append(", ") }
                guard append(value, to: &row), row.count <= widest else { return false }
            }
            row.append("]")
        case .object(let members):
            row.append("{")
            for (index, member) in members.enumerated() {
                if index > 0 { row.append(", ") }
                row.append(member.key, style: ViewStyle.name)
                row.append(": ")
                guard append(member.value, to: &row), row.count <= widest else { return false }
            }
            row.append("}")
        }
        return true
    }

    /// Reads a JSON text. Strings and numbers are kept as they are written.
    private struct Reader {
        private let text: [UInt8]
        private var index = 0

        init(_ text: [UInt8]) { self.text = text }

        /// Whether nothing but white space is left.
        var isAtEnd: Bool { text[index...].allSatisfy { " \t\r\n".utf8.contains($0) } }

        mutating func node(depth: Int) -> Node? {
            guard depth < deepest else { return nil }
            skipSpace()
            switch text[safe: index] {
            case UInt8(ascii: "{"): return object(depth)
            case UInt8(ascii: "["): return array(depth)
            case UInt8(ascii: "\""): return string().map { .scalar($0, style: ViewStyle.text) }
            default:
                let word = text[index...].prefix { !" \t\r\n,:]}\"".utf8.contains($0) }
                index += word.count
                let isName = ["true", "false", "null"].contains { word.elementsEqual($0.utf8) }
                return isName || isNumber(word) ? .scalar(Array(word), style: ViewStyle.number) : nil
            }
        }

        private func isNumber(_ word: ArraySlice<UInt8>) -> Bool {
            let isPlain = word.allSatisfy { (48...57).contains($0) || "+-.eE".utf8.contains($0) }
            return isPlain && Double(String(decoding: word, as: UTF8.self)) != nil
        }

        private mutating func skipSpace() {
            while let byte = text[safe: index], " \t\r\n".utf8.contains(byte) { index += 1 }
        }

        private mutating func take(_ byte: Character) -> Bool {
            skipSpace()
            guard text[safe: index] == byte.asciiValue else { return false }
            index += 1
            return true
        }

        private mutating func string() -> [UInt8]? {
            let start = index
            index += 1
            while let byte = text[safe: index] {
                index += 1
                if byte == UInt8(ascii: "\\") {
                    index += 1
                } else if byte == UInt8(ascii: "\"") {
                    return Array(text[start..<index])
                }
            }
            return nil
        }

        private mutating func array(_ depth: Int) -> Node? {
            index += 1
            var values: [Node] = []
            if take("]") { return .array([]) }
            repeat {
                guard let value = node(depth: depth + 1) else { return nil }
                values.append(value)
            } while take(",")
            return take("]") ? .array(values) : nil
        }

        private mutating func object(_ depth: Int) -> Node? {
            index += 1
            var members: [(key: [UInt8], value: Node)] = []
            if take("}") { return .object([]) }
            repeat {
                skipSpace()
                guard text[safe: index] == UInt8(ascii: "\""), let key = string(), take(":"),
                    let value = node(depth: depth + 1)
                else { return nil }
                members.append((key, value))
            } while take(",")
            return take("}") ? .object(members) : nil
        }
    }
}

extension Array {
    /// The element at an index, or nil beyond the end.
    fileprivate subscript(safe index: Int) -> Element? { index < count ? self[index] : nil }
}
