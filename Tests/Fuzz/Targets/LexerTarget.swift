import Script

/// A line of text as the arguments of a command: parsed without a trap, with printable errors.
enum LexerTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        let commands = ["print ", "expect a ", "if ", "send a "]
        let command = commands[Int(input.first ?? 0) % commands.count]
        for error in parse(SourceText.lines(of: Array(command.utf8) + input.dropFirst())).errors {
            require(error.rendered.hasSuffix("\n"), "an error without an end")
        }
    }
}
