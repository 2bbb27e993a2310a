/// Divides a stream of WebSocket frames so that each control frame arrives in one piece (RFC 6455, section 5.2).
///
/// libwslay checks the reason of a close frame piece by piece: a character that is split between two reads would count
/// as wrong.
struct ControlFrameJoiner {
    /// The beginning of a frame whose header is not complete, or of an incomplete control frame.
    private var held: [UInt8] = []
    /// The bytes of a data frame that are still to come.
    private var passing = 0

    /// Returns pieces of the stream with these bytes added: whole control frames, and parts of other frames.
    mutating func pieces(adding bytes: UnsafeRawBufferPointer) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            if passing > 0 {
                let part = rest.prefix(passing)
                pieces.append(Array(part))
                passing -= part.count
                rest = rest.dropFirst(part.count)
                continue
            }
            held.append(rest.removeFirst())
            guard let (header, payload) = Self.lengths(of: held) else { continue }
            if held[0] & 0x08 == 0 || payload > 125 {
                // What is wrong with it is found in any split.
                pieces.append(held)
                passing = payload
                held = []
            } else {
                let missing = header + payload - held.count
                held += rest.prefix(missing)
                rest = rest.dropFirst(missing)
                guard held.count == header + payload else { continue }
                pieces.append(held)
                held = []
            }
        }
        return pieces
    }

    /// Returns the lengths of the header and the payload of a frame; nil while its header is not complete.
    private static func lengths(of frame: [UInt8]) -> (header: Int, payload: Int)? {
        guard frame.count >= 2 else { return nil }
        let short = Int(frame[1] & 0x7F)
        let extra = short == 126 ? 2 : short == 127 ? 8 : 0
        let header = 2 + extra + (frame[1] & 0x80 == 0 ? 0 : 4)
        guard frame.count >= header else { return nil }
        let long = frame[2..<(2 + extra)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return (header, extra == 0 ? short : Int(clamping: long))
    }
}
