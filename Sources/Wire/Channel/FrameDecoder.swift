/// Extracts the frames from a stream in which each is preceded by its length.
package struct FrameDecoder {
    private let framing: Framing
    /// Bytes of an incomplete frame.
    package private(set) var rest: [UInt8] = []

    package init(_ framing: Framing) {
        self.framing = framing
    }

    /// Adds bytes of the stream and calls `body` with each completed frame, without its length prefix.
    ///
    /// - Throws: `OversizedFrame` when a frame, including its length prefix, is longer than `limit` bytes.
    package mutating func feed(
        _ bytes: [UInt8], limit: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(OversizedFrame) {
        guard let prefixLength = framing.prefixLength else { return }
        rest += bytes
        var next = 0
        defer { rest.removeFirst(next) }
        while rest.count - next >= prefixLength {
            let length = framing.length(from: rest[next..<(next + prefixLength)])
            guard length + prefixLength <= limit else { throw OversizedFrame(length: length) }
            let start = next + prefixLength
            guard rest.count - start >= length else { return }
            rest.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<(start + length)])) }
            next = start + length
        }
    }
}
