import Script

/// Arrow lines: the transcript of a received line is parsed as that line.
enum ArrowsTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        _ = parse([input])
        let line = Array("a< ".utf8) + Array(Escapes.escaped(input).utf8)
        let (statements, errors) = parse([line])
        guard errors.isEmpty, case .arrow(let arrow)? = statements.first,
            case .line(let text, let ending) = arrow.action
        else { fatalError("a line of a transcript is not read") }
        require(ending && text.literal == input, "a line of a transcript means something else")
    }
}
