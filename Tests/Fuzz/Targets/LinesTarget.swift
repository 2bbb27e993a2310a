import Wire

/// The same stream yields the same lines in any split and every framing.
enum LinesTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let names = ["line"] + FrameFormat.plainNames + ["until:ab", "u8@1", "u16@0+3", "varint@1", "u32@2+8"]
        guard let framing = Framing(Array(names[Int(first) % names.count].utf8)) else {
            fatalError("a name is no framing")
        }
        let stream = Array(input.dropFirst())
        let sizes = [stream.count, 1, 2, 3, 7]
        let results = sizes.map { lines(of: stream, framing, read: max(1, $0)) }
        for result in results.dropFirst() { require(result == results[0], "lines depend on the split") }
    }
}

/// Returns the lines of a stream that arrives `size` bytes at a time. The last element is the rest that is not a line,
/// or the message that a frame is too long.
func lines(of stream: [UInt8], _ framing: Framing, read size: Int) -> [[UInt8]] {
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
