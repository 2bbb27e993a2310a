/// A message between a run and an attached prompt: its kind, and fields of any bytes.
///
///     message = kind length field*      field = length bytes
///
/// A kind is one byte; a length is four bytes, the high one first.
struct ControlMessage: Equatable {
    enum Kind: UInt8 {
        // From the prompt.
        case hello = 0x68, entry = 0x78, interrupt = 0x69, width = 0x7A
        // To the prompt.
        case show = 0x73, page = 0x67, diagnose = 0x65, prompt = 0x70, names = 0x6E, waiting = 0x77, live = 0x6C, done =
            0x64
        case bye = 0x62
    }

    let kind: Kind
    let fields: [[UInt8]]

    init(_ kind: Kind, _ fields: [[UInt8]] = []) {
        self.kind = kind
        self.fields = fields
    }

    init(_ kind: Kind, _ texts: String...) {
        self.init(kind, texts.map { $0.losslessBytes })
    }

    /// A field as text; empty if it is missing.
    func text(_ index: Int) -> String { fields.indices.contains(index) ? String(lossless: fields[index]) : "" }

    /// The longest message in bytes.
    static let longest = 4 << 20

    var encoded: [UInt8] {
        var payload: [UInt8] = []
        for field in fields { payload += Self.length(field.count) + field }
        return [kind.rawValue] + Self.length(payload.count) + payload
    }

    private static func length(_ count: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) }
    }

    /// Returns the first message in `bytes` and its length; nil while it is not complete. Throws `Malformed` for what is
    /// no message.
    static func first(in bytes: ArraySlice<UInt8>) throws(Malformed) -> (message: ControlMessage, length: Int)? {
        guard bytes.count >= 5, let first = bytes.first else { return nil }
        guard let kind = Kind(rawValue: first), let count = number(bytes.dropFirst()), count <= longest else {
            throw Malformed()
        }
        guard bytes.count >= 5 + count else { return nil }
        var rest = bytes.dropFirst(5).prefix(count)
        var fields: [[UInt8]] = []
        while !rest.isEmpty {
            guard let size = number(rest), rest.count >= 4 + size else { throw Malformed() }
            fields.append(Array(rest.dropFirst(4).prefix(size)))
            rest = rest.dropFirst(4 + size)
        }
        return (ControlMessage(kind, fields), 5 + count)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    struct Malformed: Error {}
}
