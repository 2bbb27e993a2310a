/// The rows of a CSV text (RFC 4180), one at a time. Line endings are CRLF or LF.
package struct CSV {
    /// The text is not CSV.
    package struct Failure: Error {
        package let message: String
    }

    private let text: [UInt8]
    private var index = 0
    /// The line of the next row, counted from 1.
    package private(set) var line = 1

    package init(_ text: [UInt8]) {
        self.text = text
        // The first field begins after a byte order mark, as spreadsheets write it.
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    /// Returns the fields of the next row, or nil at the end.
    package mutating func next() throws(Failure) -> [[UInt8]]? {
        guard index < text.count else { return nil }
        var row: [[UInt8]] = []
        while true {
            row.append(try field())
            guard index < text.count, text[index] == UInt8(ascii: ",") else { break }
            index += 1
        }
        skipLineEnding()
        return row
    }

    private mutating func skipLineEnding() {
        if index + 1 < text.count, text[index] == 0x0D, text[index + 1] == 0x0A { index += 1 }
        if index < text.count { index += 1 }
        line += 1
    }

    private mutating func field() throws(Failure) -> [UInt8] {
        let quote = UInt8(ascii: "\"")
        guard index < text.count, text[index] == quote else {
            let start = index
            while index < text.count, text[index] != UInt8(ascii: ","), !isAtLineEnding { index += 1 }
            let field = Array(text[start..<index])
            guard !field.contains(quote) else { throw Failure(message: "has a quote inside an unquoted CSV field") }
            guard !field.contains(0x0D) else {
                throw Failure(message: "has a carriage return inside an unquoted CSV field")
            }
            return field
        }
        var field: [UInt8] = []
        index += 1
        while index < text.count {
            let byte = text[index]
            index += 1
            if byte == 0x0A { line += 1 }
            if byte != quote {
                field.append(byte)
            } else if index < text.count, text[index] == quote {
                field.append(quote)
                index += 1
            } else {
                guard index == text.count || text[index] == UInt8(ascii: ",") || isAtLineEnding else {
                    throw Failure(message: "has text after a quoted CSV field")
                }
                return field
            }
        }
        throw Failure(message: "has an unterminated quote")
    }

    private var isAtLineEnding: Bool {
        text[index] == 0x0A || text[index] == 0x0D && (index + 1 == text.count || text[index + 1] == 0x0A)
    }
}
