import Commands
import Engine
import Functions
import Results
import Sessions
import VM
import Glibc
import Script
import Wire

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Passes the target named by FUZZ_TARGET to libFuzzer, with its options (LLVM, LibFuzzer).
@main
struct Fuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(
            runDriver(&count, &arguments) { data, count in
                FuzzTarget.chosen.run(Array(UnsafeBufferPointer(start: data, count: count)))
                return 0
            })
    }
}

/// A component that reads untrusted input.
enum FuzzTarget: String, CaseIterable {
    case lexer, parser, escapes, arrows, lines, patterns, functions, frames, telnet, websocket, proxy, screen

    /// The target that FUZZ_TARGET names.
    static let chosen: FuzzTarget = {
        guard let name = getenv("FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
            fatalError("FUZZ_TARGET is one of \(allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return target
    }()

    func run(_ input: [UInt8]) {
        switch self {
        case .lexer: fuzzLexer(input)
        case .parser: fuzzParser(input)
        case .escapes: fuzzEscapes(input)
        case .arrows: fuzzArrows(input)
        case .lines: fuzzLines(input)
        case .patterns: fuzzPatterns(input)
        case .functions: fuzzFunctions(input)
        case .frames: fuzzFrames(input)
        case .telnet: fuzzLayer(input) { TelnetLayer() }
        case .websocket:
            fuzzLayer(input) { try? WebSocketLayer(isServer: true, limit: 4096) }
            fuzzLayer(input) { try? WebSocketLayer(isServer: false, limit: 4096) }
        case .proxy: fuzzProxyHeader(input)
        case .screen: fuzzScreen(input)
        }
    }
}

/// Whether a scalar acts on a terminal. Joiners do not count: they are kept where they join.
private func isAbleToAct(_ scalar: Unicode.Scalar) -> Bool {
    actsOnTerminal(scalar) && scalar.value != 0x200C && scalar.value != 0x200D
}

private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

// There is only one thread.
nonisolated(unsafe) private let registry = CommandRegistry.standard()

private func parse(_ lines: [[UInt8]]) -> (statements: [Statement], errors: [ScriptError]) {
    let source = SourceText(name: "fuzz")
    var parser = Parser(source: source, commands: registry.table) { path in
        path.starts(with: "lib".utf8)
            ? .success(.init(bytes: Array("define f x {\n}\n".utf8), identity: String(decoding: path, as: UTF8.self)))
            : .failure(.init(message: "no such file"))
    }
    for line in lines { parser.feed(line) }
    parser.finish()
    var checker = Checker(commands: registry.table, variables: ["v"], sessions: ["a"], environment: ["HOME"])
    var errors = parser.errors + checker.check(parser.completed, parseErrors: parser.errors)
    do { _ = try registry.compile(parser.completed) } catch { errors += error.errors }
    return (parser.completed, errors)
}

/// A line of text as the arguments of a command: parsed without a trap, with printable errors.
private func fuzzLexer(_ input: [UInt8]) {
    let commands = ["print ", "expect a ", "if ", "send a "]
    let command = commands[Int(input.first ?? 0) % commands.count]
    for error in parse(SourceText.lines(of: Array(command.utf8) + input.dropFirst())).errors {
        require(error.rendered.hasSuffix("\n"), "an error without an end")
    }
}

/// Expansions with functions are parsed without a trap, and every function takes any value: bounded, and there and back.
private func fuzzFunctions(_ input: [UInt8]) {
    for error in parse([Array("print ${v:".utf8) + input.filter { $0 != 0x0A } + Array("}".utf8)]).errors {
        require(error.rendered.hasSuffix("\n"), "an error without an end")
    }
    guard let first = input.first else { return }
    let function = ValueFunction.allCases[Int(first) % ValueFunction.allCases.count]
    let value = Array(input.dropFirst())
    let arguments = function.arguments.map { argument -> [UInt8] in
        if case .number = argument { [UInt8(ascii: "1") + first % 9] } else { Array(value.suffix(3)) }
    }
    let result = try? Functions.apply(function, to: value, arguments, outputLimit: 1 << 16)
    if [.fromGzip, .fromZlib].contains(function) { require(result?.count ?? 0 <= 1 << 16, "the result is too large") }
    guard let result, let inverse = ValueFunction(rawValue: "from-" + function.rawValue) else { return }
    let back = try? Functions.apply(inverse, to: result, [], outputLimit: 64 << 20)
    require(function.group == .number || back == value, "\(function.rawValue) and back is another value")
}

/// A whole script: the same statements and errors whether it arrives line by line or all together.
private func fuzzParser(_ input: [UInt8]) {
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

/// Text in the script's notation represents the same bytes when it is parsed, and nothing in it acts on a terminal.
private func fuzzEscapes(_ input: [UInt8]) {
    for isPart in [false, true] {
        let text = Escapes.escaped(input, isPart: isPart)
        require(!text.unicodeScalars.contains(where: isAbleToAct), "an escape acts on the terminal")
        var written = Array(text.utf8)
        if isPart { written.removeLast() }
        var read: [UInt8] = []
        var index = 0
        while index < written.count {
            if written[index] == UInt8(ascii: "\\") {
                guard let bytes = try? Escapes.decode(written, at: &index) else {
                    fatalError("an escape of ours cannot be read")
                }
                read += bytes
            } else {
                read.append(written[index])
                index += 1
            }
        }
        require(read == input, "an escaped text means something else")
    }
    var index = 0
    while index < input.count {
        let before = index
        guard input[index] == UInt8(ascii: "\\") else {
            index += 1
            continue
        }
        if (try? Escapes.decode(input, at: &index)) == nil { index = before + 1 }
        require(index > before && index <= input.count, "decoding does not get on")
    }
}

/// Arrow lines: the transcript of a received line is parsed as that line.
private func fuzzArrows(_ input: [UInt8]) {
    _ = parse([input])
    let line = Array("a< ".utf8) + Array(Escapes.escaped(input).utf8)
    let (statements, errors) = parse([line])
    guard errors.isEmpty, case .arrow(let arrow)? = statements.first, case .line(let text, let ending) = arrow.action
    else { fatalError("a line of a transcript is not read") }
    require(ending && text.literal == input, "a line of a transcript means something else")
}

/// The same stream yields the same lines in any split and every framing.
private func fuzzLines(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let names = ["line"] + FrameFormat.plainNames + ["until:ab", "u8@1", "u16@0+3", "varint@1", "u32@2+8"]
    guard let framing = Framing(Array(names[Int(first) % names.count].utf8)) else { fatalError("a name is no framing") }
    let stream = Array(input.dropFirst())
    let sizes = [stream.count, 1, 2, 3, 7]
    let results = sizes.map { lines(of: stream, framing, read: max(1, $0)) }
    for result in results.dropFirst() { require(result == results[0], "lines depend on the split") }
}

/// A framing's name and a text, separated by a newline: the name is read without a trap and written as it was read; a
/// text that fits comes back from its frame, in any split.
private func fuzzFrames(_ input: [UInt8]) {
    let parts = input.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
    // Few inputs are names: the others choose one.
    let names = FrameFormat.plainNames + ["until:ab", "until:aba"]
    let other = Array(names[Int(input.first ?? 0) % names.count].utf8)
    let name = Framing(Array(parts[0])) == nil ? other : Array(parts[0])
    guard let framing = Framing(name), let format = framing.format else { return }
    require(Framing(framing.name.losslessBytes) == framing, "the name of a framing means another one")
    let text = parts.count > 1 ? Array(parts[1].prefix(1000)) : []
    let isWhole = name.contains(UInt8(ascii: "@"))
    guard text.count <= framing.longest, !isWhole else { return }
    let stream = format.encoded(text)
    for size in [stream.count, 1, 3] {
        let found = lines(of: stream, framing, read: max(1, size))
        // A text that contains the end of its frame is several frames.
        let isOne = found == [text, []]
        let end = stream.count > text.count ? Array(stream.suffix(stream.count - text.count)) : []
        let endsItself = !end.isEmpty && stream.starts(with: text) && (text + end.dropLast()).firstRange(of: end) != nil
        require(isOne || endsItself, "a frame does not give its text back")
    }
}

/// Returns the lines of a stream that arrives `size` bytes at a time. The last element is the rest that is not a line,
/// or the message that a frame is too long.
private func lines(of stream: [UInt8], _ framing: Framing, read size: Int) -> [[UInt8]] {
    let inbox = Inbox(limit: 4096)
    inbox.setMessages(framing != .line)
    var decoder = framing.format.map { FrameDecoder($0) }
    var lines: [[UInt8]] = []
    var rest = stream[...]
    while !rest.isEmpty {
        let piece = Array(rest.prefix(min(size, 4096 - inbox.count - (decoder?.rest.count ?? 0))))
        if piece.isEmpty { break }
        rest = rest.dropFirst(piece.count)
        if framing == .line { piece.withUnsafeBytes { inbox.append($0) } }
        do {
            try decoder?.feed(piece, limit: 4096) {
                inbox.append($0)
                inbox.endMessage()
            }
        } catch {
            while let end = inbox.nextLineEnd() { lines.append(take(end, from: inbox)) }
            return lines + [Array("too long".utf8)]
        }
        while let end = inbox.nextLineEnd() { lines.append(take(end, from: inbox)) }
    }
    return lines + [Array(inbox.bytes) + (decoder?.rest ?? [])]
}

private func take(_ end: Inbox.LineEnd, from inbox: Inbox) -> [UInt8] {
    let line = Array(inbox.bytes(in: inbox.front..<end.text))
    if end.next == inbox.front { inbox.consumeMessage() } else { inbox.consume(through: end.next) }
    return line
}

/// A pattern and a text, separated by a newline: it is compiled or rejected with a message, and the first match is the
/// same whether the text is whole or arrives in two pieces.
private func fuzzPatterns(_ input: [UInt8]) {
    let parts = input.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count < 64, parts[1].count < 256 else { return }
    guard let regex = try? Regex(Array(parts[0])) else { return }
    let text = Array(parts[1])
    let whole = text.withUnsafeBytes { regex.search($0, from: 0, isWhole: true, beginsLine: true) }
    guard case .match(let groups) = whole, let range = groups.first ?? nil else { return }
    require(range.lowerBound >= 0 && range.upperBound <= text.count, "a match lies outside of its text")
    for cut in 0...text.count {
        let piece = text[..<cut]
        let partial = piece.withUnsafeBytes { regex.search($0, from: 0, isWhole: false, beginsLine: true) }
        if case .none = partial {
            // No match can begin before the cut, so this one may not.
            require(range.upperBound > cut || range.lowerBound >= cut, "a partial search misses a match")
        }
    }
}

/// A layer gives the same data, the same end and as many bytes for the peer for any split of a stream, and takes bounded
/// memory.
private func fuzzLayer(_ input: [UInt8], _ make: () -> (any Layer)?) {
    func outcome(pieces: [ArraySlice<UInt8>]) -> (data: [[UInt8]], end: LayerState.End?, answers: Int) {
        guard let layer = make() else { fatalError("the layer's library is not installed") }
        for piece in pieces { Array(piece).withUnsafeBytes { layer.receive($0) } }
        layer.receiveEnd()
        Array("data \r\u{ff}".utf8).withUnsafeBytes { layer.send($0, as: nil) }
        layer.sendEnd()
        let state = layer.state
        let isStream = layer.kind(over: .tcp).medium == .stream
        let data = isStream ? [state.received.flatMap { $0 }] : Array(state.received)
        return (data, state.end, state.outgoingCount)
    }
    let size = Int(input.first ?? 0) % 7 + 1
    let pieces = stride(from: 0, to: input.count, by: size).map { input[$0..<min(input.count, $0 + size)] }
    let (whole, split) = (outcome(pieces: [input[...]]), outcome(pieces: pieces))
    require(whole.data == split.data, "the data depends on the split")
    // What is wrong with an incomplete frame may be found only when it is complete, and of two faults either first.
    let hasCut = whole.end == .cut || split.end == .cut
    require(hasCut || (whole.end == .ended) == (split.end == .ended), "the end depends on the split")
    require(whole.data.reduce(0) { $0 + $1.count } <= input.count, "there is more data than bytes")
    require(whole.answers <= 64 * (input.count + 16), "the answers are out of proportion")
}

/// A PROXY header ends within its longest length.
private func fuzzProxyHeader(_ input: [UInt8]) {
    var parser = ProxyHeader.Parser()
    for byte in input + [UInt8](repeating: input.last ?? 0, count: 70_000) {
        guard case .more = parser.feed(byte) else { return }
    }
    fatalError("a PROXY header has no end")
}

/// A screen takes any output in any split, and shows nothing that acts on a terminal.
private func fuzzScreen(_ input: [UInt8]) {
    guard let first = ProgramScreen(rows: 5, columns: 20), let second = ProgramScreen(rows: 5, columns: 20) else {
        fatalError("no memory for a screen")
    }
    input.withUnsafeBytes { first.receive($0) }
    for byte in input { withUnsafeBytes(of: byte) { second.receive($0) } }
    require(first.lines == second.lines && first.cursor == second.cursor, "the screen depends on the split")
    require((1...5).contains(first.cursor.row) && (1...20).contains(first.cursor.column), "the cursor is outside")
    require(first.takeOutgoing() == second.takeOutgoing(), "the answers depend on the split")
    for line in first.picture(first.lines) {
        require(!line.unicodeScalars.contains(where: isAbleToAct), "a row acts on the terminal")
    }
    for name in ["Up", "F5", "C-c"] { TerminalKey(name).map { first.press($0) } }
}
