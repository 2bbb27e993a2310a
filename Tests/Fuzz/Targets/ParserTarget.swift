import Script

/// A whole script: the same statements and errors whether it arrives line by line or all together.
enum ParserTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        let lines = SourceText.lines(of: input)
        let (statements, errors) = parse(lines)
        for error in errors {
            let shown = error.rendered
            require(
                shown.unicodeScalars.allSatisfy { $0 == "\n" || $0 == "\t" || !isAbleToAct($0) },
                "an error acts on the terminal")
        }
        require(parse(lines).errors.count == errors.count, "parsing depends on more than the text")
        for statement in statements { require(statement.range.line >= 1, "a statement without a place") }
    }
}
