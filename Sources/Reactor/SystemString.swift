/// Bytes in the form of system calls: a path, an argument of a program, the value of an environment variable.
///
/// They contain no NUL byte: C would end the string there and use a different file or host. `init?` is the only way to
/// pass a value of a script to a C function.
package struct SystemString: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The bytes, without the terminating NUL.
    package let bytes: [UInt8]

    /// Returns nil if `bytes` contain a NUL.
    package init?(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        guard !bytes.contains(0) else { return nil }
        self.bytes = bytes
    }

    /// Copies a C string, up to its NUL.
    package init(copying pointer: UnsafePointer<CChar>) {
        var bytes: [UInt8] = []
        var next = pointer
        while next.pointee != 0 {
            bytes.append(UInt8(bitPattern: next.pointee))
            next += 1
        }
        self.bytes = bytes
    }

    package init(stringLiteral text: StaticString) {
        bytes = text.withUTF8Buffer { Array($0.prefix { $0 != 0 }) }
    }

    private init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
    }

    package static func + (left: SystemString, right: SystemString) -> SystemString {
        SystemString(unchecked: left.bytes + right.bytes)
    }

    package var isEmpty: Bool { bytes.isEmpty }

    /// The bytes as text that `losslessBytes` converts back.
    package var description: String { String(lossless: bytes) }

    /// Calls `body` with the bytes as a C string, which is valid only during the call.
    package func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (bytes + [0]).withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                // The array contains at least the NUL, so it has an address.
                withExtendedLifetime(bytes) { body(characters.baseAddress ?? Self.empty) }
            }
        }
    }

    nonisolated(unsafe) private static let empty: UnsafePointer<CChar> = {
        let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        pointer.initialize(to: 0)
        return UnsafePointer(pointer)
    }()
}

/// Text that can carry any bytes. Those that are not UTF-8 are represented by the private-use scalars U+10FF80 to
/// U+10FFFF. Bytes that encode such a scalar are also carried one by one, which keeps the text unambiguous. U+10FF00 is
/// a NUL and U+10FF0A a newline, for text that cannot contain them.
///
/// It is used where data has to pass through as text: arguments in the option library, lines in the line editor, values
/// in messages.
extension String {
    private static let firstStandIn: UInt32 = 0x10FF00

    /// Creates the text that carries `bytes`.
    package init(lossless bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        // Nearly all text is ASCII or plain UTF-8 without stand-ins, which begin with F4 8F BE or F4 8F BF.
        if !bytes.contains(0xF4), let text = String(validating: bytes, as: UTF8.self) {
            self = text
            return
        }
        var scalars = String.UnicodeScalarView()
        var index = 0
        while index < bytes.count {
            if let (scalar, length) = Self.scalar(in: bytes, at: index), Self.carriedByte(of: scalar) == nil {
                scalars.append(scalar)
                index += length
            } else {
                scalars.append(Self.standIn(for: bytes[index]))
                index += 1
            }
        }
        self.init(scalars)
    }

    /// Returns the scalar that carries a byte of 128 or more, a NUL or a newline.
    package static func standIn(for byte: UInt8) -> Unicode.Scalar {
        Unicode.Scalar(firstStandIn + UInt32(byte)) ?? "\u{FFFD}"
    }

    /// Returns the byte that a scalar carries, or nil.
    package static func carriedByte(of scalar: Unicode.Scalar) -> UInt8? {
        switch scalar.value {
        case (firstStandIn + 0x80)..., firstStandIn, firstStandIn + 0x0A: UInt8(truncatingIfNeeded: scalar.value)
        default: nil
        }
    }

    /// The same text on one line, with stand-ins for its newlines.
    package var inOneLine: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0 == "\n" ? Self.standIn(for: 0x0A) : $0 }))
    }

    /// The bytes that the text carries.
    package var losslessBytes: [UInt8] {
        // In UTF-8 a stand-in begins with this byte.
        guard utf8.contains(0xF4) else { return Array(utf8) }
        return unicodeScalars.flatMap { scalar -> [UInt8] in
            Self.carriedByte(of: scalar).map { [$0] } ?? Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
    }

    /// Returns the valid scalar at `index` and its length in bytes, or nil (RFC 3629).
    private static func scalar(in bytes: [UInt8], at index: Int) -> (Unicode.Scalar, Int)? {
        let first = bytes[index]
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard index + length <= bytes.count,
            let text = String(validating: bytes[index..<(index + length)], as: UTF8.self),
            let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1
        else { return nil }
        return (scalar, length)
    }
}
