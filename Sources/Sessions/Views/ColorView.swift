/// Shows the colors of a line (ECMA-48 SGR) and leaves out all other control sequences, so that the output of a shell
/// can be read. Nothing else of it acts on the terminal.
struct ColorView: LineView {
    /// The style at the end of the last line; the next line continues it.
    private var style: String?

    mutating func take(_ text: [UInt8], ending: [UInt8], isPart: Bool) -> [ViewRow]? {
        var row = ViewRow()
        var run: [UInt8] = []
        for piece in ControlSequences.pieces(of: text) {
            switch piece {
            case .text(let bytes): run += bytes
            case .color(let parameters):
                if !run.isEmpty { row.append(run, style: style) }
                run = []
                style = Self.style(parameters, after: style)
            }
        }
        if !run.isEmpty { row.append(run, style: style) }
        row.isUnfinished = isPart
        return [row]
    }

    mutating func finish() -> [ViewRow] { [] }

    /// Returns the style that SGR parameters lead to. A reset at the beginning forgets what was before.
    private static func style(_ parameters: String, after former: String?) -> String? {
        let all = parameters.split(separator: ";", omittingEmptySubsequences: false)
        if all.allSatisfy({ $0.isEmpty || $0 == "0" }) { return nil }
        if let first = all.first, first.isEmpty || first == "0" { return parameters }
        let joined = [former, parameters].compactMap { $0 }.joined(separator: ";")
        // Styles that only grow would never be reset.
        return joined.utf8.count > 64 ? parameters : joined
    }
}

/// Divides output for a terminal (ECMA-48) into text and colors.
enum ControlSequences {
    enum Piece: Equatable {
        case text(ArraySlice<UInt8>)
        /// The parameters of SGR: digits, `;` and `:`.
        case color(String)
    }

    /// Returns the text without control sequences and control characters.
    static func removed(from bytes: [UInt8]) -> [UInt8] {
        pieces(of: bytes).flatMap { piece -> [UInt8] in
            if case .text(let text) = piece { return Array(text) }
            return []
        }
    }

    static func pieces(of bytes: [UInt8]) -> [Piece] {
        var pieces: [Piece] = []
        var index = 0
        while index < bytes.count {
            let start = index
            while index < bytes.count, bytes[index] >= 0x20, bytes[index] != 0x7F { index += 1 }
            if index > start { pieces.append(.text(bytes[start..<index])) }
            guard index < bytes.count else { break }
            if bytes[index] == 0x09 {
                pieces.append(.text(bytes[index...index]))
                index += 1
            } else if bytes[index] == 0x1B {
                if let color = skipSequence(bytes, &index) { pieces.append(.color(color)) }
            } else {
                index += 1
            }
        }
        return pieces
    }

    /// Skips a sequence that begins with ESC; returns the parameters if it sets colors.
    private static func skipSequence(_ bytes: [UInt8], _ index: inout Int) -> String? {
        index += 1
        guard index < bytes.count else { return nil }
        let kind = bytes[index]
        switch kind {
        case UInt8(ascii: "["):
            let start = index + 1
            index = start
            while index < bytes.count, (0x20...0x3F).contains(bytes[index]) { index += 1 }
            guard index < bytes.count, (0x40...0x7E).contains(bytes[index]) else { return nil }
            let parameters = bytes[start..<index]
            index += 1
            let isColor = bytes[index - 1] == UInt8(ascii: "m") && parameters.count < 32
            return isColor && parameters.allSatisfy { (0x30...0x3B).contains($0) }
                ? String(decoding: parameters, as: UTF8.self) : nil
        case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "X"):
            // A string, until BEL or ST.
            index += 1
            while index < bytes.count {
                if bytes[index] == 0x07 {
                    index += 1
                    return nil
                }
                if bytes[index] == 0x1B {
                    if index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "\\") { index += 2 }
                    return nil
                }
                index += 1
            }
            return nil
        default:
            while index < bytes.count, (0x20...0x2F).contains(bytes[index]) { index += 1 }
            if index < bytes.count { index += 1 }
            return nil
        }
    }
}
