import Reactor

/// The format of frames in a byte stream: a length field, or a byte sequence that ends each frame.
///
///     format = width | width "@" P [ "+" A ] | "cr" | "nul" | "until:" TEXT
///     width  = "u8" | "u16" | "u24" | "u32" | "u64" | "u16le" | "u24le" | "u32le" | "u64le" | "varint"
///
/// Without `@`, the length field precedes the frame and is not part of it. With `@P`, the length is at byte P of the
/// frame, which includes it and everything before it; with `+A` the whole frame is A plus that many bytes long,
/// otherwise the length counts the bytes after the length field.
package struct FrameFormat: Equatable, Sendable {
    /// How it is written in scripts.
    package let name: String
    private let kind: Kind

    private enum Kind: Equatable {
        case length(Width, place: Place?)
        case terminated([UInt8])
    }

    private struct Place: Equatable {
        let position: Int
        /// The length of the frame beyond its length field's value.
        let addition: Int?
    }

    /// How a length is encoded.
    private enum Width: Equatable {
        case fixed(Int, isLittleEndian: Bool)
        /// LEB128.
        case varint
    }

    /// The formats without parameters.
    package static let plainNames = [
        "u8", "u16", "u24", "u32", "u64", "u16le", "u24le", "u32le", "u64le", "varint", "cr", "nul",
    ]

    /// Positions and additions beyond this are errors: no inbox is larger.
    private static let farthest = 1 << 30

    /// `name` carries any bytes. Nil if it is not a format.
    package init?(_ name: [UInt8]) {
        self.name = String(lossless: name)
        let until = Array("until:".utf8)
        if name.starts(with: until) {
            guard name.count > until.count else { return nil }
            kind = .terminated(Array(name.dropFirst(until.count)))
            return
        }
        switch self.name {
        case "cr": kind = .terminated([0x0D])
        case "nul": kind = .terminated([0])
        default:
            let parts = self.name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
            guard let width = Self.width(String(parts[0])) else { return nil }
            guard parts.count == 2 else {
                kind = .length(width, place: nil)
                return
            }
            let numbers = parts[1].split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
            guard let position = Self.number(numbers[0]) else { return nil }
            guard numbers.count == 2 else {
                kind = .length(width, place: Place(position: position, addition: nil))
                return
            }
            guard let addition = Self.number(numbers[1]) else { return nil }
            kind = .length(width, place: Place(position: position, addition: addition))
        }
    }

    private static func width(_ name: String) -> Width? {
        if name == "varint" { return .varint }
        guard plainNames.contains(name), name.hasPrefix("u"),
            let bits = Int(name.dropFirst().prefix { $0.isNumber })
        else { return nil }
        return .fixed(bits / 8, isLittleEndian: name.hasSuffix("le"))
    }

    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(text) else {
            return nil
        }
        return number <= farthest ? number : nil
    }

    /// The longest frame that can be sent, in bytes.
    package var longest: Int {
        guard case .length(.fixed(let count, _), place: nil) = kind, count < 8 else { return .max }
        return (1 << (8 * count)) - 1
    }

    /// Returns the bytes to send for the frame `text`.
    package func encoded(_ text: [UInt8]) -> [UInt8] {
        switch kind {
        case .terminated(let end): return text + end
        // The text contains its length field.
        case .length(_, place: .some): return text
        case .length(.varint, place: nil):
            var bytes: [UInt8] = []
            var rest = text.count
            while rest > 0x7F {
                bytes.append(UInt8(rest & 0x7F) | 0x80)
                rest >>= 7
            }
            return bytes + [UInt8(rest)] + text
        case .length(.fixed(let count, let isLittleEndian), place: nil):
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
            return (isLittleEndian ? bytes : bytes.reversed()) + text
        }
    }

    /// The beginning of a stream, as far as it is known.
    package enum Front: Equatable {
        /// The content of the first frame, and where the next one begins.
        case frame(Range<Int>, next: Int)
        /// More bytes are needed; the frame is at least `length` bytes long with everything that belongs to it.
        case incomplete(length: Int)
        /// The length field does not fit into 63 bits.
        case invalid
    }

    /// Looks at the first frame of `bytes`. `searched` is how many bytes were searched before without finding an end.
    package func front(of bytes: UnsafeRawBufferPointer, searched: Int = 0) -> Front {
        switch kind {
        case .terminated(let end): return front(of: bytes, endingIn: end, searched: searched)
        case .length(let width, let place):
            let position = place?.position ?? 0
            guard let field = Self.field(width, in: bytes, at: position) else {
                return .incomplete(length: max(position, bytes.count) + 1)
            }
            guard let length = field.value, length <= Int.max / 2 else { return .invalid }
            // A frame includes its length field, also where the field says less.
            let next = max(field.end, place?.addition.map { $0 + length } ?? field.end + length)
            guard bytes.count >= next else { return .incomplete(length: next) }
            return .frame((place == nil ? field.end : 0)..<next, next: next)
        }
    }

    private func front(of bytes: UnsafeRawBufferPointer, endingIn end: [UInt8], searched: Int) -> Front {
        var start = max(0, searched - end.count + 1)
        while start + end.count <= bytes.count {
            if bytes[start] == end[0], bytes[start..<(start + end.count)].elementsEqual(end) {
                return .frame(0..<start, next: start + end.count)
            }
            start += 1
        }
        return .incomplete(length: bytes.count + 1)
    }

    /// Returns the value of a length field, nil if it is too large, and its end; nil if it is not complete.
    private static func field(
        _ width: Width, in bytes: UnsafeRawBufferPointer, at position: Int
    ) -> (value: Int?, end: Int)? {
        switch width {
        case .fixed(let count, let isLittleEndian):
            guard bytes.count >= position + count else { return nil }
            let field = bytes[position..<(position + count)]
            let value = (isLittleEndian ? Array(field.reversed()) : Array(field)).reduce(UInt64(0)) {
                $0 << 8 | UInt64($1)
            }
            return (Int(exactly: value), position + count)
        case .varint:
            var value = 0
            for index in 0..<9 {
                guard position + index < bytes.count else { return nil }
                let byte = bytes[position + index]
                value |= Int(byte & 0x7F) << (7 * index)
                if byte < 0x80 { return (value, position + index + 1) }
            }
            return (nil, position + 9)
        }
    }
}
