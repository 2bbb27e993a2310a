/// Extracts the frames from a stream.
package struct FrameDecoder {
    private let format: FrameFormat
    /// Bytes of an incomplete frame.
    package private(set) var rest: [UInt8] = []
    /// How many bytes of the incomplete frame contain no end.
    private var searched = 0

    package init(_ format: FrameFormat) {
        self.format = format
    }

    /// The length of the incomplete frame as far as it is known, with its length field; nil if there is none.
    package var announced: Int? {
        guard !rest.isEmpty, case .incomplete(let length) = rest.withUnsafeBytes({ format.front(of: $0) }) else {
            return nil
        }
        return length
    }

    /// Adds bytes of the stream and calls `body` with the content of each completed frame.
    ///
    /// - Throws: `OversizedFrame` when a frame, including its length field or end, is longer than `limit` bytes.
    package mutating func feed(
        _ bytes: [UInt8], limit: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(OversizedFrame) {
        rest += bytes
        var start = 0
        defer { rest.removeFirst(start) }
        while start < rest.count {
            let front = rest.withUnsafeBytes { bytes in
                format.front(of: UnsafeRawBufferPointer(rebasing: bytes[start...]), searched: searched)
            }
            switch front {
            case .invalid: throw OversizedFrame(length: .max)
            case .incomplete(let length):
                searched = rest.count - start
                guard length <= limit else { throw OversizedFrame(length: length) }
                return
            case .frame(let content, let next):
                searched = 0
                guard next <= limit else { throw OversizedFrame(length: content.count) }
                rest.withUnsafeBytes { bytes in
                    body(
                        UnsafeRawBufferPointer(
                            rebasing: bytes[(start + content.lowerBound)..<(start + content.upperBound)]))
                }
                start += next
            }
        }
    }
}
