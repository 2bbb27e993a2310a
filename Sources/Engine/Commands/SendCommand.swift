import Script

/// `send`: sends a text that an arrow line cannot hold well.
struct SendCommand: Command {
    static var description: CommandDescription {
        CommandDescription(
            name: "send", summary: "send a text or bytes",
            forms: [Form(.parameter(.target), .parameter(Parameter("TEXT", .text)))],
            options: [
                CommandOption("--raw", "without a line ending"),
                CommandOption("--hex", "TEXT is bytes in hexadecimal, sent without a line ending"),
            ],
            text: """
                Like 'T> TEXT', with TEXT as a quoted word: the session's line ending is added. A text that begins with \
                -- is quoted.
                """,
            examples: ["send a \"hello\"", "send a,b --raw \"no newline\"", "send a --hex \"de ad be ef\""])
    }

    static func compile(_ call: CommandCall, into compiler: inout Compiler) throws(ScriptError) {
        let text = try call.required("TEXT")
        let isHex = call.has(option: "--hex")
        if isHex, let bytes = text.literal, Literals.hex(bytes) == nil {
            throw ScriptError(text.range, Parameter.Kind.hex.problem(with: bytes) ?? "not hexadecimal")
        }
        if isHex {
            compiler.emit(SendBytesInstruction(target: try call.target(), bytes: Value(hex: text), range: call.range))
        } else {
            compiler.emit(
                SendInstruction(
                    target: try call.target(), text: text.template, hasEnding: !call.has(option: "--raw"),
                    range: call.range))
        }
    }
}

extension Value where Result == [UInt8] {
    init(hex word: Word) {
        self.init(word, .hex) { Literals.hex($0) }
    }
}

private struct SendBytesInstruction: Instruction {
    let target: Target
    let bytes: Value<[UInt8]>
    let range: SourceRange

    func execute(in strand: Strand, _ interpreter: Interpreter) throws(Failure) -> Step {
        let bytes = try bytes.evaluate(in: strand)
        let conversations = try strand.conversations(target, orFail: .connection)
        for conversation in conversations { try conversation.send(bytes, line: range.line) }
        return SendWait.step(for: conversations, interpreter)
    }
}
