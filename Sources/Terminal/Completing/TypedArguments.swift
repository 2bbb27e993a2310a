import Script

/// The arguments of a line being typed.
struct TypedArguments {
    /// The argument at the cursor.
    struct Current {
        /// The text as typed, with its opening quote.
        var raw = ""
        /// The text so far, without quotes.
        var text = ""
        /// The open quote, or nil.
        var quote: Character?

        /// The bytes that the argument represents so far.
        var bytes: [UInt8] {
            guard quote == "\"" else { return text.losslessBytes }
            let raw = String(raw.dropFirst()).losslessBytes
            var bytes: [UInt8] = []
            var index = 0
            while index < raw.count {
                if raw[index] == UInt8(ascii: "\\"), let decoded = try? Escapes.decode(raw, at: &index) {
                    bytes += decoded
                } else {
                    bytes.append(raw[index])
                    index += 1
                }
            }
            return bytes
        }
    }

    /// The arguments before the current one, without quotes.
    private(set) var before: [String] = []
    private(set) var current = Current()

    init(_ line: String) {
        var isEscaped = false
        var isInArgument = false
        for character in line {
            if isEscaped {
                current.text.append(character)
                current.raw.append(character)
                isEscaped = false
            } else if current.quote == nil, character == " " || character == "\t" {
                if isInArgument { before.append(current.text) }
                current = Current()
                isInArgument = false
            } else {
                isInArgument = true
                take(character, &isEscaped)
            }
        }
    }

    private mutating func take(_ character: Character, _ isEscaped: inout Bool) {
        current.raw.append(character)
        switch (character, current.quote) {
        case ("\\", "\""): isEscaped = true
        case ("\"", nil) where current.text.isEmpty, ("'", nil) where current.text.isEmpty: current.quote = character
        case (let closing, let quote?) where closing == quote: current.quote = nil
        default: current.text.append(character)
        }
    }
}
